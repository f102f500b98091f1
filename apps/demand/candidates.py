"""Who else could give these hours: people nearby who hold what is required, those with most free hours first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db.models import Case, Exists, F, IntegerField, OuterRef, Q, Value, When
from django.db.models.functions import Coalesce

from apps.assignments.assignment_fsm import LIVE
from apps.assignments.models import Assignment
from apps.assignments.services import save_assignments
from apps.business_rules.services import what_if
from apps.business_rules.verdicts import Finding
from apps.changes.span import Span
from apps.common.clock import monday_of, today
from apps.common.errors import Reason, Refusal
from apps.fsm.employee_fsm import EmployeeStatus
from apps.fsm.services import Order, apply_transitions
from apps.org.models import Employee, Position
from apps.tags.models import EmployeeTag

if TYPE_CHECKING:
    from apps.users.models import User

MOST = 10


@dataclass(frozen=True)
class Candidate:
    """Somebody who could give the hours. `free` is the balance of the week in hour-days, as last computed.

    `findings` are what the gate would say of them, `refusal` a no that no rule says; without either nothing stands in
    the way.
    """

    employee: Any
    week: date
    free: int
    same_unit: bool
    findings: Sequence[Finding] = ()
    refusal: Sequence[Reason] = ()

    @property
    def allowed(self) -> bool:
        return not self.refusal and not any(f.severity == "BLOCKING" and not f.waived for f in self.findings)


def candidates(
    *,
    position: Position,
    hours: Decimal,
    starts_on: date,
    user: User,
    ends_on: date | None = None,
    is_reinforcement: bool = False,
    without: Sequence[int] = (),
    limit: int = MOST,
) -> list[Candidate]:
    """Return up to `limit` employees the user may see who could give these hours, the most likely first.

    They work in the position's unit, below it, or beside it, hold every REQUIRED tag on the first day, and have no
    live regular assignment there on those days; ranked by unit, then by the free hours of the first week. All of them
    are judged by the gate's own rules in one what-if, each as if proposed and accepted.
    """
    first = max(starts_on, today())
    week = monday_of(first)
    found = list(_nearby(position, first, ends_on, week, user, is_reinforcement).exclude(pk__in=without)[:limit])
    if not found:
        return []
    told = _judge(found, position, hours, starts_on, ends_on, is_reinforcement)
    return [
        Candidate(
            employee=row,
            week=week,
            free=row.free,
            same_unit=row.home_unit_id == position.org_unit_id,
            findings=told[row.pk][0],
            refusal=told[row.pk][1],
        )
        for row in found
    ]


def _nearby(
    position: Position, first: date, ends_on: date | None, week: date, user: User, is_reinforcement: bool
) -> Any:
    unit = position.org_unit
    beside = unit.path[-2] if len(unit.path) > 1 else unit.pk
    rows = Employee.objects.visible_to(user).filter(status=EmployeeStatus.ACTIVE, home_unit__path__contains=[beside])
    for tag in position.tags.filter(level="REQUIRED").values_list("tag_id", flat=True):
        held = EmployeeTag.objects.filter(
            Q(valid_until__isnull=True) | Q(valid_until__gte=first),
            employee=OuterRef("pk"), tag_id=tag, valid_from__lte=first,
        )  # fmt: skip
        rows = rows.filter(Exists(held))
    if not is_reinforcement:
        there = Assignment.objects.filter(
            Q(ends_on__isnull=True) | Q(ends_on__gte=first),
            employee=OuterRef("pk"), position=position, is_reinforcement=False, status__in=LIVE,
        )  # fmt: skip
        if ends_on is not None:
            there = there.filter(starts_on__lte=ends_on)
        rows = rows.filter(~Exists(there))
    span = Span.current()
    place = min((week - span.first_week).days // 7, span.weeks - 1)
    return (
        rows.select_related("home_unit")
        .annotate(
            near=Case(
                When(home_unit=unit, then=0),
                When(home_unit__path__contains=[unit.pk], then=1),
                default=2,
                output_field=IntegerField(),
            ),
            free=Coalesce(F(f"ledger__pool__{place}") - F(f"ledger__assigned__{place}"), Value(0)),
        )
        .order_by("near", "-free", "employee_number")
    )


Told = dict[int, tuple[list[Finding], Sequence[Reason]]]


def _judge(
    people: Sequence[Any],
    position: Position,
    hours: Decimal,
    starts_on: date,
    ends_on: date | None,
    is_reinforcement: bool,
) -> Told:
    """Return what stands in each one's way; one what-if for all, or, if a constraint says no, one for each."""

    def do() -> dict[int, int]:
        rows = [
            Assignment(
                employee_id=row.pk,
                position=position,
                effective_hours=hours,
                starts_on=starts_on,
                ends_on=ends_on,
                is_reinforcement=is_reinforcement,
            )
            for row in people
        ]
        made = save_assignments(assignments=rows, actor=None, confirmed=True)
        apply_transitions(Assignment, "accept", [Order(row.pk) for row in made], actor=None, consequence=True)
        return {row.pk: row.employee_id for row in made}

    answer = what_if(do, actor=None, detail=0)
    if answer.refusal is None:
        told: Told = {row.pk: ([], ()) for row in people}
        for finding in answer.verdicts:
            owner = finding.subject_id
            if finding.subject_kind == "assignment":
                owner = answer.returned[finding.subject_id]
            if owner in told:
                told[owner][0].append(finding)
        return told
    if len(people) == 1:
        return {people[0].pk: ([], _reasons(answer.refusal))}
    told = {}
    for row in people:
        told |= _judge([row], position, hours, starts_on, ends_on, is_reinforcement)
    return told


def _reasons(refusal: Refusal) -> Sequence[Reason]:
    return tuple(refusal.reasons)
