"""The inbox, as a tired manager looks at it in the morning: wide and narrow, light and dark, in both languages."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from apps.inbox.enums import AlertKind
from apps.inbox.services import acknowledge, assign, snooze
from apps.org import querysets
from apps.users.groups import sync_groups
from project import dashboard
from tests.factories import Clinic
from tests.inbox.conftest import DAY, one, waiting_clinic
from tests.today import TODAY

from .conftest import Look, everyday

PAGE = "/admin/inbox/attention/inbox/"
LOOKS = everyday([Look(), Look(scheme="dark", language="en"), Look(390, 844), Look(390, 844, "dark", "en")])


@pytest.fixture
def waiting(transactional_db: Any, clinic: Clinic) -> Any:
    sync_groups()
    waiting_clinic(clinic)
    assign(key=one(clinic.manager, AlertKind.CLIFF).key, to=clinic.manager, actor=clinic.manager, note="Llamar a Marta")
    assign(key=one(clinic.manager, AlertKind.VACANT).key, to=clinic.supervisor, actor=clinic.manager)
    return clinic


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_the_inbox_fits_every_look(waiting: Clinic, visit: Any, shoot: Any, look: Look) -> None:
    page = visit(PAGE, user=waiting.manager, look=look)
    expect(page.locator(".coveris-item")).to_have_count(7)
    assert page.evaluate("document.documentElement.scrollWidth") <= look.width
    shoot(page, "inbox", full=True)
    page.locator(".coveris-item-deeds a[data-dialog]").nth(2).click()
    expect(page.locator("dialog[open]")).to_be_visible()
    shoot(page, "inbox-snooze")


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_several_items_are_ticked_and_acted_on_at_once(waiting: Clinic, visit: Any, shoot: Any, look: Look) -> None:
    page = visit(PAGE, user=waiting.manager, look=look)
    buttons = page.locator(".coveris-chosen button")
    expect(buttons.first).to_be_disabled()
    for number in (0, 2):
        page.locator(".coveris-item input[name=item]").nth(number).check()
    expect(page.get_by_text("2 elegidos" if look.language == "es" else "2 chosen")).to_be_visible()
    shoot(page, "inbox-chosen")
    assert page.evaluate("document.documentElement.scrollWidth") <= look.width
    buttons.nth(2).click()
    expect(page.locator(".coveris-dialog-page input[name=until]")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= look.width
    shoot(page, "inbox-chosen-snooze", full=True)
    page.locator(".coveris-dialog-page button[type=submit]").click()
    expect(page.locator(".coveris-item")).to_have_count(5)


def test_all_of_a_page_are_chosen_by_the_keyboard_and_what_is_refused_says_why(
    waiting: Clinic, visit: Any, shoot: Any
) -> None:
    acknowledge(key=one(waiting.manager, AlertKind.CLIFF).key, actor=waiting.supervisor)
    page = visit(PAGE, user=waiting.manager, look=Look(language="en"))
    page.get_by_label("All on this page").focus()
    page.keyboard.press("Space")
    expect(page.get_by_text("7 chosen")).to_be_visible()
    page.locator(".coveris-chosen").get_by_role("button", name="Acknowledge").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Acknowledge").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#chosen-summary")).to_contain_text("6 done · 1 refused")
    expect(page.locator("#chosen-results")).to_contain_text("Somebody has taken note of it already.")
    shoot(page, "inbox-chosen-results")
    page.get_by_role("link", name="Back to the inbox").click()
    expect(page.locator(".coveris-item-state").get_by_text("acknowledged")).to_have_count(7)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_the_first_page_tells_what_waits(waiting: Clinic, visit: Any, shoot: Any, look: Look) -> None:
    page = visit("/admin/", user=waiting.manager, look=look)
    expect(page.locator("#my-inbox .coveris-tile-value")).to_have_text("7")
    assert page.evaluate("document.documentElement.scrollWidth") <= look.width
    shoot(page, "overview-inbox", full=True)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_of_a_large_part_more_is_said_where_there_is_room_for_it(
    waiting: Clinic, visit: Any, shoot: Any, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(querysets, "MANY_UNITS", 0)
    querysets._sizes.clear()
    monkeypatch.setattr(dashboard, "COUNTED_ON_A_TILE", 1)
    monkeypatch.setattr(dashboard, "WAITING_COUNTED", 1)
    page = visit("/admin/", user=waiting.manager, look=look)
    said = "más de 1" if look.language == "es" else "more than 1"
    expect(page.locator("#my-inbox .coveris-tile-value")).to_have_text(said)
    assert page.evaluate("document.documentElement.scrollWidth") <= look.width
    shoot(page, "overview-more", full=True)
    querysets._sizes.clear()


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_what_to_be_told_is_chosen(waiting: Clinic, visit: Any, shoot: Any, look: Look) -> None:
    page = visit(PAGE, user=waiting.manager, look=look)
    page.locator(f'a[href^="{PAGE}subscription/"]').click()
    expect(page.locator("dialog[open] input[name=by_mail]")).to_be_visible()
    shoot(page, "inbox-told")
    page.locator("dialog[open] input[name=by_mail]").check()
    page.locator("dialog[open] button[type=submit]").click()
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(page.get_by_text("Guardado." if look.language == "es" else "Saved.")).to_be_visible()


def test_an_item_is_snoozed_by_the_keyboard_and_found_among_the_snoozed(waiting: Clinic, visit: Any) -> None:
    page = visit(f"{PAGE}?kind=CLIFF", user=waiting.manager, look=Look(language="en"))
    page.get_by_role("link", name="Snooze: Echeverría").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Comes back on").fill((TODAY + DAY * 3).isoformat())
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nothing waits with these filters")).to_be_visible()
    page.get_by_label("State").select_option("asleep")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator(".coveris-item")).to_have_count(1)
    expect(page.get_by_text("sleeps until 12 Dec 2026")).to_be_visible()


def test_an_empty_inbox_is_good_news(transactional_db: Any, clinic: Clinic, visit: Any, shoot: Any) -> None:
    sync_groups()
    page = visit(PAGE, user=clinic.manager, look=Look())
    expect(page.get_by_text("Nada espera", exact=True)).to_be_visible()
    shoot(page, "inbox-empty")


def test_the_menu_tells_how_many_are_mine(waiting: Clinic, visit: Any, shoot: Any) -> None:
    snooze(key=one(waiting.manager, AlertKind.PROPOSAL).key, until=TODAY + DAY, actor=waiting.manager)
    page = visit("/admin/", user=waiting.manager, look=Look())
    expect(page.locator(".sidebar-badge")).to_have_text("1")
    shoot(page, "inbox-menu")
