"""The overview, the tree, the timeline and the screens of rules and administration in a real browser."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from apps.business_rules.models import EvaluationRun, RuleViolation, Waiver
from apps.fsm.services import apply_transition
from apps.users.groups import sync_groups
from tests import factories
from tests.dashboard.conftest import store_position, store_unit

from .conftest import NARROW, Look

ENGLISH = Look(language="en")


@pytest.fixture
def house(clinic: Any) -> Any:
    """The clinic with figures, a violation, a proposal and something on the timeline."""
    sync_groups()
    store_unit(
        clinic.h1, required=49.714286, assigned=39.428571, filled=39.428571, deficit=10.285714, partial=1, covered=1
    )
    store_unit(
        clinic.h2, required=19.01, assigned=32.152857, filled=19.01, surplus=13.142857, covered=1, over_covered=1
    )
    store_position(clinic.p1, required=36, assigned=25.714286)
    rule, now = factories.BusinessRuleFactory(), timezone.now()
    clinic.violation = RuleViolation.objects.create(
        rule=rule, subject_kind="employee", subject_id=clinic.nurse.pk, subject_code="E1", severity="BLOCKING",
        observed=Decimal("66"), limit=Decimal("60"), facts={"since": "2026-12-09", "cap_unit": "", "records": []},
        first_seen=now, last_seen=now,
    )  # fmt: skip
    factories.AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=12)
    apply_transition(clinic.surgeon, "give_notice", actor=clinic.admin, reason="moves", last_day=date(2026, 12, 31))
    clinic.rule = rule
    return clinic


PAGES = {
    "overview": "/admin/",
    "tree": "/admin/org/orgunit/",
    "timeline": "/admin/audit_log/auditentry/",
    "violations": "/admin/business_rules/ruleviolation/",
    "rules": "/admin/business_rules/businessrule/",
    "waivers": "/admin/business_rules/waiver/",
    "evaluations": "/admin/business_rules/evaluationrun/",
    "users": "/admin/users/user/",
    "scopes": "/admin/org/unitscope/",
    "schedule": "/admin/django_celery_beat/periodictask/",
    "dead-letters": "/admin/changes/deadletter/",
    "marks": "/admin/changes/mark/",
}


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_clean_under_the_script_policy(house: Any, visit: Any, name: str) -> None:
    page = visit(PAGES[name], user=house.admin, look=ENGLISH)
    expect(page.locator("#content, #overview, main").first).to_be_visible()


def test_the_pages_of_one_record_are_clean_too(house: Any, visit: Any) -> None:
    page = visit(f"/admin/org/orgunit/{house.h1.pk}/change/", user=house.admin, look=ENGLISH)
    expect(page.get_by_text("Enfermería de guardia")).to_be_visible()
    for path in (
        f"/admin/business_rules/ruleviolation/{house.violation.pk}/change/",
        f"/admin/business_rules/businessrule/{house.rule.pk}/change/",
        f"/admin/users/user/{house.viewer.pk}/change/",
        "/admin/users/user/add/",
        "/admin/org/orgunit/add/",
    ):
        assert page.goto(path).status == 200
        page.wait_for_load_state("networkidle")


def test_the_face_of_the_product_fits_every_look(house: Any, visit: Any, shoot: Any, every_look: Any) -> None:
    page = visit("/admin/", user=house.admin, look=every_look)
    for name in ("overview", "tree", "timeline"):
        page.goto(PAGES[name])
        page.wait_for_load_state("networkidle")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= every_look.width, f"{name} is wider than the screen"
        shoot(page, f"{name}-{every_look.scheme}-{every_look.language}", full=True)


def test_the_tree_opens_and_closes_with_the_keyboard(house: Any, visit: Any) -> None:
    factories.OrgUnitFactory(code="H1A", name="Shock room", parent=house.h1)
    page = visit("/admin/org/orgunit/", user=house.admin, look=ENGLISH)
    expect(page.get_by_text("Shock room")).to_have_count(0)
    page.get_by_label("Open Urgencias").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Shock room")).to_be_visible()
    page.get_by_label("Close Urgencias").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Shock room")).to_have_count(0)


def test_a_manager_waives_a_violation_in_the_dialog(house: Any, visit: Any) -> None:
    page = visit(f"/admin/business_rules/ruleviolation/{house.violation.pk}/change/", user=house.manager, look=ENGLISH)
    page.get_by_role("link", name="Waive", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("covers for a colleague")
    dialog.get_by_label("In force until").fill("2026-12-31")
    dialog.get_by_role("button", name="Waive").click()
    expect(page.locator("#violation .coveris-badge").get_by_text("Waived")).to_be_visible()
    waiver = Waiver.objects.get()
    assert (waiver.granted_by, waiver.reason) == (house.manager, "covers for a colleague")


def test_evaluate_now_shows_a_page_that_renews_itself_until_it_is_done(house: Any, visit: Any) -> None:
    page = visit("/admin/business_rules/ruleviolation/", user=house.manager, look=ENGLISH)
    page.get_by_role("button", name="Evaluate now").click()
    expect(page.locator("#evaluation").get_by_text("waiting")).to_be_visible()
    now = timezone.now()
    EvaluationRun.objects.update(started_at=now, finished_at=now, opened=2)
    expect(page.locator("#evaluation [role=status]")).to_contain_text("done")


def test_the_overview_on_a_phone_keeps_its_figures_in_sight(house: Any, visit: Any) -> None:
    page = visit("/admin/", user=house.manager, look=Look(*NARROW, language="en"))
    expect(page.locator(".coveris-hero-number")).to_contain_text("79.3")
    expect(page.get_by_text("Where most hours are missing")).to_be_visible()
