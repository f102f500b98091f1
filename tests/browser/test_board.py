"""The board and the heatmap, as a tired manager looks at them: wide and narrow, light and dark, in both languages."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.changes.drain import drain
from apps.users.groups import sync_groups
from tests.conftest import TODAY
from tests.factories import (
    AssignmentFactory,
    Clinic,
    EmployeeFactory,
    LeaveFactory,
    OrgUnitFactory,
    PositionFactory,
    PositionTagFactory,
    TagFactory,
)

from .conftest import Look, everyday

PAGE = "/admin/demand/unitcoverage/"
LOOKS = everyday([Look(), Look(scheme="dark", language="en"), Look(390, 844), Look(390, 844, "dark", "en")])
PLACES = (
    ("URG-NOC", "Enfermería de guardia, turno noche", 36, 36, None),
    ("URG-DIA", "Enfermería de guardia, turno día", 48, 30, "VACATION"),
    ("URG-TRI", "Triage", 24, 36, None),
    ("URG-RX", "Técnico radiólogo", 30, 0, None),
    ("URG-SHK", "Médico de shock room", 24, 24, "SICK"),
)


@pytest.fixture(params=LOOKS, ids=lambda look: look.name)
def look(request: Any) -> Look:
    return request.param


@pytest.fixture
def busy(transactional_db: Any, clinic: Clinic) -> Clinic:
    """Urgencias with a position in each state, and a surplus beside a gap; leaves to come; two wards below."""
    sync_groups()
    clinic.ward = OrgUnitFactory(code="H1-OBS", name="Observación", kind="UNIT", parent=clinic.h1)
    OrgUnitFactory(code="H3", name="Terapia intensiva pediátrica y neonatal", kind="DEPARTMENT", parent=clinic.root)
    tag = TagFactory(name="Reanimación cardiopulmonar avanzada", code="RCP")
    for number, (code, title, required, given, away) in enumerate(PLACES):
        position = PositionFactory(code=code, title=title, org_unit=clinic.h1, required_weekly_hours=required)
        if given:
            person = EmployeeFactory(
                employee_number=f"B{number}", given_name="Marta", family_name=f"Funes {number}",
                home_unit=clinic.h1, active=True,
            )  # fmt: skip
            AssignmentFactory(
                employee=person, position=position, effective_hours=given, accepted=True,
                is_reinforcement=given > required,
            )  # fmt: skip
            if away:
                LeaveFactory(
                    employee=person, kind=away, starts_on=TODAY + timedelta(days=9 * number),
                    ends_on=TODAY + timedelta(days=9 * number + 24),
                )  # fmt: skip
        if number == 4:
            PositionTagFactory(position=position, tag=tag)
    extra = EmployeeFactory(employee_number="B9", home_unit=clinic.ward, active=True)
    watched = PositionFactory(
        code="OBS-1", title="Observación, 12 h", org_unit=clinic.ward, required_weekly_hours=36,
        opens_on=date(2026, 12, 16),
    )  # fmt: skip
    AssignmentFactory(employee=extra, position=watched, effective_hours=36, accepted=True)
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=20)
    drain()
    return clinic


def fits(page: Page, look: Look) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= look.width


def opened(*units: Any) -> str:
    return "open=" + ",".join(str(unit.pk) for unit in units)


def test_the_board_fits_every_look(busy: Clinic, visit: Any, shoot: Any, look: Look) -> None:
    page = visit(f"{PAGE}?{opened(busy.root, busy.h1, busy.ward)}", user=busy.admin, look=look)
    expect(page.locator("tr[id^=position]")).to_have_count(7)
    fits(page, look)
    shoot(page, "board", full=True)


def test_the_heatmap_fits_every_look(busy: Clinic, visit: Any, shoot: Any, look: Look) -> None:
    page = visit(f"{PAGE}?view=weeks&{opened(busy.root, busy.h1, busy.ward)}", user=busy.admin, look=look)
    expect(page.locator("td.coveris-heat")).to_have_count(13 * 12)
    fits(page, look)
    shoot(page, "heatmap", full=True)


def test_the_pack_fits_every_look(busy: Clinic, visit: Any, shoot: Any, look: Look) -> None:
    page = visit("/admin/", user=busy.admin, look=look)
    page.goto(f"{PAGE}print/?{opened(busy.root, busy.h1)}")
    fits(page, look)
    shoot(page, "board-pack", full=True)


def test_the_second_target_stands_apart_in_every_look(busy: Clinic, visit: Any, shoot: Any, look: Look) -> None:
    type(busy.root).objects.filter(pk=busy.root.pk).update(headroom="17.5")
    drain()
    page = visit(f"{PAGE}?{opened(busy.root, busy.h1, busy.ward)}", user=busy.admin, look=look)
    expect(page.locator("#board td.coveris-second")).to_have_count(12)
    fits(page, look)
    shoot(page, "board-headroom", full=True)
    page.goto(f"/admin/org/orgunit/{busy.h1.pk}/change/")
    expect(page.locator(".coveris-tile-second")).to_be_visible()
    fits(page, look)
    shoot(page, "unit-headroom", full=True)
    page.goto(f"{PAGE}print/?{opened(busy.root, busy.h1)}")
    expect(page.locator(".page > .second")).to_have_count(3)
    shoot(page, "board-pack-headroom", full=True)


def test_the_pack_prints_a_unit_a_page(busy: Clinic, visit: Any, tmp_path: Any) -> None:
    page = visit("/admin/", user=busy.admin)
    page.goto(f"{PAGE}print/?{opened(busy.root, busy.h1)}")
    printed = page.pdf(path=tmp_path / "pack.pdf", prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == page.locator("section.page").count() == 5
    assert page.evaluate("getComputedStyle(document.querySelector('.page')).breakAfter") == "auto"
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.querySelector('.page')).breakAfter") == "page"
    expect(page.locator(".tools")).to_be_hidden()


def test_the_tree_answers_to_the_keys(busy: Clinic, visit: Any) -> None:
    page = visit(PAGE, user=busy.admin, look=Look(language="en"))
    page.get_by_role("button", name="Close Hospital").focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("button", name="Open Urgencias")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("button", name="Close Urgencias")).to_be_focused()
    expect(page).to_have_url(re.compile(rf"open={busy.root.pk}%2C{busy.h1.pk}"))
    expect(page.get_by_role("link", name="Triage")).to_be_visible()
    export = page.get_by_role("link", name="Export as CSV").get_attribute("href")
    assert export is not None and f"open={busy.root.pk}%2C{busy.h1.pk}" in export
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("button", name="Open Observación")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("button", name="Close Urgencias")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("button", name="Open Urgencias")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Close Urgencias")).to_be_focused()
    page.keyboard.press("End")
    expect(page.get_by_role("link", name="Terapia intensiva pediátrica y neonatal", exact=True)).to_be_focused()
    page.go_back()
    expect(page.get_by_role("button", name="Open Urgencias")).to_be_visible()


def test_the_board_works_without_scripts(busy: Clinic, visit: Any, chromium: Any) -> None:
    page = visit(PAGE, user=busy.admin, look=Look(language="en"))
    state = page.context.storage_state()
    plain = chromium.new_context(
        java_script_enabled=False, storage_state=state, base_url=page.url.partition("/admin")[0]
    )
    try:
        tab = plain.new_page()
        tab.goto(PAGE)
        # The theme lays its sidebar over the page where no script runs; the keyboard reaches what is below it.
        tab.locator(f"#unit-{busy.h1.pk} a[aria-expanded]").press("Enter")
        assert tab.locator(f"#unit-{busy.h1.pk} a[aria-expanded=true]").count() == 1
        assert tab.locator("tr[id^=position]").count() == 6
    finally:
        plain.close()


def test_a_cell_of_the_heatmap_leads_to_that_week(busy: Clinic, visit: Any) -> None:
    page = visit(f"{PAGE}?view=weeks&unit=H1", user=busy.manager, look=Look(language="en"))
    page.locator(f"#unit-{busy.h1.pk} td").nth(2).get_by_role("link").click()
    expect(page).to_have_url(re.compile("week=2026-W52&unit=H1"))
    page.goto(f"{PAGE}?view=weeks&unit=H1")
    page.locator("tr", has_text="URG-DIA").locator("td").nth(3).get_by_role("link").click()
    expect(page).to_have_url(re.compile(r"/coverage/#2026-W53"))
    expect(page.locator("[id='2026-W53']")).to_be_in_viewport()


def test_what_is_not_there_is_said_kindly(busy: Clinic, visit: Any, shoot: Any) -> None:
    page = visit(f"{PAGE}?week=2020-W10", user=busy.admin, look=Look())
    shoot(page, "board-no-figures")
    page.goto(f"{PAGE}?tag=RCP&state=VACANT")
    shoot(page, "board-nothing")
    page.goto(f"{PAGE}?kind=UNIT")
    shoot(page, "board-flat")
