"""What can be done to assignments, their status aside (apps.fsm.services)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from apps.business_rules.services import Judgement, judged
from apps.business_rules.services.gate import outer_judgement
from apps.common.acting import acting
from apps.common.clock import today
from apps.common.errors import Reason, Refusal
from apps.common.saving import BATCH, save_rows, within_scope
from apps.common.staging import StagedSheet
from apps.fsm.services import Order, apply_transitions
from apps.org.models import Employee, Position

from .assignment_fsm import AssignmentStatus
from .models import Assignment, AssignmentTransitionLog

if TYPE_CHECKING:
    from apps.users.models import User

# Written once, when it is proposed, or by the door; another employee or position is another assignment.
KEPT = ("employee", "position", "created_by", "accepted_at", "voided")

LOOKED_AT_ONCE = 20_000  # rows of a sheet handed to the judgement under way


def propose_assignment(
    *,
    employee: Employee,
    position: Position,
    hours: Decimal,
    starts_on: date,
    actor: User | None,
    ends_on: date | None = None,
    expires_on: date | None = None,
    is_reinforcement: bool = False,
    reason: str = "",
    confirmed: bool = False,
) -> Assignment:
    """Propose that an employee gives hours to a position; judged by the rules as if it were accepted."""
    assignment = Assignment(
        employee=employee,
        position=position,
        effective_hours=hours,
        starts_on=starts_on,
        ends_on=ends_on,
        expires_on=expires_on,
        is_reinforcement=is_reinforcement,
    )
    return save_assignments(assignments=[assignment], actor=actor, reason=reason, confirmed=confirmed)[0]


def change_assignment(
    *, assignment: Assignment, actor: User | None, reason: str = "", confirmed: bool = False
) -> Assignment:
    """Save changed hours or dates of an assignment that is not closed."""
    return save_assignments(assignments=[assignment], actor=actor, reason=reason, confirmed=confirmed)[0]


def save_assignments(
    *, assignments: Sequence[Assignment], actor: User | None, reason: str = "", confirmed: bool = False
) -> list[Assignment]:
    """Propose (rows without a key) or change assignments in the actor's scope, all of them or none.

    The employees are locked first, so that the sum the rules look at cannot move meanwhile. The rules judge what the
    change adds: RulesRefused for what blocks, WarningsToConfirm for warnings without `confirmed`.
    """
    with acting(actor, reason):
        Employee.objects.lock({row.employee_id for row in assignments})
        _refuse_closed(assignments)
        _refuse_unseen_employees(assignments, actor)
        new = {id(row) for row in assignments if row.pk is None}
        changed = [row.pk for row in assignments if row.pk is not None]
        for row in assignments:
            if row.pk is None and actor is not None:
                row.created_by_id = actor.pk
        subjects = {
            "employee": {row.employee_id for row in assignments},
            "position": {row.position_id for row in assignments},
            "assignment": changed,
        }
        with judged(subjects=subjects, actor=actor, confirmed=confirmed) as judgement:
            with within_scope(Assignment, assignments, actor):
                save_rows(Assignment, assignments, leave=KEPT)
            judgement.add("assignment", [row.pk for row in assignments if id(row) in new])
        _log_what_was_confirmed(assignments, new, judgement, actor, reason)
    return list(assignments)


def write_staged(*, sheet: StagedSheet) -> None:
    """Write a sheet's rows inside the `judged` block of the whole sheet, as `save_assignments` writes instances."""
    judgement = outer_judgement()
    if judgement is None:
        raise AssertionError("a sheet of assignments is judged as a whole")
    sql = f"""SELECT s.pk, s.e_employee_id, s.e_position_id, s.stored IS NULL FROM sheet_rows s
        WHERE {sheet.chosen} AND (s.stored IS NULL OR s.changes <> '{{}}') ORDER BY s.line"""
    for rows in sheet.in_turn(sql, sheet.params, size=LOOKED_AT_ONCE):
        judgement.look_before(
            {
                "employee": {employee for _pk, employee, _position, _new in rows},
                "position": {position for _pk, _employee, position, _new in rows},
                "assignment": [pk for pk, _employee, _position, new in rows if not new],
            }
        )
    sheet.write()
    for rows in sheet.in_turn(sql, sheet.params, size=LOOKED_AT_ONCE):
        judgement.add("assignment", [pk for pk, _employee, _position, new in rows if new])


def log_confirmed_in(*, sheet: StagedSheet, judgement: Judgement, actor: User | None, reason: str) -> None:
    """Keep who confirmed which warnings of a sheet's rows, once they are judged."""
    if not judgement.added:
        return
    told = judgement.told_about("assignment")
    sql = f"""SELECT s.pk, s.stored IS NULL FROM sheet_rows s
        WHERE {sheet.chosen} AND (s.stored IS NULL OR s.changes <> '{{}}') ORDER BY s.line"""
    for found in sheet.in_turn(sql, sheet.params, size=BATCH):
        is_new = {pk: new for pk, new in found if told is None or pk in told}
        rows = list(Assignment.objects.filter(pk__in=is_new).only("pk", "status"))
        _log_what_was_confirmed(rows, {id(row) for row in rows if is_new[row.pk]}, judgement, actor, reason)


def _log_what_was_confirmed(
    assignments: Sequence[Assignment], new: set[int], judgement: Judgement, actor: User | None, reason: str
) -> None:
    """Keep who confirmed which warnings beside the transitions; a proposal without any needs no row."""
    rows = [
        AssignmentTransitionLog(
            subject=row,
            subject_code=row.log_code,
            from_status=row.status,
            to_status=row.status,
            transition="propose" if id(row) in new else "change",
            actor=actor,
            reason=reason,
            metadata={"rules": record},
        )
        for row in assignments
        if (record := judgement.record_of("assignment", row.pk))
    ]
    AssignmentTransitionLog.objects.bulk_create(rows, batch_size=BATCH)


def expire_proposals(*, actor: User | None) -> int:
    """Close the proposals past their expiry; the daily job."""
    due = Assignment.objects.expired_by(today()).values_list("pk", flat=True)
    return len(apply_transitions(Assignment, "expire", [Order(pk) for pk in due], actor=actor))


def close_ended(*, actor: User | None) -> int:
    """Close the assignments whose last day is gone by, on that day; the daily job."""
    reason = str(_("its last day is over"))
    due = Assignment.objects.ended_before(today()).values_list("pk", "ends_on")
    orders = [Order(pk, reason, {"ends_on": ends_on}) for pk, ends_on in due]
    return len(apply_transitions(Assignment, "close", orders, actor=actor))


def _refuse_closed(assignments: Sequence[Assignment]) -> None:
    pks = [row.pk for row in assignments if row.pk is not None]
    closed = Assignment.objects.filter(pk__in=pks, status=AssignmentStatus.CLOSED).select_related(
        "employee", "position"
    )
    if reasons := [
        Reason(_("%(what)s is closed: its days and hours stay as they are.") % {"what": row}, code="closed", fixable=80)
        for row in closed[:20]
    ]:
        raise Refusal(reasons)


def _refuse_unseen_employees(assignments: Sequence[Assignment], actor: User | None) -> None:
    if actor is None:
        return
    wanted = {row.employee_id for row in assignments if row.pk is None}
    if wanted and Employee.objects.visible_to(actor).filter(pk__in=wanted).count() != len(wanted):
        raise Refusal(Reason(_("There is no such employee in your part of the organisation."), field="employee",
                             code="out_of_scope"))  # fmt: skip
