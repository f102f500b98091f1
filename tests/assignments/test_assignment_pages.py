"""Proposing, changing and looking at assignments."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from apps.assignments.models import Assignment, AssignmentTransitionLog
from apps.changes.drain import drain
from apps.fsm.services import apply_transition
from tests.factories import AssignmentFactory, Clinic, EmployeeFactory, PositionFactory, PositionTagFactory, TagFactory
from tests.rules.catalogue import install_rules
from tests.screens.people import TODAY, cost, page, signed_in

INSIDE = {"HTTP_X_COVERIS_DIALOG": "1"}
TABS = ("change", "log", "history")


@pytest.fixture
def rules(db: Any) -> Any:
    return install_rules()


def data(employee: Any, position: Any, hours: str = "36", **changed: Any) -> dict[str, Any]:
    return {"employee": employee.pk, "position": position.pk, "effective_hours": hours,
            "starts_on": TODAY.isoformat(), "ends_on": "", "expires_on": "", **changed}  # fmt: skip


def digest(text: str) -> str:
    return re.search(r'name="_confirmed" value="([0-9a-f]+)"', text)[1]  # type: ignore[index]


def test_a_supervisor_proposes(clinic: Clinic, rules: Any) -> None:
    response = signed_in(clinic.supervisor).post(
        page("assignments.assignment", "add"), data(clinic.nurse, clinic.p1, status="ACTIVE")
    )
    assert response.status_code == 302, response.content.decode()
    made = Assignment.objects.get()
    assert (made.status, made.created_by, made.effective_hours) == ("PROPOSED", clinic.supervisor, Decimal("36"))


def test_a_viewer_proposes_nothing(clinic: Clinic) -> None:
    client = signed_in(clinic.viewer)
    assert client.get(page("assignments.assignment", "add")).status_code == 403
    assert client.post(page("assignments.assignment", "add"), data(clinic.nurse, clinic.p1)).status_code == 403
    assert not Assignment.objects.exists()


def test_neither_end_can_be_forged_out_of_scope(clinic: Clinic) -> None:
    client = signed_in(clinic.manager)
    for employee, position in ((clinic.surgeon, clinic.p1), (clinic.nurse, clinic.p2)):
        assert client.post(page("assignments.assignment", "add"), data(employee, position)).status_code == 200
    assert not Assignment.objects.exists()


def test_a_blocking_rule_refuses_in_words_and_keeps_the_form(clinic: Clinic, rules: Any) -> None:
    PositionTagFactory(position=clinic.p1, tag=TagFactory(name="Triage course"))
    response = signed_in(clinic.manager).post(
        page("assignments.assignment", "add"), data(clinic.nurse, clinic.p1, hours="12.50")
    )
    text = response.content.decode()
    assert response.status_code == 200
    assert "Triage course" in text
    assert "12.50" in text
    assert not Assignment.objects.exists()


def test_a_warning_is_confirmed_and_then_recorded(clinic: Clinic, rules: Any) -> None:
    client = signed_in(clinic.manager)
    url = page("assignments.assignment", "add")
    asked = client.post(url, data(clinic.nurse, clinic.p1, hours="40"))
    assert asked.status_code == 200
    assert not Assignment.objects.exists()
    wrong = client.post(url, data(clinic.nurse, clinic.p1, hours="40", _confirmed="0" * 64))
    assert wrong.status_code == 200
    sure = client.post(url, data(clinic.nurse, clinic.p1, hours="40", _confirmed=digest(asked.content.decode())))
    assert sure.status_code == 302
    assert Assignment.objects.get().effective_hours == Decimal("40")


def test_the_dialog_of_accepting_asks_for_confirmation_and_the_log_keeps_it(clinic: Clinic, rules: Any) -> None:
    proposal = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=Decimal("40"))
    client = signed_in(clinic.manager)
    url = page("assignments.assignment", "transition", proposal.pk, "accept")
    asked = client.post(url, {"reason": "short of hands"}, **INSIDE)
    text = asked.content.decode()
    assert asked.status_code == 200
    assert "short of hands" in text
    proposal.refresh_from_db()
    assert proposal.status == "PROPOSED"
    # Confirming other warnings than those shown does nothing.
    assert client.post(url, {"reason": "x", "_confirmed": "0" * 64}, **INSIDE).status_code == 200
    proposal.refresh_from_db()
    assert proposal.status == "PROPOSED"
    assert client.post(url, {"reason": "short of hands", "_confirmed": digest(text)}, **INSIDE).status_code == 204
    proposal.refresh_from_db()
    assert proposal.status == "ACTIVE"
    tab = client.get(page("assignments.assignment", "log", proposal.pk)).content.decode()
    assert "HOURS_OVER_POOL" in tab
    assert "confirmed" in tab


def test_a_rule_refuses_one_row_of_many_and_lets_the_others_through(clinic: Clinic, rules: Any) -> None:
    good = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=Decimal("30"))
    other = EmployeeFactory(home_unit=clinic.h1, active=True, active__hours="90")
    bad = AssignmentFactory(employee=other, position=clinic.p1, effective_hours=Decimal("70"))
    response = signed_in(clinic.manager).post(
        page("assignments.assignment", "transitions", "accept"), {"selection": f"{good.pk},{bad.pk}", "reason": ""}
    )
    results = {result.obj.pk: (result.done, bool(result.sentences)) for result in response.context["results"]}
    assert results == {good.pk: (True, False), bad.pk: (False, True)}


def test_many_with_warnings_are_confirmed_together(clinic: Clinic, rules: Any) -> None:
    rows = [
        AssignmentFactory(
            employee=EmployeeFactory(home_unit=clinic.h1, active=True),
            position=clinic.p1,
            effective_hours=Decimal("40"),
        )
        for _number in range(2)
    ]
    client = signed_in(clinic.manager)
    url = page("assignments.assignment", "transitions", "accept")
    posted = {"selection": ",".join(str(row.pk) for row in rows), "reason": ""}
    asked = client.post(url, posted)
    assert asked.status_code == 200
    assert set(Assignment.objects.values_list("status", flat=True)) == {"PROPOSED"}
    sure = client.post(url, {**posted, "_confirmed": digest(asked.content.decode())})
    assert [result.done for result in sure.context["results"]] == [True, True]
    assert set(Assignment.objects.values_list("status", flat=True)) == {"ACTIVE"}


def test_a_live_one_is_changed_and_a_closed_one_is_not(clinic: Clinic) -> None:
    work = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, accepted=True)
    client = signed_in(clinic.manager)
    url = page("assignments.assignment", "change", work.pk)
    end = TODAY + timedelta(days=30)
    response = client.post(url, data(clinic.newcomer, clinic.p2, hours="20", ends_on=end.isoformat()))
    assert response.status_code == 302, response.content.decode()
    work.refresh_from_db()
    assert (work.employee, work.position) == (clinic.nurse, clinic.p1)
    assert (work.effective_hours, work.ends_on) == (Decimal("20"), end)
    apply_transition(work, "close", actor=None, reason="over", ends_on=TODAY)
    assert client.get(url).status_code == 200
    assert client.post(url, data(clinic.nurse, clinic.p1, hours="10")).status_code == 403
    work.refresh_from_db()
    assert work.effective_hours == Decimal("20")


def test_a_supervisor_changes_nothing(clinic: Clinic) -> None:
    own = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, created_by=clinic.supervisor)
    client = signed_in(clinic.supervisor)
    url = page("assignments.assignment", "change", own.pk)
    assert client.get(url).status_code == 200
    assert client.post(url, data(clinic.nurse, clinic.p1, hours="1")).status_code == 403


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_opens_in_scope_alone(clinic: Clinic, tab: str) -> None:
    mine = AssignmentFactory(employee=clinic.nurse, position=clinic.p1)
    foreign = AssignmentFactory(employee=clinic.surgeon, position=clinic.p2)
    client = signed_in(clinic.viewer)
    assert client.get(page("assignments.assignment", tab, mine.pk)).status_code == 200
    assert client.get(page("assignments.assignment", tab, foreign.pk)).status_code == 404


@pytest.mark.parametrize(
    "model", ["assignments.assignment", "assignments.assignmenttransitionlog", "offer.ledgerweek",
              "fsm.employeetransitionlog", "fsm.employeestatusperiod"],
)  # fmt: skip
def test_the_lists_cost_the_same_with_two_rows_and_with_twenty(clinic: Clinic, model: str) -> None:
    def fill(number: int) -> None:
        for _number in range(number):
            AssignmentFactory(
                employee=EmployeeFactory(home_unit=clinic.h1, active=True),
                position=PositionFactory(org_unit=clinic.h1),
                accepted=True,
            )
        drain()

    client = signed_in(clinic.manager)
    fill(2)
    cost(client, page(model))
    few = cost(client, page(model))
    fill(18)
    assert cost(client, page(model)) == few


def test_search_finds_by_either_end(clinic: Clinic) -> None:
    one = AssignmentFactory(employee=clinic.nurse, position=clinic.p1)
    two = AssignmentFactory(employee=clinic.surgeon, position=clinic.p2)
    client = signed_in(clinic.admin)

    def found(term: str) -> set[int]:
        rows = client.get(page("assignments.assignment"), {"q": term}).context["cl"].result_list
        return {row.pk for row in rows}

    assert found("gómez") == {one.pk}
    assert found("instrumentación") == {two.pk}
    assert found("gómez guardia") == {one.pk}
    assert found("gómez instrumentación") == set()


def test_the_logs_are_read_only_even_for_the_administrator(clinic: Clinic) -> None:
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, accepted=True)
    log = AssignmentTransitionLog.objects.get()
    client = signed_in(clinic.admin)
    for model, row in (
        ("assignments.assignmenttransitionlog", log),
        ("fsm.employeetransitionlog", clinic.nurse.transition_logs.all()[0]),
        ("fsm.employeestatusperiod", clinic.nurse.status_periods.all()[0]),
    ):
        assert client.get(page(model, "change", row.pk)).status_code == 200
        for url in (page(model, "add"), page(model, "change", row.pk), page(model, "delete", row.pk), page(model)):
            assert client.post(url, {"reason": "forged"}).status_code == 403


def test_the_ledger_list_puts_who_is_over_the_pool_first(clinic: Clinic) -> None:
    AssignmentFactory(employee=clinic.surgeon, position=clinic.p2, accepted=True, effective_hours=Decimal("50"))
    drain()
    client = signed_in(clinic.admin)
    rows = client.get(page("offer.ledgerweek")).context["cl"].result_list
    assert rows[0].employee == clinic.surgeon
    assert (rows[0].balance_now, rows[0].pool_now) == (-14 * 700, 36 * 700)
    over = client.get(page("offer.ledgerweek"), {"balance": "over"}).context["cl"].result_list
    assert [row.employee for row in over] == [clinic.surgeon]
    spare = client.get(page("offer.ledgerweek"), {"balance": "spare"}).context["cl"].result_list
    assert [row.employee for row in spare] == [clinic.nurse]
    answer = client.get(page("offer.ledgerweek", "change", clinic.nurse.pk))
    assert (answer.status_code, answer["Location"]) == (302, page("org.employee", "hours", clinic.nurse.pk))
    assert signed_in(clinic.manager).get(page("offer.ledgerweek", "change", clinic.surgeon.pk)).status_code == 404
