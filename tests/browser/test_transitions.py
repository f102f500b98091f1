"""Every transition, from its button, in a browser."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.fsm.models import EmployeeTransitionLog
from apps.users.groups import sync_groups
from tests.factories import AssignmentFactory, Clinic, EmployeeFactory
from tests.fsm.test_buttons import FILLED, MACHINES, subject_in
from tests.screens.people import page as address

from .conftest import Look, settle

TODAY = date(2026, 12, 9)
ENGLISH = Look(language="en")
CASES = [
    (label, move, state)
    for label, model in MACHINES.items()
    for move in model.machine.moves
    if not move.system
    for state in move.sources
]


@pytest.fixture(autouse=True)
def rights(transactional_db: Any) -> None:
    sync_groups()


def change_page(subject: Any) -> str:
    return address(subject._meta.label_lower, "change", subject.pk)


def open_dialog(page: Page, move: str) -> Any:
    page.locator(f'[data-transition="{move}"]').click()
    dialog = page.locator("dialog.coveris-dialog")
    expect(dialog).to_be_visible()
    return dialog


def fill(dialog: Any, move: Any) -> None:
    for need in move.needs:
        field = dialog.locator(f'[name="{need.name}"]')
        value = {"reason": "because", **FILLED.get(move.name, {})}.get(need.name)
        if value is None:
            continue
        if need.kind == "choice":
            field.select_option(value)
        else:
            field.fill(value)


@pytest.mark.parametrize(
    ("label", "move", "state"), CASES, ids=[f"{label}-{move.name}-{state}" for label, move, state in CASES]
)
def test_a_transition_works_from_its_button(visit: Any, clinic: Clinic, label: str, move: Any, state: str) -> None:
    where = {"position": clinic.p1} if label == "assignments.assignment" else {"home_unit": clinic.h1}
    subject = subject_in(label, state, move.name, **where)
    page = visit(change_page(subject), user=clinic.manager, look=ENGLISH)
    dialog = open_dialog(page, move.name)
    fill(dialog, move)
    dialog.locator("button[type=submit]").click()
    expect(page.get_by_text("done.")).to_be_visible()
    subject.refresh_from_db()
    assert subject.status == move.target
    log = subject.transition_logs.order_by("-id")[0]
    assert (log.transition, log.from_status, log.actor) == (move.name, state, clinic.manager)
    if any(need.name == "reason" for need in move.needs):
        assert log.reason == "because"
    # The page now offers what is possible from the new state.
    offered = page.locator("[data-transition]").evaluate_all("nodes => nodes.map((n) => n.dataset.transition)")
    assert set(offered) == {m.name for m in subject.machine.moves_from(subject.status) if not m.system}


def test_a_refusal_stays_in_the_dialog_with_what_was_typed(visit: Any, clinic: Clinic) -> None:
    page = visit(change_page(clinic.nurse), user=clinic.manager, look=ENGLISH)
    dialog = open_dialog(page, "terminate")
    late = (TODAY + timedelta(days=9)).isoformat()
    dialog.locator("[name=last_day]").fill(late)
    dialog.locator("[name=reason]").fill("end of the agreement")
    dialog.locator("button[type=submit]").click()
    expect(dialog.locator("[role=alert]")).to_contain_text("cannot be in the future")
    expect(dialog.locator("[name=last_day]")).to_have_value(late)
    expect(dialog.locator("[name=last_day]")).to_be_focused()
    expect(dialog.locator("[name=reason]")).to_have_value("end of the agreement")
    # Corrected on the spot, it goes through.
    dialog.locator("[name=last_day]").fill(TODAY.isoformat())
    dialog.locator("button[type=submit]").click()
    expect(page.get_by_text("done.")).to_be_visible()
    clinic.nurse.refresh_from_db()
    assert clinic.nurse.status == "TERMINATED"


def test_the_dialog_is_used_by_keyboard_alone(visit: Any, clinic: Clinic) -> None:
    page = visit(change_page(clinic.nurse), user=clinic.manager, look=ENGLISH)
    button = page.locator('[data-transition="suspend"]')
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("dialog.coveris-dialog")
    expect(dialog.locator("[name=reason]")).to_be_focused()
    # Focus stays inside, Esc closes and gives it back.
    for _press in range(6):
        page.keyboard.press("Tab")
        inside = page.evaluate(
            "() => document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )
        assert inside
    page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    expect(button).to_be_focused()
    clinic.nurse.refresh_from_db()
    assert clinic.nurse.status == "ACTIVE"
    page.keyboard.press("Enter")
    expect(dialog.locator("[name=reason]")).to_be_focused()
    page.keyboard.type("the board decided")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("done.")).to_be_visible()
    clinic.nurse.refresh_from_db()
    assert clinic.nurse.status == "SUSPENDED"
    assert EmployeeTransitionLog.objects.order_by("-id")[0].reason == "the board decided"


def test_what_was_typed_in_the_form_does_not_ride_along(visit: Any, clinic: Clinic) -> None:
    page = visit(change_page(clinic.nurse), user=clinic.manager, look=ENGLISH)
    page.locator("#id_family_name").fill("Typed and left")
    page.on("dialog", lambda question: question.accept())
    dialog = open_dialog(page, "suspend")
    dialog.locator("[name=reason]").fill("because")
    dialog.locator("button[type=submit]").click()
    expect(page.get_by_text("done.")).to_be_visible()
    clinic.nurse.refresh_from_db()
    assert (clinic.nurse.status, clinic.nurse.family_name) == ("SUSPENDED", "Gómez")


def test_without_scripts_the_dialog_is_a_page(chromium: Any, server: str, clinic: Clinic) -> None:
    from .conftest import ADDRESSES, login

    context = chromium.new_context(base_url=server, java_script_enabled=False, locale="en-GB")
    try:
        ADDRESSES[context] = server
        page = context.new_page()
        login(page, clinic.manager)
        page.goto(change_page(clinic.nurse))
        href = page.locator('[data-transition="suspend"]').get_attribute("href")
        page.goto(href)
        page.locator("[name=reason]").fill("because")
        page.locator(".coveris-dialog-page button[type=submit]").click()
        page.wait_for_url("**" + change_page(clinic.nurse))
    finally:
        context.close()
    clinic.nurse.refresh_from_db()
    assert clinic.nurse.status == "SUSPENDED"


def test_many_are_moved_from_the_list_and_each_row_says_what_became_of_it(
    visit: Any, clinic: Clinic, shoot: Any
) -> None:
    other = EmployeeFactory(home_unit=clinic.h1, active=True, family_name="Zapata")
    page = visit(address("org.employee"), user=clinic.manager, look=ENGLISH)
    page.locator("#action-toggle, thead input[type=checkbox]").first.check()
    page.locator("select[name=action]").select_option("transition_suspend")
    page.get_by_role("button", name="Run").click()
    settle(page)
    expect(page.get_by_text("Selected: 3")).to_be_visible()
    page.locator("[name=reason]").fill("strike")
    page.locator(".coveris-dialog-page button[type=submit]").click()
    settle(page)
    expect(page.locator("#bulk-summary")).to_contain_text("2 done")
    expect(page.locator("#bulk-summary")).to_contain_text("1 refused")
    expect(page.locator("#bulk-results tr.refused")).to_contain_text("Luna")
    shoot(page, "bulk-results")
    for employee in (clinic.nurse, other):
        employee.refresh_from_db()
        assert employee.status == "SUSPENDED"
    page.get_by_role("link", name="Back to the list").click()
    settle(page)
    expect(page.locator("#result_list")).to_be_visible()


def test_a_warning_is_confirmed_in_the_dialog(visit: Any, clinic: Clinic, shoot: Any) -> None:
    from tests.rules.catalogue import install_rules

    install_rules()
    proposal = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours="40")
    page = visit(change_page(proposal), user=clinic.manager, look=ENGLISH)
    dialog = open_dialog(page, "accept")
    dialog.locator("[name=reason]").fill("short of hands")
    dialog.locator("button[type=submit]").click()
    expect(dialog.locator("[role=alert]")).to_contain_text("look at this first")
    shoot(page, "accept-warning")
    # What it would do has come: the button stays where it is, as for whoever reads before confirming.
    expect(dialog.locator(".coveris-impact-headline")).to_be_visible(timeout=20_000)
    settle(page)
    dialog.locator("button[name=_confirmed]").click()
    expect(page.get_by_text("done.")).to_be_visible(timeout=20_000)
    proposal.refresh_from_db()
    assert proposal.status == "ACTIVE"


def test_somebody_else_was_faster(visit: Any, clinic: Clinic, complaints: Any) -> None:
    from apps.fsm.services import apply_transition

    complaints.allow(r"status of 409")
    page = visit(change_page(clinic.nurse), user=clinic.manager, look=ENGLISH)
    dialog = open_dialog(page, "suspend")
    dialog.locator("[name=reason]").fill("because")
    apply_transition(clinic.nurse, "suspend", actor=clinic.admin, reason="first")
    dialog.locator("button[type=submit]").click()
    expect(dialog.locator("[role=alert]")).to_contain_text("not possible from there")
    dialog.get_by_role("link", name="Back").click()
    settle(page)
    expect(page.locator('[data-transition="reinstate"]')).to_be_visible()
    assert EmployeeTransitionLog.objects.filter(transition="suspend").count() == 1
