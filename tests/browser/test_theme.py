"""The theme under `script-src 'self'`: every control answers, and the browser has nothing to complain about."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.org.models import Leave, OrgUnit, Position
from apps.org.services.positions import save_positions
from tests.browser.conftest import Complaints, Look, inside_popup, settle
from tests.factories import EmployeeFactory, LeaveFactory, OrgUnitFactory, PositionFactory, UserFactory

Visit = Callable[..., Page]
NARROW = Look(390, 844)


@pytest.fixture(autouse=True)
def test_screens(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.screens.urls"


@pytest.fixture
def admin(transactional_db: Any) -> Any:
    return UserFactory(role="ADMIN", given_name="Ana", family_name="Pérez")


@pytest.fixture
def position(transactional_db: Any) -> Position:
    unit = OrgUnitFactory(code="UTI", name="Terapia intensiva")
    return PositionFactory(code="P1", title="Enfermera de guardia", org_unit=unit)


def test_a_person_logs_in_with_e_mail_and_is_told_when_it_does_not_fit(
    visit: Visit, admin: Any, shoot: Any, complaints: Complaints
) -> None:
    page = visit("/admin/org/orgunit/", look=Look(language="en"))
    page.get_by_label("E-mail").fill(admin.email)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#login-error")).to_contain_text("e-mail and password")
    shoot(page, "login-refused")
    page.get_by_label("Password").fill("a long enough password")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#user-menu-button")).to_contain_text("Ana Pérez")


def test_the_language_is_chosen_before_and_after_logging_in(visit: Visit, admin: Any) -> None:
    page = visit("/admin/")
    expect(page.locator("html")).to_have_attribute("lang", "es")
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")

    page = visit("/admin/org/position/", user=admin)
    page.locator("#user-menu-button").click()
    page.locator("#user-menu").get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert page.url.endswith("/admin/org/position/")


def test_the_pages_look_well_everywhere(
    visit: Visit, admin: Any, position: Position, shoot: Any, every_look: Look
) -> None:
    for number in range(30):
        PositionFactory(org_unit=position.org_unit, title=f"Médica de planta {number}")
    page = visit("/admin/login/", look=every_look)
    shoot(page, "login")
    page = visit("/admin/org/position/", user=admin, look=every_look)
    shoot(page, "list")
    assert_no_sideways_scroll(page)
    page.goto(f"/admin/org/position/{position.pk}/change/")
    settle(page)
    shoot(page, "change")
    assert_no_sideways_scroll(page)
    page.goto(f"/admin/org/position/{position.pk}/history/")
    settle(page)
    shoot(page, "history")
    assert_no_sideways_scroll(page)


def assert_no_sideways_scroll(page: Page) -> None:
    assert page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth") <= 0


def test_the_theme_switch_darkens_the_page_and_is_remembered(visit: Visit, admin: Any) -> None:
    page = visit("/admin/org/orgunit/", user=admin)
    expect(page.locator("html")).not_to_have_class(re.compile("dark"))
    page.locator("#user-menu-button").click()
    page.locator("#user-menu a", has_text=re.compile("^\\s*dark_mode")).click()
    expect(page.locator("html")).to_have_class(re.compile("dark"))
    page.reload()
    settle(page)
    expect(page.locator("html")).to_have_class(re.compile("dark"))


def test_the_user_menu_opens_and_closes(visit: Visit, admin: Any) -> None:
    page = visit("/admin/org/orgunit/", user=admin)
    menu = page.locator("#user-menu")
    expect(menu).to_be_hidden()
    page.locator("#user-menu-button").click()
    expect(menu).to_be_visible()
    page.locator("h1").first.click()
    expect(menu).to_be_hidden()
    page.locator("#user-menu-button").press("Enter")
    expect(menu).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()


def test_the_menu_opens_on_a_phone(visit: Visit, admin: Any, shoot: Any) -> None:
    page = visit("/admin/org/orgunit/", user=admin, look=NARROW)
    entry = page.locator("#nav-sidebar a", has_text=re.compile("Puestos|positions", re.I))
    expect(entry).to_be_hidden()
    page.locator("#sidebar-toggle").click()
    expect(entry).to_be_visible()
    shoot(page, "menu-narrow")
    entry.click()
    expect(page).to_have_url(re.compile("/admin/org/position/$"))


def test_the_sidebar_is_made_wider_by_dragging_its_edge(visit: Visit, admin: Any) -> None:
    page = visit("/admin/org/orgunit/", user=admin)
    width = page.locator("#nav-sidebar").evaluate("el => el.offsetWidth")
    edge = page.locator("#nav-sidebar .cursor-col-resize").bounding_box()
    assert edge is not None
    page.mouse.move(edge["x"] + 3, 400)
    page.mouse.down()
    page.mouse.move(340, 400)
    page.mouse.up()
    assert page.locator("#nav-sidebar").evaluate("el => el.offsetWidth") == 340 != width


def test_the_list_is_searched_and_filtered(visit: Visit, admin: Any, position: Position, shoot: Any) -> None:
    elsewhere = PositionFactory(code="P2", title="Camillero")
    page = visit("/admin/org/position/", user=admin)
    page.locator("#searchbar").fill("guardia")
    page.locator("#searchbar").press("Enter")
    expect(page.locator("#result_list tbody tr.data-row, #result_list tbody tr").first).to_contain_text("P1")
    expect(page.locator("#result-count")).to_contain_text("1")
    page.goto("/admin/org/position/")
    page.locator(".filter-open-button, [x-on\\:click='filterOpen = true']").first.click()
    page.locator("#filter-form .select2-selection").first.click()
    page.locator(".select2-search__field").fill(elsewhere.org_unit.code)
    page.locator(".select2-results__option", has_text=elsewhere.org_unit.name).click()
    shoot(page, "filter")
    page.locator("#filter-form [type=submit]").click()
    expect(page.locator("#result_list")).to_contain_text("Camillero")
    expect(page.locator("#result_list")).not_to_contain_text("guardia")


def test_dates_are_picked_from_a_calendar(visit: Visit, admin: Any, position: Position) -> None:
    page = visit(f"/admin/org/position/{position.pk}/change/", user=admin)
    page.locator("#id_opens_on").locator("xpath=..").locator(".date-icon, .datetimeshortcuts a, a").last.click()
    expect(page.locator(".calendarbox").first).to_be_visible()


def test_tabs_of_a_form_and_of_its_rows_switch_and_are_kept_after_saving(
    visit: Visit, admin: Any, position: Position
) -> None:
    page = visit(f"/admin/org/position/{position.pk}/change/", user=admin)
    expect(page.locator("#id_opens_on")).to_be_visible()
    page.get_by_text("Times", exact=True).click()
    expect(page.locator("#id_opens_on")).to_be_hidden()

    employee = EmployeeFactory(home_unit=position.org_unit)
    page.goto(f"/admin/org/employee/{employee.pk}/change/")
    settle(page)
    page.locator("#tabs-items a").last.click()
    expect(page.locator("#leaves-group")).to_be_visible()
    page.locator(".add-row a, .add-row").first.click()
    page.locator("[name=leaves-0-starts_on]").fill("10/12/2026")
    page.locator("[name=leaves-0-ends_on]").fill("12/12/2026")
    page.locator("[name=_continue]").click()
    expect(page).to_have_url(re.compile("#leaves$"))
    assert Leave.objects.get().ends_on == date(2026, 12, 12)


def test_a_dialog_asks_and_answers(visit: Visit, admin: Any, position: Position, shoot: Any) -> None:
    page = visit(f"/admin/org/position/{position.pk}/change/", user=admin)
    page.locator("a[hx-get$='/tell/']").click()
    dialog = page.locator("#dialog")
    expect(dialog).to_be_visible()
    shoot(page, "dialog")
    dialog.locator("[type=submit]").click()
    expect(dialog.locator("textarea")).to_have_attribute("aria-invalid", "true")
    dialog.locator("textarea").fill("because")
    dialog.locator("[type=submit]").click()
    expect(page.get_by_text("Told: because")).to_be_visible()


def test_a_dialog_is_left_without_doing_anything(visit: Visit, admin: Any, position: Position) -> None:
    page = visit(f"/admin/org/position/{position.pk}/change/", user=admin)
    page.locator("a[hx-get$='/tell/']").click()
    expect(page.locator("#dialog")).to_be_visible()
    page.locator("#dialog a", has_text=re.compile("Cancel")).click()
    expect(page.locator("#dialog")).to_be_hidden()
    page.locator("li > a", has_text="More").click()
    page.locator("a[hx-get$='/tell-again/']").click()
    expect(page.locator("#dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#dialog")).to_be_hidden()


def test_an_action_runs_on_the_rows_ticked(visit: Visit, admin: Any, position: Position) -> None:
    PositionFactory(code="P2", org_unit=position.org_unit)
    page = visit("/admin/org/position/", user=admin)
    page.locator("#action-toggle").check()
    page.locator("select[name=action]").select_option("count_them")
    page.locator("button[name=index]").click()
    expect(page.get_by_text("2 counted")).to_be_visible()


def test_the_palette_finds_records_and_opens_them_from_the_keyboard(
    visit: Visit, admin: Any, position: Position, shoot: Any
) -> None:
    page = visit("/admin/org/orgunit/", user=admin)
    page.keyboard.press("Control+k")
    box = page.locator("#search-input-command")
    expect(box).to_be_focused()
    box.press_sequentially("guardia")
    expect(page.locator("#command-results-list")).to_contain_text("Enfermera de guardia (P1)")
    shoot(page, "palette")
    box.press("ArrowDown")
    box.press("Enter")
    expect(page).to_have_url(re.compile(f"/admin/org/position/{position.pk}/change/$"))


def test_the_palette_opens_from_its_button_and_closes(visit: Visit, admin: Any) -> None:
    page = visit("/admin/org/orgunit/", user=admin)
    page.locator("#open-palette").click()
    box = page.locator("#search-input-command")
    expect(box).to_be_visible()
    box.press("Escape")
    expect(box).to_be_hidden()


def test_a_related_record_is_added_in_a_pop_up(visit: Visit, admin: Any, position: Position) -> None:
    page = visit(f"/admin/org/position/{position.pk}/change/", user=admin)
    field = page.locator(".field-org_unit, .form-row", has=page.locator("[name=org_unit]")).first
    field.locator("button, a, [x-ref^=relatedWidgetWrapper]").last.click()
    page.locator("a.add-related").last.click()
    with inside_popup(page) as popup:
        popup.locator("[name=code]").fill("NEW")
        popup.locator("[name=name]").fill("Unidad nueva")
        popup.locator("[name=_save]").first.click()
    expect(page.locator("[name=org_unit]")).to_contain_text("Unidad nueva")


def test_leaving_a_form_with_changes_asks_first(visit: Visit, admin: Any, position: Position) -> None:
    page = visit(f"/admin/org/position/{position.pk}/change/", user=admin)
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.locator("#id_title").press_sequentially("x")
    page.goto("/admin/org/orgunit/")
    assert asked == ["beforeunload"]


def test_a_refusal_stands_on_the_field_with_what_was_typed(
    visit: Visit, admin: Any, position: Position, shoot: Any
) -> None:
    page = visit(f"/admin/org/position/{position.pk}/change/", user=admin)
    page.locator("#id_title").fill("no")
    page.locator("#id_code").fill("TYPED")
    page.locator("[name=_save]").first.click()
    expect(page.get_by_text("“no” is no title.")).to_be_visible()
    expect(page.get_by_text("The unit is closed.")).to_be_visible()
    expect(page.locator("#id_code")).to_have_value("TYPED")
    shoot(page, "refused")


def test_a_warning_is_confirmed_with_a_button(visit: Visit, admin: Any, position: Position, shoot: Any) -> None:
    page = visit(f"/admin/org/position/{position.pk}/change/", user=admin)
    page.locator("#id_title").fill("warn")
    page.locator("[name=_save]").first.click()
    expect(page.locator("#warnings-to-confirm")).to_contain_text("4,00 hours over the pool")
    shoot(page, "confirm")
    page.locator("[name=_confirmed]").click()
    expect(page).to_have_url(re.compile("/admin/org/position/$"))
    position.refresh_from_db()
    assert position.title == "warn"


def test_the_second_of_two_editors_sees_what_the_first_did(
    visit: Visit, admin: Any, position: Position, shoot: Any
) -> None:
    page = visit(f"/admin/org/position/{position.pk}/change/", user=admin)
    first = UserFactory(role="ADMIN", given_name="Bruno", family_name="Díaz")
    position.title, position.required_weekly_hours = "Enfermera jefa", 48
    save_positions(positions=[position], actor=first)
    page.locator("#id_title").fill("Enfermera de noche")
    page.locator("[name=_save]").first.click()
    expect(page.locator("#conflict")).to_contain_text("Enfermera jefa")
    expect(page.get_by_text("Bruno Díaz").first).to_be_visible()
    expect(page.locator("#id_title")).to_have_value("Enfermera de noche")
    expect(page.locator("#id_required_weekly_hours")).to_have_value(re.compile("^48"))
    shoot(page, "conflict")
    page.locator("[name=_save]").first.click()
    expect(page).to_have_url(re.compile("/admin/org/position/$"))
    position.refresh_from_db()
    assert (position.title, position.required_weekly_hours) == ("Enfermera de noche", 48)


def test_the_history_names_person_and_change(visit: Visit, admin: Any, position: Position, shoot: Any) -> None:
    position.title = "Enfermera jefa"
    save_positions(positions=[position], actor=admin, reason="New organisation chart")
    page = visit(f"/admin/org/position/{position.pk}/history/", user=admin)
    first = page.locator("#history > li").first
    expect(first).to_contain_text("Ana Pérez")
    expect(first).to_contain_text("New organisation chart")
    expect(first).to_contain_text("Enfermera de guardia")
    shoot(page, "history")
    first.get_by_role("link").click()
    expect(page.locator(".coveris-table")).to_contain_text("Enfermera jefa")


def test_a_record_is_deleted_after_asking_and_one_in_use_says_so(
    visit: Visit, admin: Any, position: Position, shoot: Any
) -> None:
    alone = OrgUnitFactory(code="ALONE", name="Alone")
    page = visit(f"/admin/org/orgunit/{position.org_unit_id}/delete/", user=admin)
    expect(page.locator("#cannot-delete")).to_contain_text(re.compile(": 1"))
    expect(page.locator("#content form")).to_have_count(0)
    shoot(page, "delete-protected")
    page.goto(f"/admin/org/orgunit/{alone.pk}/delete/")
    settle(page)
    shoot(page, "delete")
    page.locator("#content form [type=submit]").click()
    expect(page).to_have_url(re.compile("/admin/org/orgunit/$"))
    assert not OrgUnit.objects.filter(code="ALONE").exists()


def test_an_empty_list_says_what_to_do_next(visit: Visit, admin: Any, position: Position, shoot: Any) -> None:
    page = visit("/admin/org/employee/", user=admin)
    expect(page.locator(".coveris-empty a")).to_have_attribute("href", re.compile("/add/"))
    shoot(page, "empty")
    page.goto("/admin/org/position/?q=zzzz")
    expect(page.locator(".coveris-empty a")).to_have_attribute("href", "?")
    shoot(page, "nothing-matches")


def test_what_is_missing_or_forbidden_has_a_page_of_its_own(
    visit: Visit, admin: Any, position: Position, complaints: Complaints, shoot: Any
) -> None:
    complaints.allow("status of 40[34]")
    page = visit("/admin/org/position/999999/change/", user=admin)
    expect(page.locator("h1")).to_be_visible()
    shoot(page, "404")
    LeaveFactory(employee=EmployeeFactory(home_unit=position.org_unit), starts_on=date(2026, 12, 10))
    page.goto("/admin/fsm/employeetransitionlog/add/")
    expect(page.locator(".code")).to_have_text("403")
    shoot(page, "403")


def test_the_browser_tests_notice_a_forbidden_script(visit: Visit, admin: Any, complaints: Complaints) -> None:
    """The canary of this folder: a script the policy refuses must be complained about."""
    page = visit("/admin/org/orgunit/", user=admin)
    page.evaluate("() => { const s = document.createElement('script'); s.textContent = '1'; document.head.append(s) }")
    page.wait_for_timeout(200)
    assert any("Content Security Policy" in text for text in complaints.left)
    complaints.allow("Content Security Policy")


def test_the_browser_tests_notice_an_expression_the_theme_cannot_read(
    visit: Visit, admin: Any, complaints: Complaints
) -> None:
    page = visit("/admin/org/orgunit/", user=admin)
    page.evaluate(
        "() => { const e = document.createElement('i'); e.setAttribute('x-text', '`${1}`'); document.body.append(e) }"
    )
    page.wait_for_timeout(200)
    assert complaints.left
    complaints.allow("CSP Parser Error|Alpine")
