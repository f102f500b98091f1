"""Every page of the real admin opens in a browser without a complaint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from apps.users.groups import sync_groups
from tests.browser.conftest import Complaints, Look
from tests.common.test_every_screen import addresses
from tests.factories import AssignmentFactory, Clinic, LeaveFactory

# Answers for scripts, downloads, and what asks for a parameter.
NO_PAGES = ("/autocomplete/", "/jsi18n/", "/search/", "/language/", "/logout/", "/r/", "/export/", "/template/")


@pytest.mark.parametrize("look", [Look(), Look(390, 844, "dark", "en")], ids=lambda look: look.name)
def test_every_page_opens_without_a_complaint(
    visit: Callable[..., Page], transactional_db: Any, complaints: Complaints, look: Look
) -> None:
    clinic = Clinic()
    sync_groups()
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1)
    LeaveFactory(employee=clinic.nurse, starts_on="2026-12-20", ends_on="2026-12-22")
    page = visit("/admin/", user=clinic.admin, look=look)
    complaints.allow("status of 40[0-9]")
    opened, wide = 0, []
    for address in sorted(set(addresses(clinic))):
        if any(part in address for part in NO_PAGES):
            continue
        answer = page.goto(address, wait_until="load")
        if answer is None or "text/html" not in answer.headers.get("content-type", ""):
            continue
        page.wait_for_function("() => !document.documentElement.hasAttribute('x-cloak')")
        opened += answer.status == 200
        if page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth") > 0:
            wide.append(address)
        for text in complaints.found:
            if not text.endswith("]") and address not in text:
                complaints.found[complaints.found.index(text)] = f"{text} [on {address}]"
    assert opened > 30
    assert wide == []
