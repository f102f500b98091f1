"""An import is taken back: all of it or nothing, exactly, and on record."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import settings as property_settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from apps.assignments.models import Assignment, AssignmentTransitionLog
from apps.audit_log.models import AuditEntry
from apps.audit_log.timeline import shown
from apps.business_rules.models import BusinessRule, RuleViolation
from apps.business_rules.services.sweeps import sweep
from apps.changes.drain import drain
from apps.changes.models import Mark
from apps.changes.proof import compare
from apps.common.acting import acting
from apps.common.errors import Refusal
from apps.demand.models import PositionCoverage, UnitCoverage
from apps.fsm.models import EmployeeStatusPeriod, EmployeeTransitionLog
from apps.fsm.services import apply_transition
from apps.imports.models import ImportJob
from apps.imports.rewinding import Rewinding, run
from apps.imports.undoing import UndoRefused
from apps.offer.models import LedgerWeek
from apps.org.models import Employee, Leave, OrgUnit, Position
from apps.org.services.employees import save_employees
from apps.org.services.leaves import plan_leave
from apps.tags.models import EmployeeTag, TagCatalog, TagChangeLog
from tests.factories import (
    AssignmentFactory,
    BusinessRuleFactory,
    Clinic,
    LeaveFactory,
    TagFactory,
    WaiverFactory,
)

from .support import bring, sheet
from .test_kinds import STORIES, with_value
from .undo_support import Sheets, brought, current_state, furnish, on_record, only_grew, undo

pytestmark = pytest.mark.django_db
ASSIGN = "employee_number,position_code,starts_on,effective_hours,ends_on,transition,reason"
PEOPLE = "employee_number,given_name,family_name,home_unit_code,hired_on"


@pytest.fixture
def house(clinic: Clinic) -> Clinic:
    return furnish(clinic)


@pytest.fixture
def bare(clinic: Clinic) -> Clinic:
    TagFactory(code="Q1", name="Especialista")
    return clinic


def taken_back(seed: int) -> Counter[str]:
    """Bring random sheets into a random clinic and take them back, the last one first; return what they met."""
    met: Counter[str] = Counter()
    furnish(Clinic())
    sheets = Sheets(seed)
    story = []
    for _number in range(sheets.random.randint(1, 4)):
        state = current_state()
        story.append((sheets.bring(), state))
    for job, state in reversed(story):
        if job.state != "APPLIED":
            with pytest.raises(Refusal):
                undo(job.pk)
            continue
        record = on_record()
        met.update({f"{job.kind} {name}": count for name, count in undo(job.pk).counts().items()})
        found = current_state()
        for label, rows in state.items():
            assert found[label] == rows, f"seed {seed}, {job.kind}, {label}"
        assert only_grew(record, on_record()), f"seed {seed}"
    met.update(AssignmentTransitionLog.objects.values_list("transition", flat=True))
    met.update(EmployeeTransitionLog.objects.values_list("transition", flat=True))
    return met


class TestWhatWasIsAgain(TestCase):
    @property_settings(max_examples=25, deadline=None)
    @given(seed=st.integers(0, 2**32))
    def test_of_any_sheets_in_any_clinic(self, seed: int) -> None:
        taken_back(seed)


def test_the_random_sheets_meet_what_they_are_meant_to_meet(db: Any) -> None:
    """A property that only ever meets easy cases proves nothing."""
    met: Counter[str] = Counter()
    for seed in range(40):
        with transaction.atomic():
            met.update(taken_back(seed))
            transaction.set_rollback(True)
    wanted = {f"{kind} deleted" for kind in Sheets.KINDS} | {f"{kind} restored" for kind in Sheets.KINDS}
    wanted |= {"positions created_again", "employees moved_back", "assignments moved_back"}
    wanted |= {"accept", "reject", "close", "void", "activate", "suspend", "give_notice", "terminate", "take_back"}
    assert {name for name in wanted if not met[name]} == set(), met


@pytest.mark.parametrize("kind", STORIES)
def test_what_a_sheet_made_is_gone_and_what_it_changed_is_as_it_was(kind: str, bare: Clinic) -> None:
    header, row, column, text, _optional = STORIES[kind]
    empty = current_state()
    created = brought(kind, header, row)
    first = current_state()
    changed = brought(kind, header, with_value(header, row, column, text))
    assert undo(changed).restored >= 1
    assert current_state() == first
    assert undo(created).deleted >= 1
    assert current_state() == empty


class TestTransitions:
    def test_an_assignment_made_and_accepted_in_one_sheet_vanishes_and_its_log_tells_which_it_was(
        self, house: Clinic
    ) -> None:
        before = current_state()
        job = brought("assignments", ASSIGN, "E1,P2,2026-12-14,4,,accept,ok")
        done = undo(job, house.admin, "sheet of another clinic")
        assert (done.deleted, done.moved_back) == (1, 1)
        assert current_state() == before
        last, first = AssignmentTransitionLog.objects.filter(subject_code="E1/P2/2026-12-14")
        assert (first.transition, first.from_status, first.to_status) == ("accept", "PROPOSED", "ACTIVE")
        assert (last.transition, last.from_status, last.to_status) == ("take_back", "ACTIVE", "")
        assert (last.actor, last.reason) == (house.admin, "sheet of another clinic")
        assert last.metadata == {"import": job, "file": "assignments.csv"}

    def test_a_termination_gives_back_status_days_assignments_and_proposals(self, house: Clinic) -> None:
        AssignmentFactory(employee=house.nurse, position=house.p2, effective_hours=5)
        AssignmentFactory(
            employee=house.nurse, position=house.p2, effective_hours=6, starts_on=date(2027, 3, 1), accepted=True,
            is_reinforcement=True,
        )  # fmt: skip
        before = current_state()
        job = brought("employees", "employee_number,last_day,transition,reason", "E1,2026-12-08,terminate,fin")
        assert set(Assignment.objects.filter(employee=house.nurse).values_list("status", flat=True)) == {"CLOSED"}
        done = undo(job)
        assert (done.moved_back, done.deleted, done.created_again) == (4, 0, 0)
        assert current_state() == before
        house.nurse.refresh_from_db()
        assert (house.nurse.status, house.nurse.last_day) == ("ACTIVE", None)
        log = house.nurse.transition_logs.order_by("-id")[0]
        assert (log.transition, log.from_status, log.to_status) == ("take_back", "TERMINATED", "ACTIVE")

    def test_a_leave_that_a_transition_began_is_gone_and_one_it_ended_goes_on(self, house: Clinic) -> None:
        planned = Employee.objects.get(employee_number="E4")
        apply_transition(planned, "start_leave", actor=None)
        before = current_state()
        job = brought("employees", "employee_number,transition", "E4,return_from_leave")
        assert not Leave.objects.filter(employee=planned).exists()
        assert undo(job).created_again == 1
        assert current_state() == before

    def test_only_an_undo_goes_through_that_door(self, house: Clinic) -> None:
        with pytest.raises(Refusal):
            apply_transition(house.nurse, "take_back", actor=house.admin)

    def test_nobody_is_told_of_a_status_that_did_not_change(self, house: Clinic) -> None:
        job = brought("employees", "employee_number,given_name", "E1,Lu")
        logs = EmployeeTransitionLog.objects.count()
        assert undo(job).moved_back == 0
        assert EmployeeTransitionLog.objects.count() == logs


class TestChains:
    def test_an_employee_whom_another_import_activated_goes_once_that_one_is_undone(self, house: Clinic) -> None:
        empty = current_state()
        people = brought("employees", PEOPLE, "E9,Ana,Paz,H1,2026-01-05")
        tags = brought("employee_tags", "employee_number,tag_code,valid_from", "E9,C,2026-01-05")
        moved = brought("employees", "employee_number,transition", "E9,activate")
        with pytest.raises(UndoRefused):
            undo(people)
        for job in (moved, tags, people):
            undo(job)
        assert current_state() == empty
        assert EmployeeTransitionLog.objects.filter(subject_code="E9").count() == 2
        assert TagChangeLog.objects.filter(employee_id__isnull=False, tag__code="C").count() >= 2

    def test_an_assignment_that_took_the_place_of_a_closed_one_makes_room_again(self, house: Clinic) -> None:
        before = current_state()
        job = brought(
            "assignments", ASSIGN, "E1,P1,2026-12-09,20,,accept,", "E1,P1,2026-01-01,20,2026-12-08,close,cambio"
        )
        undo(job)
        assert current_state() == before

    def test_rows_that_changed_places_go_back_one_after_the_other(self, house: Clinic) -> None:
        AssignmentFactory(
            employee=house.nurse, position=house.p2, effective_hours=3, starts_on=date(2026, 1, 1),
            ends_on=date(2026, 12, 31), accepted=True,
        )  # fmt: skip
        AssignmentFactory(employee=house.nurse, position=house.p2, effective_hours=3, starts_on=date(2027, 1, 1))
        before = current_state()
        job = brought("assignments", ASSIGN, "E1,P2,2027-01-01,3,,reject,no", "E1,P2,2026-01-01,3,2027-06-30,,")
        undo(job)
        assert current_state() == before

    def test_a_tree_of_new_units_with_an_old_one_moved_below_goes_back(self, house: Clinic) -> None:
        before = current_state()
        job = brought("org_units", "code,name,parent_code", "N1,New,H", "N2,Newer,N1", "H2,Quirófano,N2")
        house.h2.refresh_from_db()
        assert len(house.h2.path) == 4
        undo(job)
        assert current_state() == before

    def test_the_same_sheet_may_come_in_again(self, house: Clinic) -> None:
        lines = (PEOPLE, "E9,Ana,Paz,H1,2026-01-05")
        undo(brought("employees", *lines))
        again = brought("employees", *lines)
        assert undo(again).deleted == 1


# kind → what somebody does to the row of its story afterwards
SINCE: dict[str, Any] = {
    "org_units": lambda: OrgUnit.objects.filter(code="N1").update(name="Other"),
    "tags": lambda: TagCatalog.objects.filter(code="RCP").update(name="Other"),
    "positions": lambda: Position.objects.filter(code="P9").update(title="Other"),
    "employees": lambda: Employee.objects.filter(employee_number="E9").update(given_name="Other"),
    "employee_tags": lambda: EmployeeTag.objects.filter(note="visto").update(note="other"),
    "leaves": lambda: Leave.objects.filter(reason="verano").update(reason="other"),
    "demand_adjustments": lambda: Position.objects.get(code="P1").adjustments.filter(hours=-12).update(hours=-1),
    "assignments": lambda: Assignment.objects.filter(starts_on="2026-12-14").update(effective_hours=1),
}
KEYS = {
    "org_units": "N1", "tags": "RCP", "positions": "P9", "employees": "E9", "employee_tags": "E1/Q1/2026-01-05",
    "leaves": "E1/2026-12-21", "demand_adjustments": "P1/2026-12-14", "assignments": "E1/P1/2026-12-14",
}  # fmt: skip


@pytest.mark.parametrize("kind", STORIES)
def test_a_row_changed_since_is_named_and_nothing_is_undone(kind: str, bare: Clinic) -> None:
    header, row, *_rest = STORIES[kind]
    job = brought(kind, header, row)
    with acting(bare.manager, "by hand", "admin"):
        SINCE[kind]()
    state = current_state()
    with pytest.raises(UndoRefused) as refused:
        undo(job)
    [obstacle] = refused.value.obstacles
    assert (obstacle.kind, obstacle.key) == (kind, KEYS[kind])
    assert str(bare.manager) in obstacle.message and "changed on" in obstacle.message
    assert current_state() == state
    assert ImportJob.objects.get(pk=job).state == "APPLIED"


@pytest.mark.parametrize("kind", [kind for kind in STORIES if kind not in ("org_units", "tags")])
def test_a_row_deleted_since_is_refused(kind: str, bare: Clinic) -> None:
    header, row, *_rest = STORIES[kind]
    job = brought(kind, header, row)
    model = {
        "positions": Position.objects.filter(code="P9"),
        "employees": Employee.objects.filter(employee_number="E9"),
        "employee_tags": EmployeeTag.objects.filter(note="visto"),
        "leaves": Leave.objects.filter(reason="verano"),
        "demand_adjustments": bare.p1.adjustments.all(),
        "assignments": Assignment.objects.filter(starts_on="2026-12-14"),
    }[kind]
    model.delete()
    with pytest.raises(UndoRefused) as refused:
        undo(job)
    assert "deleted on" in refused.value.obstacles[0].message


class TestRefused:
    def test_a_later_transition_is_named(self, house: Clinic) -> None:
        job = brought("employees", "employee_number,transition", "E3,activate")
        apply_transition(house.newcomer, "suspend", actor=house.manager, reason="x")
        with pytest.raises(UndoRefused) as refused:
            undo(job)
        assert [(item.kind, item.key) for item in refused.value.obstacles] == [("employees", "E3")]

    def test_a_later_transition_that_leaves_the_status_alone_is_named(self, house: Clinic) -> None:
        job = brought("employees", "employee_number,transition", "E4,start_leave")
        person = Employee.objects.get(employee_number="E4")
        apply_transition(person, "extend_leave", actor=house.manager, ends_on=date(2027, 1, 31))
        with pytest.raises(UndoRefused) as refused:
            undo(job)
        assert "Extend leave" in refused.value.obstacles[0].message

    def test_what_hangs_on_a_new_row_is_named(self, house: Clinic) -> None:
        job = brought("employees", PEOPLE, "E9,Ana,Paz,H1,2026-01-05")
        plan_leave(
            employee=Employee.objects.get(employee_number="E9"), starts_on=date(2027, 1, 1), kind="OTHER",
            actor=house.manager,
        )  # fmt: skip
        with pytest.raises(UndoRefused) as refused:
            undo(job)
        [obstacle] = refused.value.obstacles
        assert (obstacle.key, "E9/2027-01-01" in obstacle.message) == ("E9", True)

    def test_a_waiver_for_a_new_row_is_in_the_way(self, house: Clinic) -> None:
        rule = BusinessRuleFactory(code="MAX_WEEKLY_HOURS")
        job = brought("employees", PEOPLE, "E9,Ana,Paz,H1,2026-01-05")
        pk = Employee.objects.get(employee_number="E9").pk
        WaiverFactory(
            rule=rule, subject_kind="employee", subject_id=pk, granted_by=house.admin, expires_on=date(2027, 1, 1)
        )
        with pytest.raises(UndoRefused) as refused:
            undo(job)
        assert refused.value.obstacles[0].key == "E9"

    def test_days_that_somebody_took_meanwhile_are_named(self, house: Clinic) -> None:
        LeaveFactory(employee=house.nurse, starts_on=date(2027, 1, 1), ends_on=date(2027, 1, 31))
        job = brought("leaves", "employee_number,starts_on,ends_on", "E1,2027-01-01,2027-01-05")
        plan_leave(
            employee=house.nurse, starts_on=date(2027, 1, 20), ends_on=date(2027, 1, 22), kind="OTHER", actor=None
        )
        state = current_state()
        with pytest.raises(UndoRefused) as refused:
            undo(job)
        [obstacle] = refused.value.obstacles
        assert (obstacle.key, "E1/2027-01-20" in obstacle.message) == ("E1/2027-01-01", True)
        assert current_state() == state

    def test_what_it_referred_to_may_be_gone(self, house: Clinic) -> None:
        tag = TagFactory(code="OLD")
        job_rows = ("code,required_tags", "P1,Q1|OLD")
        brought("positions", *job_rows)
        job = brought("positions", "code,required_tags", "P1,Q1")
        tag.delete()
        with pytest.raises(UndoRefused) as refused:
            undo(job)
        assert "gone" in refused.value.obstacles[0].message

    def test_twice_is_refused(self, house: Clinic) -> None:
        job = brought("employees", PEOPLE, "E9,Ana,Paz,H1,2026-01-05")
        undo(job)
        with pytest.raises(Refusal) as refused:
            undo(job)
        assert refused.value.reasons[0].code == "undone_already"

    def test_a_refused_import_has_nothing_to_take_back(self, house: Clinic) -> None:
        report = bring("employees", sheet(PEOPLE, "E9,Ana,Paz,NOWHERE,2026-01-05"))
        with pytest.raises(Refusal) as refused:
            undo(report.job)
        assert refused.value.reasons[0].code == "not_applied"

    def test_an_import_from_before_there_was_a_record_is_left_alone(self, house: Clinic) -> None:
        job = brought("employees", PEOPLE, "E9,Ana,Paz,H1,2026-01-05")
        ImportJob.objects.filter(pk=job).update(deed=None)
        with pytest.raises(Refusal) as refused:
            undo(job)
        assert refused.value.reasons[0].code == "no_record"

    def test_a_page_has_less_time_than_the_command(self, house: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
        job = brought("employees", PEOPLE, "E9,Ana,Paz,H1,2026-01-05")
        state = current_state()

        def endless(self: Rewinding) -> None:
            run("SET LOCAL statement_timeout = 20")
            run("SELECT pg_sleep(5)")

        monkeypatch.setattr(Rewinding, "compare", endless)
        with pytest.raises(Refusal, match=f"undo_import {job}"):
            undo(job)
        assert current_state() == state

    def test_no_more_than_so_many_rows_are_named(self, house: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("apps.imports.undoing.NAMED", 3)
        job = brought("employees", PEOPLE, *[f"N{n},Ana,Paz,H1,2026-01-05" for n in range(9)])
        Employee.objects.filter(employee_number__startswith="N").update(given_name="Eva")
        with pytest.raises(UndoRefused) as refused:
            undo(job)
        assert len(refused.value.obstacles) == 3


class TestWhoMay:
    def test_who_made_it_may(self, house: Clinic) -> None:
        job = brought("employees", PEOPLE, "E9,Ana,Paz,H1,2026-01-05", actor=house.manager)
        undo(job, house.manager)
        assert ImportJob.objects.get(pk=job).undone_by == house.manager

    def test_an_administrator_may_take_back_any(self, house: Clinic) -> None:
        undo(brought("employees", PEOPLE, "E9,Ana,Paz,H1,2026-01-05", actor=house.manager), house.admin)

    @pytest.mark.parametrize("who", ["supervisor", "viewer", "manager"])
    def test_others_may_not(self, who: str, house: Clinic) -> None:
        job = brought("employees", PEOPLE, "E9,Ana,Paz,H1,2026-01-05", actor=house.admin)
        with pytest.raises(Refusal) as refused:
            undo(job, getattr(house, who))
        assert refused.value.reasons[0].code == "forbidden"

    def test_what_left_the_scope_is_refused_without_a_name(self, house: Clinic) -> None:
        job = brought("employees", PEOPLE, "E9,Secreta,Paz,H1,2026-01-05", actor=house.manager)
        person = Employee.objects.get(employee_number="E9")
        person.home_unit = house.h2
        save_employees(employees=[person], actor=house.admin)
        with pytest.raises(UndoRefused) as refused:
            undo(job, house.manager)
        assert (refused.value.obstacles, refused.value.unseen) == ([], True)
        assert "E9" not in str(refused.value)

    def test_what_a_termination_closed_elsewhere_comes_back_with_the_person(self, house: Clinic) -> None:
        AssignmentFactory(employee=house.nurse, position=house.p2, effective_hours=5, accepted=True)
        before = current_state()
        header = "employee_number,last_day,transition,reason"
        job = brought("employees", header, "E1,2026-12-08,terminate,fin", actor=house.manager)
        undo(job, house.manager)
        assert current_state() == before


class TestOnRecord:
    def test_history_and_timeline_say_who_and_why(self, house: Clinic) -> None:
        job = brought("positions", "code,title", "P1,Otra")
        undo(job, house.admin, "wrong month")
        row = Position.history.filter(code="P1").first()
        assert (row.origin, row.history_user, row.title) == ("undo", house.admin, "Enfermería de guardia")
        assert "wrong month" in row.history_change_reason and f"{job}" in row.history_change_reason
        stored = ImportJob.objects.get(pk=job)
        assert row.deed == stored.undo_deed != stored.deed
        entry = AuditEntry.objects.filter(source="org.position").newest_first()[0]
        assert (entry.origin, entry.actor_id) == ("undo", house.admin.pk)

    def test_the_timeline_names_an_assignment_that_is_gone(self, house: Clinic) -> None:
        undo(brought("assignments", ASSIGN, "E1,P2,2026-12-14,4,,accept,ok"), house.admin)
        [entry, _accepted] = AuditEntry.objects.filter(source="assignments.assignment:transition").newest_first()[:2]
        [item] = shown([entry], house.admin)
        assert (item.subject, item.deed, item.link) == ("E1/P2/2026-12-14", "Take back", None)

    def test_figures_follow_by_marks(self, house: Clinic) -> None:
        job = brought("positions", "code,required_weekly_hours", "P1,99")
        Mark.objects.all().delete()
        undo(job)
        assert Mark.objects.filter(kind="position", subject_id=house.p1.pk).exists()

    def test_figures_and_violations_of_what_is_gone_go_too(self, house: Clinic) -> None:
        drain()
        figures = LedgerWeek.objects.count(), PositionCoverage.objects.count(), UnitCoverage.objects.count()
        BusinessRuleFactory(code="MAX_WEEKLY_HOURS", subject_kind="employee", severity="WARNING", threshold=3)
        jobs = [
            brought("org_units", "code,name,parent_code", "N1,New,H1"),
            brought("positions", "code,title,unit_code,required_weekly_hours", "P9,Ninth,N1,36"),
            brought("employees", PEOPLE, "E9,Ana,Paz,N1,2026-01-05"),
            brought("employee_tags", "employee_number,tag_code,valid_from", "E9,C,2026-01-05"),
            brought("employees", "employee_number,transition", "E9,activate"),
            brought("assignments", ASSIGN, "E9,P9,2026-01-05,4,,accept,"),
        ]
        drain()
        sweep(actor=None)
        broken = RuleViolation.objects.unresolved().filter(subject_code__startswith="E9")
        assert broken.exists()
        for job in reversed(jobs):
            undo(job)
        drain()
        sweep(actor=None)
        assert not broken.exists()
        assert figures == (LedgerWeek.objects.count(), PositionCoverage.objects.count(), UnitCoverage.objects.count())
        proof = compare()
        assert (proof.drift, proof.waiting) == ([], 0)

    def test_the_gate_is_not_asked(self, house: Clinic) -> None:
        BusinessRule.objects.all().delete()
        BusinessRuleFactory(code="MAX_WEEKLY_HOURS", subject_kind="employee", threshold=60)
        job = brought("assignments", ASSIGN, "E1,P1,2026-01-01,1,,,")
        AssignmentFactory(employee=house.nurse, position=house.p2, effective_hours=55, accepted=True)
        assert undo(job).restored == 1


class TestLoggedRowsStay:
    def test_nobody_else_deletes_a_row_that_a_log_tells_about(self, house: Clinic) -> None:
        proposal = Assignment.objects.filter(status="ACTIVE").first()
        assert proposal is not None
        EmployeeStatusPeriod.objects.all().delete()
        for obj in (house.nurse, proposal):
            with pytest.raises(ProtectedError):
                obj.delete()

    @pytest.mark.parametrize("table", ["org_employee", "assignments_assignment", "tags_tagcatalog"])
    def test_not_even_past_the_house(self, table: str, house: Clinic) -> None:
        refused = pytest.raises(IntegrityError, match="cannot be deleted")
        with refused, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {table}")


def test_the_number_of_statements_does_not_follow_the_rows(house: Clinic) -> None:
    def statements(count: int) -> int:
        numbers = [f"S{count}-{n}" for n in range(count)]
        brought("employees", PEOPLE, *[f"{number},Ana,Paz,H1,2026-01-05" for number in numbers])
        tag = TagCatalog.objects.get(code="C")
        EmployeeTag.objects.bulk_create(
            EmployeeTag(employee=person, tag=tag, valid_from=date(2026, 1, 5))
            for person in Employee.objects.filter(employee_number__in=numbers)
        )
        state = current_state()
        moves = brought("employees", "employee_number,given_name,transition", *[f"{n},Eva,activate" for n in numbers])
        with CaptureQueriesContext(connection) as queries:
            done = undo(moves)
        assert (done.restored, done.moved_back) == (count, count)
        assert current_state() == state
        return len(queries)

    assert statements(10) == statements(500)


def test_what_a_deed_nested_in_another_writes_belongs_to_the_outer_one(clinic: Clinic) -> None:
    from uuid import uuid4

    outer, inner = uuid4(), uuid4()
    with acting(None, "outer", deed=outer):
        with acting(clinic.admin, "inner", deed=inner):
            Position.objects.filter(pk=clinic.p1.pk).update(title="one")
        Position.objects.filter(pk=clinic.p1.pk).update(title="two")
    Position.objects.filter(pk=clinic.p1.pk).update(title="three")
    deeds = Position.history.filter(id=clinic.p1.pk).order_by("-history_id").values_list("deed", flat=True)[:3]
    assert list(deeds) == [None, outer, outer]
