"""What would this do: the answer, and that nothing of it stays."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from apps.assignments.models import Assignment
from apps.assignments.services import change_assignment, propose_assignment
from apps.business_rules.models import BusinessRule
from apps.business_rules.services import NoAnswer, what_if
from apps.changes.drain import drain
from apps.changes.figures import Figures, Touched, forget, keep
from apps.changes.models import Kind, Mark
from apps.common.errors import Refusal
from apps.fsm.services import apply_transition
from apps.org.models import Employee, OrgUnit, Position
from apps.org.services.positions import save_positions
from apps.org.services.units import move_unit
from apps.tags.models import EmployeeTag
from apps.tags.services import grant_tag, save_employee_tags
from tests.conftest import TODAY
from tests.factories import (
    AssignmentFactory,
    Clinic,
    EmployeeFactory,
    EmployeeTagFactory,
    PositionFactory,
    TagFactory,
)
from tests.rules.catalogue import install_rules

Rules = dict[str, BusinessRule]
WEEK = 700  # hour-days of one weekly hour
# By its name: the package's attribute is the function.
MODULE = importlib.import_module("apps.business_rules.services.what_if")


@pytest.fixture
def rules(db: Any) -> Rules:
    return install_rules()


@pytest.fixture
def proposal(clinic: Clinic, rules: Rules) -> Assignment:
    return AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=20, starts_on=TODAY)


def propose(clinic: Clinic, hours: str = "20", **more: Any) -> Callable[[], Any]:
    """Return what proposes and accepts hours of the nurse for P1."""

    def do() -> int:
        made = propose_assignment(
            employee=clinic.nurse,
            position=clinic.p1,
            hours=Decimal(hours),
            starts_on=TODAY,
            actor=clinic.admin,
            **more,
        )
        apply_transition(made, "accept", actor=clinic.admin)
        return made.pk

    return do


def weeks(hours: str) -> list[int]:
    """Return hours in each week of the horizon; in the first one from today, a Wednesday, on."""
    return [int(Decimal(hours) * 500), *[int(Decimal(hours) * WEEK)] * 12]


@pytest.mark.django_db
class TestTheAnswer:
    def test_hours_within_everything_are_allowed_and_move_ledger_position_and_units(
        self, clinic: Clinic, rules: Rules
    ) -> None:
        drain()
        answer = what_if(propose(clinic), actor=clinic.admin)
        assert (answer.allowed, answer.verdicts, answer.opened) == (True, [], [])
        ledger = answer.ledger.by_subject[clinic.nurse.pk]
        assert (list(ledger.before["assigned"]), list(ledger.after["assigned"])) == ([0] * 13, weeks("20"))
        assert ledger.before["pool"] == ledger.after["pool"] == [36 * WEEK] * 13
        position = answer.positions.by_subject[clinic.p1.pk]
        assert (list(position.before["assigned"]), list(position.after["assigned"])) == ([0] * 13, weeks("20"))
        # Whole figures: the unit's own and those of everything above it.
        assert set(answer.units.by_subject) == {clinic.h1.pk, clinic.root.pk}
        root = answer.units.by_subject[clinic.root.pk]
        assert root.before["required"] == root.after["required"] == [72 * WEEK] * 13
        assert list(root.after["filled"]) == weeks("20")
        assert (root.before["vacant"][0], root.after["vacant"][0]) == (2, 1)

    def test_what_the_gate_would_refuse_is_told_and_goes_on_to_the_figures(self, clinic: Clinic, rules: Rules) -> None:
        AssignmentFactory(employee=clinic.nurse, position=clinic.p2, effective_hours=50, accepted=True)
        answer = what_if(propose(clinic), actor=clinic.admin)
        assert not answer.allowed
        assert [(f.rule, f.observed, f.severity) for f in answer.verdicts] == [
            ("MAX_WEEKLY_HOURS", Decimal(70), "BLOCKING"),
            ("HOURS_OVER_POOL", Decimal(-34), "WARNING"),
        ]
        assert [f.rule for f in answer.blocking] == ["MAX_WEEKLY_HOURS"]
        assert [f.rule for f in answer.to_confirm] == ["HOURS_OVER_POOL"]
        ledger = answer.ledger.by_subject[clinic.nurse.pk]
        assert [
            after - before for before, after in zip(ledger.before["assigned"], ledger.after["assigned"], strict=True)
        ] == weeks("20")

    def test_who_wants_only_verdicts_is_told_the_same_with_fewer_questions(self, clinic: Clinic, rules: Rules) -> None:
        AssignmentFactory(employee=clinic.nurse, position=clinic.p2, effective_hours=50, accepted=True)
        with CaptureQueriesContext(connection) as all_of_it:
            whole = what_if(propose(clinic), actor=clinic.admin)
        with CaptureQueriesContext(connection) as less:
            answer = what_if(propose(clinic), actor=clinic.admin, only_verdicts=True)
        said = [(one.rule, one.subject_code, one.observed, one.severity) for one in answer.verdicts]
        assert said == [(one.rule, one.subject_code, one.observed, one.severity) for one in whole.verdicts] != []
        assert (answer.allowed, answer.refusal) == (whole.allowed, None)
        assert (answer.opened, answer.closed, answer.changed, answer.ledger.count) == ([], [], [], 0)
        assert len(less) < len(all_of_it) - 10
        refused = what_if(lambda: propose(clinic)() and propose(clinic)(), actor=clinic.admin, only_verdicts=True)
        assert refused.refusal is not None

    def test_a_refusal_of_a_service_or_a_constraint_is_an_answer(self, clinic: Clinic, proposal: Assignment) -> None:
        named = {"employee": [clinic.nurse.pk]}
        answer = what_if(propose(clinic), actor=clinic.admin, also=named)
        assert not answer.allowed
        assert answer.refusal is not None
        assert answer.refusal.reasons[0].code == "assignments_one_live_regular"
        # The figures are those of now.
        assert not answer.ledger.by_subject[clinic.nurse.pk].differ
        assert answer.ledger.by_subject[clinic.nurse.pk].after["pool"] == [36 * WEEK] * 13
        forbidden = what_if(lambda: apply_transition(proposal, "accept", actor=clinic.viewer), actor=clinic.viewer)
        assert forbidden.refusal is not None
        assert forbidden.refusal.reasons[0].code == "forbidden"

    def test_a_fault_of_ours_is_no_answer(self, clinic: Clinic, rules: Rules) -> None:
        def do() -> None:
            propose(clinic)()
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            what_if(do, actor=clinic.admin)
        assert not Assignment.objects.exists()

    def test_what_takes_capacity_away_shows_what_opens_and_which_positions_lose(
        self, clinic: Clinic, proposal: Assignment
    ) -> None:
        apply_transition(proposal, "accept", actor=clinic.admin)
        nurse = Employee.objects.get(pk=clinic.nurse.pk)
        answer = what_if(
            lambda: apply_transition(nurse, "suspend", actor=clinic.admin, reason="inquiry"), actor=clinic.admin
        )
        assert answer.allowed
        opened = {(f.rule, f.subject_code) for f in answer.opened}
        assert opened == {("EMPLOYEE_NOT_AVAILABLE", "E1/P1/2026-12-09"), ("POSITION_VACANT", "P1")}
        assert answer.opened[0].severity == "BLOCKING"
        position = answer.positions.changed[clinic.p1.pk]
        # Today's day is over with the status of today; nothing of the days to come.
        assert (sum(position.before["assigned"]), sum(position.after["assigned"])) == (sum(weeks("20")), 0)

    def test_what_it_mends_is_told_too(self, clinic: Clinic, proposal: Assignment) -> None:
        over = AssignmentFactory(employee=clinic.nurse, position=clinic.p2, effective_hours=40, accepted=True)
        drain()
        answer = what_if(
            lambda: apply_transition(
                over, "close", actor=clinic.admin, reason="less", ends_on=TODAY - timedelta(days=9)
            ),
            actor=clinic.admin,
        )
        assert [f.rule for f in answer.closed] == ["HOURS_OVER_POOL", "POSITION_OVER_COVERED"]
        answer = what_if(lambda: Assignment.objects.filter(pk=over.pk).update(effective_hours=38), actor=clinic.admin)
        changed = {after.rule: (before.observed, after.observed) for before, after in answer.changed}
        assert changed["HOURS_OVER_POOL"] == (Decimal(-4), Decimal(-2))

    def test_raw_sql_is_understood_by_the_marks_it_leaves(self, clinic: Clinic, rules: Rules) -> None:
        def do() -> None:
            with connection.cursor() as cursor:
                cursor.execute("UPDATE org_position SET required_weekly_hours = 50 WHERE id = %s", [clinic.p1.pk])

        answer = what_if(do, actor=None)
        assert list(answer.positions.changed) == [clinic.p1.pk]
        assert answer.positions.by_subject[clinic.p1.pk].after["required"] == [50 * WEEK] * 13

    def test_a_tag_bears_on_whoever_holds_it(self, clinic: Clinic, rules: Rules) -> None:
        AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=36, accepted=True)
        tag = clinic.nurse.tags.get().tag

        def do() -> None:
            type(tag).objects.filter(pk=tag.pk).update(hours_delta=30)

        answer = what_if(do, actor=None)
        assert answer.ledger.changed[clinic.nurse.pk].after["pool"] == [30 * WEEK] * 13
        assert [f.rule for f in answer.opened] == ["HOURS_OVER_POOL"]

    def test_a_unit_that_moves_changes_the_figures_of_those_it_leaves_and_those_it_comes_to(
        self, clinic: Clinic, rules: Rules
    ) -> None:
        ward = OrgUnit.objects.create(code="W", name="Ward", kind="UNIT", parent=clinic.h1)
        PositionFactory(org_unit=ward, required_weekly_hours=10)
        drain()

        def do() -> None:
            move_unit(unit=OrgUnit.objects.get(pk=ward.pk), parent=clinic.h2, actor=clinic.admin)

        answer = what_if(do, actor=clinic.admin)
        required = {pk: (w.before["required"][0], w.after["required"][0]) for pk, w in answer.units.changed.items()}
        assert required == {clinic.h1.pk: (46 * WEEK, 36 * WEEK), clinic.h2.pk: (36 * WEEK, 46 * WEEK)}

    def test_a_threshold_acts_on_the_subjects_named(self, clinic: Clinic, rules: Rules) -> None:
        AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=36, accepted=True)

        def do() -> None:
            BusinessRule.objects.filter(code="MAX_WEEKLY_HOURS").update(threshold=30)

        answer = what_if(do, actor=clinic.admin, also={"employee": [clinic.nurse.pk, clinic.surgeon.pk]})
        assert [(f.rule, f.subject_code) for f in answer.opened] == [("MAX_WEEKLY_HOURS", "E1")]
        assert what_if(do, actor=clinic.admin).opened == []

    def test_figures_that_wait_for_a_worker_are_no_difference(self, clinic: Clinic, rules: Rules) -> None:
        drain()
        AssignmentFactory(employee=clinic.surgeon, position=clinic.p1, effective_hours=6, accepted=True)
        answer = what_if(propose(clinic), actor=clinic.admin)
        root = answer.units.by_subject[clinic.root.pk]
        assert root.before["assigned"] == [6 * WEEK] * 13
        assert answer.positions.by_subject[clinic.p1.pk].before["assigned"] == [6 * WEEK] * 13

    def test_beyond_the_detail_there_are_sums(self, clinic: Clinic, rules: Rules) -> None:
        people = [EmployeeFactory(home_unit=clinic.h1, active=True) for _number in range(5)]

        def do() -> None:
            for person in people:
                propose_assignment(employee=person, position=clinic.p1, hours=Decimal(1), starts_on=TODAY, actor=None)

        few, all_of_them = what_if(do, actor=None, detail=2), what_if(do, actor=None)
        assert (few.ledger.count, len(few.ledger.by_subject)) == (5, 2)
        assert few.ledger.total == all_of_them.ledger.total
        assert few.ledger.total is not None
        assert list(few.ledger.total.after["proposed"]) == weeks("5")
        assert few.units.total is None

    def test_one_row_or_many_cost_the_same_queries(self, clinic: Clinic, rules: Rules) -> None:
        def cost(number: int) -> int:
            rows = [AssignmentFactory(position=clinic.p1, effective_hours=1) for _number in range(number)]
            pks = [row.pk for row in rows]
            with CaptureQueriesContext(connection) as queries:
                what_if(lambda: Assignment.objects.filter(pk__in=pks).update(effective_hours=2), actor=None)
            return len(queries)

        cost(1)  # statements prepared once a connection
        assert cost(1) == cost(20) <= 76


def contents() -> dict[str, str]:
    """Return a hash of the rows of every table there is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        tables = [row[0] for row in cursor.fetchall()]
        union = " UNION ALL ".join(
            f"SELECT '{name}', md5(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE \"C\")) FROM \"{name}\" t"
            for name in tables
        )
        cursor.execute(union)
        return dict(cursor.fetchall())


class Situation:
    """Something to do of every kind; each is a function that does it."""

    def __init__(self) -> None:
        self.clinic = clinic = Clinic()
        install_rules()
        self.waiting = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=20, starts_on=TODAY)
        self.running = AssignmentFactory(
            employee=clinic.surgeon, position=clinic.p2, effective_hours=20, starts_on=TODAY, accepted=True
        )
        self.tag = TagFactory(code="ICU")
        drain()
        AssignmentFactory(employee=clinic.surgeon, position=clinic.p1, effective_hours=1)  # leaves marks

    def move(self, row: Any, name: str, **inputs: Any) -> Callable[[], Any]:
        return lambda: apply_transition(row, name, actor=self.clinic.admin, confirmed=True, **inputs)

    def propose(self) -> Any:
        return propose_assignment(
            employee=self.clinic.newcomer,
            position=self.clinic.p1,
            hours=Decimal(5),
            starts_on=TODAY,
            actor=self.clinic.admin,
        )

    def change(self) -> Any:
        row = Assignment.objects.get(pk=self.running.pk)
        row.effective_hours = Decimal("30")
        return change_assignment(assignment=row, actor=self.clinic.admin)

    def more_hours(self) -> Any:
        row = Position.objects.get(pk=self.clinic.p1.pk)
        row.required_weekly_hours = Decimal(99)
        return save_positions(positions=[row], actor=self.clinic.admin)

    def end_a_tag(self) -> Any:
        row = EmployeeTag.objects.get(employee=self.clinic.nurse)
        row.valid_until = TODAY
        return save_employee_tags(employee_tags=[row], actor=self.clinic.admin)

    def raw(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM org_leave; UPDATE assignments_assignment SET effective_hours = effective_hours + 1"
            )

    def raises(self) -> None:
        self.propose()
        raise Refusal("no")

    def breaks_a_constraint(self) -> None:
        self.propose()
        Assignment.objects.filter(pk=self.running.pk).update(effective_hours=-1)

    def nested(self) -> Any:
        self.propose()
        return what_if(self.move(self.waiting, "accept"), actor=None)

    def deeds(self) -> dict[str, Callable[[], Any]]:
        clinic = self.clinic
        return {
            "propose": self.propose,
            "change": self.change,
            "accept": self.move(self.waiting, "accept"),
            "reject": self.move(self.waiting, "reject", reason="no"),
            "close": self.move(self.running, "close", reason="over", ends_on=TODAY),
            "terminate": self.move(clinic.surgeon, "terminate", reason="gone", last_day=TODAY),
            "suspend": self.move(clinic.surgeon, "suspend", reason="inquiry"),
            "add a tag": lambda: grant_tag(employee=clinic.nurse, tag=self.tag, valid_from=TODAY, actor=clinic.admin),
            "end a tag": self.end_a_tag,
            "more hours": self.more_hours,
            "delete": lambda: Assignment.objects.filter(pk=self.waiting.pk).delete(),
            "raw SQL": self.raw,
            "raises": self.raises,
            "breaks a constraint": self.breaks_a_constraint,
            "nested": self.nested,
        }


DEEDS = ["propose", "change", "accept", "reject", "close", "terminate", "suspend", "add a tag", "end a tag",
         "more hours", "delete", "raw SQL", "raises", "breaks a constraint", "nested"]  # fmt: skip


@pytest.mark.django_db(transaction=True)
class TestNothingStays:
    @pytest.mark.parametrize("name", DEEDS)
    def test_every_table_is_as_it_was(self, name: str) -> None:
        situation = Situation()
        called: list[str] = []
        deed = situation.deeds()[name]

        def do() -> Any:
            transaction.on_commit(lambda: called.append("committed"))
            return deed()

        before = contents()
        with listening() as heard:
            what_if(do, actor=situation.clinic.admin)
            assert (called, heard()) == ([], [])
        assert contents() == before

    def test_inside_somebody_elses_transaction_only_that_ones_work_stays(self) -> None:
        situation = Situation()
        with transaction.atomic():
            situation.more_hours()
            before = contents()
            with connection.cursor() as cursor:
                cursor.execute("SHOW statement_timeout")
                bound = cursor.fetchone()
            what_if(situation.move(situation.clinic.surgeon, "terminate", reason="x", last_day=TODAY), actor=None)
            assert contents() == before
            with connection.cursor() as cursor:
                cursor.execute("SHOW statement_timeout")
                assert cursor.fetchone() == bound
        assert Position.objects.get(pk=situation.clinic.p1.pk).required_weekly_hours == 99

    @pytest.mark.parametrize("name", [name for name in DEEDS if name not in ("raises", "breaks a constraint")])
    def test_canary_without_the_rollback_it_would_stay(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        situation = Situation()
        deed = situation.deeds()[name]
        monkeypatch.setattr(MODULE, "_undo", lambda: None)
        # Somebody who marked a moment ago has rung for this one too.
        Mark.objects.update(created_at=F("created_at") - timedelta(minutes=1))
        before = contents()
        with listening() as heard:
            what_if(deed, actor=situation.clinic.admin)
            assert heard()
        assert contents() != before


@contextmanager
def listening() -> Iterator[Callable[[], list[str]]]:
    """Hear what the relay would hear."""
    ear = connections["default"].get_new_connection(connections["default"].get_connection_params())
    ear.autocommit = True
    ear.execute("LISTEN coveris_marks")
    try:
        yield lambda: [note.channel for note in ear.notifies(timeout=0.2)]
    finally:
        ear.close()


def elsewhere(deed: Callable[[], Any]) -> None:
    """Commit something on another connection, and wait for it."""

    def run() -> None:
        try:
            deed()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(timeout=20)
    assert not thread.is_alive()


@pytest.mark.django_db(transaction=True)
class TestSomebodyElseAtTheSameTime:
    """Between “after” and “before” another connection commits a change to the same employee and position."""

    @pytest.fixture
    def clinic(self) -> Clinic:
        made = Clinic()
        install_rules()
        drain()
        return made

    @pytest.fixture
    def interrupted(self, clinic: Clinic) -> Iterator[list[int]]:
        """Have the change committed while the figures after are being looked at."""
        committed: list[int] = []

        def change() -> None:
            EmployeeTagFactory(employee=clinic.nurse, tag=TagFactory(contract=True, hours_delta=7), valid_from=TODAY)
            Position.objects.filter(pk=clinic.p1.pk).update(required_weekly_hours=40)
            committed.append(1)

        class Interrupting(Figures):
            kind = Kind.PROBE
            rank = 99
            subjects = "SELECT 1 WHERE FALSE"
            columns = ()

            def reached_by(self, touched: Touched) -> set[int]:
                return {1}

            def refresh(self, ids: Any, span: Any) -> set[int]:
                return set()

            def close_weeks(self, span: Any) -> int:
                return 0

            def correct_week(self, span: Any, correction: int, unit: int | None) -> int:
                return 0

            def drift(self, span: Any) -> list[Any]:
                return []

            def formula(self, ids: Any, span: Any, due: Any = None) -> Any:
                if not committed:
                    elsewhere(change)
                return "SELECT 1", {}

        keep(Interrupting())
        yield committed
        forget(Kind.PROBE)

    def difference(self, clinic: Clinic) -> tuple[Any, Any]:
        answer = what_if(propose(clinic), actor=clinic.admin)
        ledger = answer.ledger.by_subject[clinic.nurse.pk]
        position = answer.positions.by_subject[clinic.p1.pk]
        return (
            (ledger.before["pool"] == ledger.after["pool"], position.before["required"] == position.after["required"]),
            [b - a for a, b in zip(ledger.before["assigned"], ledger.after["assigned"], strict=True)],
        )

    def test_the_difference_is_what_was_done_alone(self, clinic: Clinic, interrupted: list[int]) -> None:
        assert self.difference(clinic) == ((True, True), weeks("20"))
        assert interrupted

    def test_canary_reading_committed_rows_it_would_show_the_others(
        self, clinic: Clinic, interrupted: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(MODULE, "ISOLATION", "READ COMMITTED")
        assert self.difference(clinic) == ((False, False), weeks("20"))
        assert interrupted

    def test_a_record_changed_under_its_feet_is_tried_again(self, clinic: Clinic) -> None:
        tries: list[int] = []

        def do() -> None:
            tries.append(1)
            # The snapshot is taken by now; the employee's lock is not.
            if len(tries) == 1:
                elsewhere(lambda: Employee.objects.filter(pk=clinic.nurse.pk).update(given_name="Luz"))
            propose(clinic)()

        assert what_if(do, actor=clinic.admin).allowed
        assert len(tries) == 2

    def test_records_somebody_holds_are_not_waited_for_long(self, clinic: Clinic, settings: Any) -> None:
        settings.COVERIS_WHAT_IF_LOCK_SECONDS = 0.1
        held, release = threading.Event(), threading.Event()

        def hold() -> None:
            try:
                with transaction.atomic():
                    Employee.objects.lock([clinic.nurse.pk])
                    held.set()
                    release.wait(20)
            finally:
                connection.close()

        thread = threading.Thread(target=hold)
        thread.start()
        held.wait(20)
        try:
            with pytest.raises(NoAnswer) as no:
                what_if(propose(clinic), actor=clinic.admin)
        finally:
            release.set()
            thread.join(20)
        assert no.value.reasons[0].code == "busy"

    def test_what_takes_too_long_is_stopped(self, clinic: Clinic) -> None:
        def do() -> None:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(5)")

        with pytest.raises(NoAnswer) as no:
            what_if(do, actor=clinic.admin, seconds=0.1)
        assert no.value.reasons[0].code == "too_long"


@pytest.mark.django_db
def test_its_writes_are_signed_as_a_what_if(clinic: Clinic, rules: Rules) -> None:
    signed: list[Any] = []

    def do() -> None:
        propose(clinic)()
        signed.extend(Assignment.history.values_list("origin", "history_user_id"))

    what_if(do, actor=clinic.admin)
    assert set(signed) == {("what-if", clinic.admin.pk)}
