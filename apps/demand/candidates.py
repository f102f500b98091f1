"""Who else could give these hours: people nearby who hold what is required, those with most free hours first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db.models import Case, Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce, Least

from apps.assignments.assignment_fsm import LIVE
from apps.assignments.models import Assignment
from apps.assignments.services import save_assignments
from apps.business_rules.services import what_if
from apps.business_rules.verdicts import Finding
from apps.changes.span import Span
from apps.common.clock import monday_of, today
from apps.common.errors import Reason, Refusal
from apps.common.hours import to_hundredths
from apps.fsm.employee_fsm import EmployeeStatus
from apps.fsm.services import Order, apply_transitions
from apps.org.models import Employee, Leave, Position
from apps.tags.enums import Level, TagType
from apps.tags.models import EmployeeTag

if TYPE_CHECKING:
    from apps.users.models import User

MOST = 10
# Of so many the most have the hours free; the others are the nearest who would have to give up something for it.
WITH_ROOM = Decimal("0.8")


@dataclass(frozen=True)
class Wanted:
    """Hours a position wants somebody for: so many a week, from a day until another (None = without end)."""

    position: Position
    hours: Decimal
    starts_on: date
    ends_on: date | None = None
    is_reinforcement: bool = False

    @property
    def first(self) -> date:
        """Return the first day that is still to come."""
        return max(self.starts_on, today())


@dataclass(frozen=True)
class Candidate:
    """Somebody who could give the hours.

    `free` is the balance of the first week, `least_free` the lowest of the weeks wanted that are kept, both in
    hour-days as last computed. `steps` is how far up from the position's unit they are found: 0 there, 1 below it, 2
    beside it, and so on. `findings` are what the gate would say of them, `refusal` a no that no rule says; without
    either nothing stands in the way.
    """

    employee: Any
    week: date
    free: int
    least_free: int
    has_room: bool
    steps: int
    preferred: Sequence[str] = ()
    lacking: Sequence[str] = ()
    away: Sequence[Leave] = ()
    findings: Sequence[Finding] = ()
    refusal: Sequence[Reason] = ()

    @property
    def allowed(self) -> bool:
        return not self.refusal and not any(f.severity == "BLOCKING" and not f.waived for f in self.findings)

    @property
    def standing(self) -> int:
        """Return how much stands in the way: 0 nothing, 1 something to confirm, 2 a no."""
        if not self.allowed:
            return 2
        return 1 if any(not finding.waived for finding in self.findings) or self.away else 0

    @property
    def has_contract(self) -> bool:
        return bool(self.employee.has_contract)

    @property
    def contract_until(self) -> date | None:
        """Return the last day of the contract that holds on the first day; None for one without end, or for none."""
        until: date | None = self.employee.contract_until
        return until


def candidates(
    wanted: Wanted, *, user: User | None, without: Sequence[int] = (), limit: int = MOST, widely: bool = False,
    untrained: bool = False,
) -> list[Candidate]:  # fmt: skip
    """Return up to `limit` employees the user may see (None = all) who could give these hours, the most likely first.

    They work in the position's unit, below it, or beside it (`widely`: anywhere, the nearest first), hold every
    REQUIRED tag on the first day (`untrained`: or not), and have no live regular assignment there on those days. All
    of them are judged by the gate's own rules in one what-if, each as if proposed and accepted. First come those in
    whose way nothing stands; then whoever is near, has the hours free, and holds most of what is preferred.
    """
    found = _found(wanted, user, without, limit, widely, untrained)
    if not found:
        return []
    told = _judge(found, wanted)
    held = _held(found, wanted)
    away = _away(found, wanted)
    asked = list(wanted.position.tags.select_related("tag"))
    people = [
        Candidate(
            employee=row,
            week=monday_of(wanted.first),
            free=row.free,
            least_free=row.least_free,
            has_room=row.has_room,
            steps=row.steps,
            preferred=[one.tag.name for one in asked if one.level == Level.PREFERRED and one.tag_id in held[row.pk]],
            lacking=[one.tag.name for one in asked if one.level == Level.REQUIRED and one.tag_id not in held[row.pk]],
            away=away[row.pk],
            findings=told[row.pk][0],
            refusal=told[row.pk][1],
        )
        for row in found
    ]
    return sorted(
        people,
        key=lambda one: (one.standing, one.steps, not one.has_room, -len(one.preferred), -one.free,
                         one.employee.employee_number),
    )  # fmt: skip


def _found(
    wanted: Wanted, user: User | None, without: Sequence[int], limit: int, widely: bool, untrained: bool
) -> list[Any]:
    """Return whom to judge: ring by ring around the position's unit, so that no question is about the whole house."""
    path = wanted.position.org_unit.path
    rings = path[::-1] if widely else path[::-1][:2]
    everybody = _possible(wanted, user, untrained).exclude(pk__in=without)
    found: list[Any] = []
    for rows, most in (
        (everybody.filter(has_room=True), int(limit * WITH_ROOM)),
        (everybody.exclude(has_room=True), limit),
    ):
        for place, ring in enumerate(rings):
            if len(found) >= most:
                break
            here = rows.filter(home_unit__path__contains=[ring])
            if place:
                here = here.exclude(home_unit__path__contains=[rings[place - 1]])
            found += here[: most - len(found)]
    if len(found) < limit:
        # Fewer than hoped lack the hours: more of those who have them.
        seen = [row.pk for row in found]
        rest = everybody.filter(has_room=True, home_unit__path__contains=[rings[-1]]).exclude(pk__in=seen)
        found += rest[: limit - len(found)]
    return found


def _possible(wanted: Wanted, user: User | None, untrained: bool) -> Any:
    """Return who may be thought of, with what they are ranked by, in the order of that."""
    position, first, last = wanted.position, wanted.first, wanted.ends_on
    unit = position.org_unit
    rows = Employee.objects.all() if user is None else Employee.objects.visible_to(user)
    rows = rows.filter(status=EmployeeStatus.ACTIVE)
    if not untrained:
        for tag in position.tags.filter(level=Level.REQUIRED).values_list("tag_id", flat=True):
            rows = rows.filter(Exists(_holds(first).filter(employee=OuterRef("pk"), tag_id=tag)))
    if not wanted.is_reinforcement:
        there = Assignment.objects.filter(
            Q(ends_on__isnull=True) | Q(ends_on__gte=first),
            employee=OuterRef("pk"), position=position, is_reinforcement=False, status__in=LIVE,
        )  # fmt: skip
        if last is not None:
            there = there.filter(starts_on__lte=last)
        rows = rows.filter(~Exists(there))
    balances = [
        Coalesce(F(f"ledger__pool__{place}") - F(f"ledger__assigned__{place}"), Value(0))
        for place in _places(first, last)
    ]
    contract = _holds(first).filter(employee=OuterRef("pk"), tag__type=TagType.CONTRACT)
    above = [When(home_unit__path__contains=[one], then=number + 1) for number, one in enumerate(unit.path[::-1])]
    return (
        rows.select_related("home_unit")
        .annotate(
            steps=Case(When(home_unit=unit, then=0), *above, default=len(unit.path) + 1, output_field=IntegerField()),
            free=balances[0],
            least_free=Least(*balances) if len(balances) > 1 else balances[0],
            contract_until=Subquery(
                contract.order_by(F("valid_until").desc(nulls_first=True)).values("valid_until")[:1]
            ),
            has_contract=Exists(contract),
        )
        .annotate(has_room=Case(When(least_free__gte=to_hundredths(wanted.hours) * 7, then=True), default=False))
        .order_by("steps", "-least_free", "employee_number")
    )


def _places(first: date, last: date | None) -> range:
    """Return which of the weeks kept, by number, the days from first to last lie in: at least one."""
    span = Span.current()
    begin = min((monday_of(first) - span.first_week).days // 7, span.weeks - 1)
    end = span.weeks if last is None else min((monday_of(last) - span.first_week).days // 7 + 1, span.weeks)
    return range(begin, max(end, begin + 1))


def _holds(day: date) -> QuerySet[EmployeeTag]:
    return EmployeeTag.objects.filter(Q(valid_until__isnull=True) | Q(valid_until__gte=day), valid_from__lte=day)


def _held(people: Sequence[Any], wanted: Wanted) -> defaultdict[int, set[int]]:
    """Return the tags of the position that each holds on the first day."""
    held: defaultdict[int, set[int]] = defaultdict(set)
    rows = _holds(wanted.first).filter(employee__in=people, tag__in=wanted.position.tags.values("tag"))
    for employee, tag in rows.values_list("employee_id", "tag_id"):
        held[employee].add(tag)
    return held


def _away(people: Sequence[Any], wanted: Wanted) -> defaultdict[int, list[Leave]]:
    """Return the leaves of each that cover days wanted, of those within the weeks kept."""
    last = Span.current().last_day if wanted.ends_on is None else wanted.ends_on
    away: defaultdict[int, list[Leave]] = defaultdict(list)
    leaves = Leave.objects.filter(
        Q(ends_on__isnull=True) | Q(ends_on__gte=wanted.first), employee__in=people, starts_on__lte=last
    )
    for leave in leaves.order_by("starts_on"):
        away[leave.employee_id].append(leave)
    return away


Told = dict[int, tuple[list[Finding], Sequence[Reason]]]


def _judge(people: Sequence[Any], wanted: Wanted) -> Told:
    """Return what stands in each one's way; one what-if for all, or, if a constraint says no, one for each."""

    def do() -> dict[int, int]:
        rows = [
            Assignment(
                employee_id=row.pk,
                position=wanted.position,
                effective_hours=wanted.hours,
                starts_on=wanted.starts_on,
                ends_on=wanted.ends_on,
                is_reinforcement=wanted.is_reinforcement,
            )
            for row in people
        ]
        made = save_assignments(assignments=rows, actor=None, confirmed=True)
        apply_transitions(Assignment, "accept", [Order(row.pk) for row in made], actor=None, consequence=True)
        return {row.pk: row.employee_id for row in made}

    answer = what_if(do, actor=None, only_verdicts=True)
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
        told |= _judge([row], wanted)
    return told


def _reasons(refusal: Refusal) -> Sequence[Reason]:
    return tuple(refusal.reasons)
