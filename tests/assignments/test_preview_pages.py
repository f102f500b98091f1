"""The live preview of an assignment: what it says, to whom, and that nothing of it is saved."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.assignments.models import Assignment
from apps.changes.drain import drain
from apps.demand.candidates import Wanted, candidates
from apps.fsm.services import apply_transition
from apps.users.enums import Role
from tests.conftest import TODAY
from tests.factories import (
    AssignmentFactory,
    Clinic,
    EmployeeFactory,
    EmployeeTagFactory,
    PositionTagFactory,
    TagFactory,
    UserFactory,
)
from tests.rules.catalogue import install_rules
from tests.screens.people import page, signed_in

pytestmark = pytest.mark.django_db
NEW = "assignments.assignment", "preview_new"


@pytest.fixture
def rules(db: Any) -> Any:
    return install_rules()


def typed(clinic: Clinic, hours: str = "40", **changed: Any) -> dict[str, Any]:
    return {"employee": clinic.nurse.pk, "position": clinic.p1.pk, "effective_hours": hours,
            "starts_on": TODAY.isoformat(), "ends_on": "", **changed}  # fmt: skip


def text_of(client: Client, url: str, data: dict[str, Any] | None = None) -> str:
    response = client.get(url, data or {})
    assert response.status_code == 200
    return response.content.decode()


def test_it_tells_verdicts_the_way_out_and_both_ends_week_by_week(clinic: Clinic, rules: Any) -> None:
    client = signed_in(clinic.supervisor)
    text = text_of(client, page(*NEW), typed(clinic))
    assert "Possible once the warnings are confirmed" in text
    assert "balance of -4.00 hours in week 2026-W51" in text
    assert "It fits with 4.00 hours less that week" in text
    assert '36.00 → <strong class="coveris-negative">-4.00 h</strong>' in text
    assert "0.0 % → <strong>111.1 %</strong>" in text
    assert text.count('aria-label="2026-W51: ') == 2
    assert "Not possible as it stands" in text_of(client, page(*NEW), typed(clinic, hours="61"))
    assert "No rule stands in the way" in text_of(client, page(*NEW), typed(clinic, hours="36"))
    assert not Assignment.objects.exists()


def test_the_most_fixable_comes_first(clinic: Clinic, rules: Any) -> None:
    PositionTagFactory(position=clinic.p1, tag=TagFactory(name="Triage"))
    text = text_of(signed_in(clinic.manager), page(*NEW), typed(clinic, hours="61"))
    assert text.index("above the cap of 60.00") < text.index("Triage") < text.index("balance of")


def test_what_lacks_is_a_hint_and_no_error(clinic: Clinic, rules: Any) -> None:
    client = signed_in(clinic.supervisor)
    assert "Fill in Employee, Position, Hours a week, From to see what it does." in text_of(client, page(*NEW))
    assert "Fill in Hours a week to see" in text_of(client, page(*NEW), typed(clinic, hours=""))
    assert "Hours a week: Enter a number." in text_of(client, page(*NEW), typed(clinic, hours="4O"))
    assert "cannot end before it starts" in text_of(client, page(*NEW), typed(clinic, ends_on="2026-12-01"))
    assert text_of(client, page(*NEW), typed(clinic, hours="-1\x00"))


def test_who_may_not_propose_learns_nothing(clinic: Clinic, rules: Any) -> None:
    row = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=20)
    one = UserFactory(role=Role.EMPLOYEE)
    existing = page("assignments.assignment", "preview", row.pk)
    for url in (page(*NEW), existing):
        assert signed_in(clinic.viewer).get(url, typed(clinic)).status_code == 403
        assert signed_in(one).get(url, typed(clinic)).status_code == 302
        assert Client().get(url, typed(clinic)).status_code == 302
    # A supervisor proposes, and changes nothing that stands.
    assert signed_in(clinic.supervisor).get(existing, typed(clinic)).status_code == 403


def test_neither_end_out_of_scope_is_told_of(clinic: Clinic, rules: Any) -> None:
    client = signed_in(clinic.manager)
    foreign = AssignmentFactory(employee=clinic.surgeon, position=clinic.p2, effective_hours=20)
    for forged in ({"employee": clinic.surgeon.pk}, {"position": clinic.p2.pk}):
        text = text_of(client, page(*NEW), typed(clinic, **forged))
        assert "coveris-impact-hint" in text
        assert "svg" not in text
        for secret in ("Díaz", "E2", "Instrumentación", "P2"):
            assert secret not in text
        # Word for word what a key that does not exist gets.
        nothing = dict.fromkeys(forged, 10**9)
        assert text == text_of(client, page(*NEW), typed(clinic, **nothing))
    assert client.get(page("assignments.assignment", "preview", foreign.pk), typed(clinic)).status_code == 404
    impact = page("assignments.assignment", "impact", foreign.pk, "accept")
    assert client.get(impact).status_code == 404
    assert client.get(page("org.employee", "impact", clinic.surgeon.pk, "suspend")).status_code == 404


def test_it_answers_reading_alone(clinic: Clinic, rules: Any) -> None:
    client = signed_in(clinic.manager)
    assert client.post(page(*NEW), typed(clinic)).status_code == 405
    assert client.post(page("org.employee", "impact", clinic.nurse.pk, "suspend")).status_code == 405
    assert client.get(page(*NEW), typed(clinic))["Cache-Control"].startswith("no-store")


def test_a_change_is_told_from_what_stands(clinic: Clinic, rules: Any) -> None:
    row = AssignmentFactory(
        employee=clinic.nurse, position=clinic.p1, effective_hours=20, starts_on=TODAY, accepted=True
    )
    url = page("assignments.assignment", "preview", row.pk)
    data = {"effective_hours": "30", "starts_on": TODAY.isoformat(), "ends_on": ""}
    text = text_of(signed_in(clinic.manager), url, data)
    assert "16.00 → <strong>6.00 h</strong>" in text
    assert "55.6 % → <strong>83.3 %</strong>" in text
    row.refresh_from_db()
    assert row.effective_hours == 20
    # Nothing changed yet, nothing differs.
    same = text_of(signed_in(clinic.manager), url, data | {"effective_hours": "20"})
    assert "No rule stands in the way" in same
    assert "<dt>" not in same


def test_the_form_has_the_panel_where_it_can_be_saved(clinic: Clinic, rules: Any) -> None:
    row = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=20)
    change = page("assignments.assignment", "change", row.pk)
    assert "data-preview=" in text_of(signed_in(clinic.supervisor), page("assignments.assignment", "add"))
    assert "data-preview=" in text_of(signed_in(clinic.manager), change)
    assert "data-preview=" not in text_of(signed_in(clinic.viewer), change)


class TestApproval:
    @pytest.fixture
    def proposal(self, clinic: Clinic, rules: Any) -> Assignment:
        return AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=20, starts_on=TODAY)

    def test_the_dialog_asks_for_the_impact_and_the_impact_shows_with_and_without(
        self, clinic: Clinic, proposal: Assignment
    ) -> None:
        client = signed_in(clinic.manager)
        url = page("assignments.assignment", "impact", proposal.pk, "accept")
        assert f'data-preview="{url}"' in text_of(
            client, page("assignments.assignment", "transition", proposal.pk, "accept")
        )
        text = text_of(client, url)
        assert "No rule stands in the way" in text
        assert "36.00 → <strong>16.00 h</strong>" in text
        proposal.refresh_from_db()
        assert proposal.status == "PROPOSED"
        assert signed_in(clinic.viewer).get(url).status_code == 403

    def test_who_else_could_take_it_comes_ranked_with_what_stands_in_the_way(
        self, clinic: Clinic, proposal: Assignment
    ) -> None:
        needed = TagFactory(name="Triage")
        PositionTagFactory(position=clinic.p1, tag=needed)

        def person(name: str, hours: str, unit: Any = clinic.h1, holds: bool = True) -> Any:
            made = EmployeeFactory(family_name=name, home_unit=unit, active=True, active__hours=hours)
            if holds:
                EmployeeTagFactory(employee=made, tag=needed)
            return made

        beside = person("Beside", "48", unit=clinic.h2)
        little, much = person("Little", "10"), person("Much", "40")
        person("Untrained", "48", holds=False)
        full = person("Full", "48")
        AssignmentFactory(employee=full, position=clinic.p2, effective_hours=48, accepted=True)
        drain()
        found = candidates(
            Wanted(clinic.p1, Decimal(proposal.effective_hours), TODAY), user=clinic.admin, without=[clinic.nurse.pk]
        )
        assert [(c.employee, c.free // 700, c.allowed) for c in found] == [
            (much, 40, True), (beside, 48, True), (little, 10, True), (full, 0, False),
        ]  # fmt: skip
        assert [[f.rule for f in c.findings] for c in found] == [
            [], [], ["HOURS_OVER_POOL"], ["MAX_WEEKLY_HOURS", "HOURS_OVER_POOL"],
        ]  # fmt: skip
        # A manager of H1 meets only whom they may see.
        text = text_of(signed_in(clinic.manager), page("assignments.assignment", "impact", proposal.pk, "accept"))
        assert "Much" in text
        assert "Nothing stands in the way." in text
        for unseen in ("Beside", "Untrained"):
            assert unseen not in text
        assert Assignment.objects.filter(status="PROPOSED").count() == 1

    def test_ten_candidates_cost_the_queries_of_one(self, clinic: Clinic, proposal: Assignment) -> None:
        def cost() -> tuple[int, int]:
            with CaptureQueriesContext(connection) as queries:
                found = candidates(
                    Wanted(clinic.p1, Decimal(proposal.effective_hours), TODAY), user=clinic.manager,
                    without=[clinic.nurse.pk],
                )  # fmt: skip
            return len(found), len(queries)

        EmployeeFactory(home_unit=clinic.h1, active=True)
        cost()  # statements prepared once a connection
        one = cost()
        for _number in range(12):
            EmployeeFactory(home_unit=clinic.h1, active=True)
        ten = cost()
        assert (one[0], ten[0]) == (1, 10)
        assert ten[1] <= one[1]


class TestWhatTakesCapacityAway:
    @pytest.mark.parametrize(
        ("move", "inputs"),
        [("suspend", {}), ("terminate", {"last_day": TODAY}), ("give_notice", {"last_day": TODAY}),
         ("start_leave", {"kind": "SICK"})],
    )  # fmt: skip
    def test_the_impact_stands_in_the_dialog(self, clinic: Clinic, rules: Any, move: str, inputs: Any) -> None:
        AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=36, accepted=True)
        client = signed_in(clinic.manager)
        url = page("org.employee", "impact", clinic.nurse.pk, move)
        assert f'data-preview="{url}"' in text_of(client, page("org.employee", "transition", clinic.nurse.pk, move))
        if inputs:
            assert "coveris-impact-hint" in text_of(client, url)
        text = text_of(client, url, inputs)
        assert "Coverage of" in text
        assert "→ <strong>0.0 %</strong>" in text
        clinic.nurse.refresh_from_db()
        assert clinic.nurse.status == "ACTIVE"

    def test_somebody_who_was_slower_is_told_and_not_refused(self, clinic: Clinic, rules: Any) -> None:
        url = page("org.employee", "impact", clinic.nurse.pk, "suspend")
        apply_transition(clinic.nurse, "suspend", actor=None, reason="first")
        assert "is not possible from there" in text_of(signed_in(clinic.manager), url)
        assert signed_in(clinic.viewer).get(url).status_code == 403

    def test_it_says_what_opens(self, clinic: Clinic, rules: Any) -> None:
        AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=36, accepted=True)
        text = text_of(signed_in(clinic.manager), page("org.employee", "impact", clinic.nurse.pk, "suspend"))
        assert "It opens 2 violations" in text
        assert "its employee is “Suspended”" in text

    def test_closing_shows_what_the_position_loses(self, clinic: Clinic, rules: Any) -> None:
        row = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=36, accepted=True)
        url = page("assignments.assignment", "impact", row.pk, "close")
        text = text_of(signed_in(clinic.manager), url, {"ends_on": TODAY.isoformat()})
        # The position is vacant, the employee has hours to give.
        assert "It opens 2 violations" in text
        assert "100.0 % → <strong>0.0 %</strong>" in text
        # A guard's no is said in its own words.
        late = text_of(signed_in(clinic.manager), url, {"ends_on": "2027-01-01"})
        assert "Not possible as it stands" in late
        assert "can be closed on a day up to today" in late
