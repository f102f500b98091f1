"""Writing a condition: completion by keyboard, an error at its place, rows and back."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.changes.drain import drain
from apps.users.groups import sync_groups
from tests.browser.conftest import NARROW, WIDE, Look, everyday, settle
from tests.factories import AssignmentFactory, Clinic, EmployeeTagFactory, TagFactory

LOOKS = everyday([Look(*size, scheme, "es") for size in (WIDE, NARROW) for scheme in ("light", "dark")])


@pytest.fixture
def busy(clinic: Clinic) -> Clinic:
    sync_groups()
    tag = TagFactory(code="ENF", name="Enfermería profesional")
    EmployeeTagFactory(employee=clinic.nurse, tag=tag)
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=40, accepted=True)
    drain()
    return clinic


def opened(page: Page) -> Any:
    page.get_by_text("Buscar por condición").click()
    area = page.get_by_role("combobox", name="Condición")
    expect(area).to_be_visible()
    return area


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_a_condition_is_written_with_the_keyboard_alone(
    visit: Callable[..., Page], busy: Clinic, shoot: Callable[..., Any], look: Look
) -> None:
    page = visit("/admin/org/employee/", user=busy.manager, look=look)
    area = opened(page)
    area.press_sequentially("sal")
    options = page.get_by_role("option")
    expect(options.first).to_contain_text("balance")
    shoot(page, "condition-words")
    area.press("ArrowDown")
    expect(area).to_have_attribute("aria-activedescendant", "id_where_list_0")
    area.press("Enter")
    expect(area).to_have_value("balance ")
    expect(options.first).to_contain_text("=")
    area.press_sequentially("< 0 and has")
    expect(page.get_by_role("option", name="has_tag")).to_be_visible()
    area.press("ArrowDown")
    area.press("Enter")
    expect(page.get_by_role("option", name="ENF")).to_be_visible()
    area.press("Escape")
    expect(page.get_by_role("listbox")).to_be_hidden()
    area.press("Control+ ")
    area.press_sequentially("ENF")
    expect(page.get_by_role("option", name="ENF")).to_be_visible()
    area.press("ArrowDown")
    area.press("Enter")
    expect(area).to_have_value('balance < 0 and has_tag("ENF") ')
    expect(page.get_by_text("Significa: saldo < 0,00 y tiene la etiqueta “ENF”")).to_be_visible()
    area.press("Escape")
    area.press("Enter")
    page.wait_for_url("**where=**")
    settle(page)
    expect(page.locator("#result_list")).to_contain_text("Gómez")
    expect(page.locator("#result_list")).not_to_contain_text("Luna")
    shoot(page, "condition-found")


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_an_error_is_shown_at_its_place_and_mended_by_what_was_meant(
    visit: Callable[..., Page], busy: Clinic, shoot: Callable[..., Any], look: Look
) -> None:
    page = visit("/admin/org/employee/?where=balanc+%3C+0", user=busy.manager, look=look)
    area = page.get_by_role("combobox", name="Condición")
    expect(page.get_by_role("alert")).to_contain_text("Aquí no existe la palabra «balanc»")
    expect(area).to_have_value("balanc < 0")
    expect(page.locator("mark")).to_have_text("balanc")
    shoot(page, "condition-error")
    area.press("End")
    area.press_sequentially("0")
    button = page.get_by_role("button", name="balance", exact=True)
    expect(button).to_be_visible()
    button.click()
    expect(area).to_have_value("balance < 00")
    expect(area).not_to_have_attribute("aria-invalid", "true")


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_rows_say_the_same_as_the_text_and_the_other_way_round(
    visit: Callable[..., Page], busy: Clinic, shoot: Callable[..., Any], look: Look
) -> None:
    page = visit("/admin/org/employee/", user=busy.manager, look=look)
    area = opened(page)
    area.fill('status = "ACTIVE" and has_tag("ENF") and balance < 0')
    area.press("Escape")
    page.get_by_role("button", name="Filas").click()
    rows = page.locator(".coveris-condition-row")
    expect(rows).to_have_count(3)
    expect(rows.nth(0).get_by_label("Valor")).to_have_value("ACTIVE")
    expect(rows.nth(1).get_by_label("código de una etiqueta")).to_have_value("ENF")
    page.get_by_role("button", name="Agregar una condición").click()
    rows.nth(3).get_by_label("Palabra").select_option("hired_on")
    rows.nth(3).get_by_label("Comparación").select_option("<=")
    rows.nth(3).get_by_label("Valor").fill("today - 30 days")
    rows.nth(2).get_by_label("Valor").fill("10")
    expect(page.get_by_text("Significa:")).to_contain_text("hoy − 30 días")
    shoot(page, "condition-rows")
    page.get_by_role("button", name="Texto", exact=True).click()
    expect(area).to_have_value('status = "ACTIVE" and has_tag("ENF") and balance < 10 and hired_on <= today - 30 days')
    area.fill("balance < 0 or on_leave")
    page.get_by_role("button", name="Filas").click()
    expect(page.get_by_text("queda como texto")).to_be_visible()
    expect(area).to_be_visible()
    shoot(page, "condition-stays-text")


def test_the_tree_of_units_is_searched_the_same_way(
    visit: Callable[..., Page], busy: Clinic, shoot: Callable[..., Any]
) -> None:
    page = visit("/admin/org/orgunit/", user=busy.admin)
    area = opened(page)
    area.fill("surplus_hours > 0 and depth = 2")
    area.press("Escape")
    page.locator(".coveris-where").get_by_role("button", name="Buscar").click()
    page.wait_for_url("**where=**")
    settle(page)
    expect(page.locator("#unit-tree")).to_contain_text("Urgencias")
    expect(page.locator("#unit-tree")).not_to_contain_text("Quirófano")
    shoot(page, "condition-units")


def test_what_is_written_is_not_overwritten_by_an_answer_that_comes_late(
    visit: Callable[..., Page], busy: Clinic
) -> None:
    page = visit("/admin/org/employee/", user=busy.manager, look=Look())

    def late(route: Any) -> None:
        page.wait_for_timeout(700)
        route.continue_()

    area = opened(page)
    area.fill("balance < 0")
    area.press("Escape")
    page.get_by_role("button", name="Filas").click()
    row = page.locator(".coveris-condition-row").first
    expect(row.get_by_label("Valor")).to_have_value("0")
    page.route(re.compile("ask=rows"), late)
    row.get_by_label("Valor").fill("10")
    # At once: before the rows were read, and before the answer about them is there.
    page.get_by_role("button", name="Texto", exact=True).click()
    expect(area).to_be_visible()
    assert area.input_value() == "balance < 10"
    area.fill("on_leave")
    page.wait_for_timeout(1_500)
    expect(area).to_have_value("on_leave")
