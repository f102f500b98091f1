"""What an assignment, or a transition, would do: the employee's hours and the position's coverage week by week."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from apps.assignments.assignment_fsm import AssignmentStatus
from apps.assignments.models import Assignment
from apps.assignments.services import change_assignment, propose_assignment
from apps.business_rules.services import WhatIf, what_if
from apps.business_rules.services.what_if import Weeks
from apps.common.hours import to_hours
from apps.common.weeks import week_code
from apps.fsm.services import Order, apply_transition, apply_transitions
from apps.org.models import Employee, Position

if TYPE_CHECKING:
    from apps.users.models import User


@dataclass(frozen=True)
class LedgerChange:
    """An employee's week before and after, in hour-days; `before` and `after` are the balances."""

    week: date
    pool: int
    assigned_before: int
    assigned_after: int
    before: int
    after: int


@dataclass(frozen=True)
class CoverageChange:
    """A position's or unit's week, in hour-days: what it needs after, what it has before and after."""

    week: date
    required: int
    before: int
    after: int
    reinforcement: int = 0
    unqualified: int = 0


@dataclass(frozen=True)
class Preview:
    """What assigning an employee to a position would do; `answer` has the verdicts and whatever else it touches."""

    answer: WhatIf
    employee_id: int
    position_id: int

    @property
    def allowed(self) -> bool:
        return self.answer.allowed

    @property
    def ledger(self) -> list[LedgerChange]:
        """Return the employee's weeks; empty for somebody the person asking may not see."""
        return ledger_weeks(self.answer, self.employee_id)

    @property
    def coverage(self) -> list[CoverageChange]:
        """Return the position's weeks; empty for one the person asking may not see."""
        return coverage_weeks(self.answer, self.position_id)

    def as_json(self) -> dict[str, Any]:
        """Return it as commands and the API print it; hours are texts with two decimals."""
        return {
            "allowed": self.allowed,
            "verdicts": verdicts_as_json(self.answer),
            "ledger": [
                {
                    "week": week_code(line.week),
                    "before": str(to_hours(line.before)),
                    "after": str(to_hours(line.after)),
                    "pool": str(to_hours(line.pool)),
                }
                for line in self.ledger
            ],
            "coverage": [
                {
                    "week": week_code(line.week),
                    "before": str(to_hours(line.before)),
                    "after": str(to_hours(line.after)),
                    "required": str(to_hours(line.required)),
                }
                for line in self.coverage
            ],
            "opens": [finding.as_json() for finding in self.answer.opened],
            "closes": [finding.as_json() for finding in self.answer.closed],
        }


def preview_proposal(
    *,
    employee: Employee,
    position: Position,
    hours: Decimal,
    starts_on: date,
    actor: User | None,
    ends_on: date | None = None,
    is_reinforcement: bool = False,
    each_rule: bool = False,
) -> Preview:
    """Return what proposing these hours, and accepting them, would do; the same services and rules as the real deed.

    Raise NoAnswer if that cannot be found out in time.
    """

    def do() -> int:
        made = propose_assignment(
            employee=employee,
            position=position,
            hours=hours,
            starts_on=starts_on,
            ends_on=ends_on,
            is_reinforcement=is_reinforcement,
            actor=actor,
        )
        accepted(made.pk, actor)
        return made.pk

    seen = _seen(employee.pk, position.pk, actor)
    return Preview(what_if(do, actor=actor, also=seen, each_rule=each_rule), employee.pk, position.pk)


def preview_change(
    *, assignment: Assignment, values: Mapping[str, Any], actor: User | None, each_rule: bool = False
) -> Preview:
    """Return what other hours or dates of an assignment would do; a proposal counts as accepted afterwards."""

    def do() -> int:
        row = Assignment.objects.get(pk=assignment.pk)
        for name, value in values.items():
            setattr(row, name, value)
        change_assignment(assignment=row, actor=actor)
        if row.status == AssignmentStatus.PROPOSED:
            accepted(row.pk, actor)
        return row.pk

    seen = _seen(assignment.employee_id, assignment.position_id, actor)
    return Preview(
        what_if(do, actor=actor, also=seen, each_rule=each_rule), assignment.employee_id, assignment.position_id
    )


def preview_acceptance(*, assignment: Assignment, actor: User | None, each_rule: bool = False) -> Preview:
    """Return what accepting a proposal would do."""
    seen = _seen(assignment.employee_id, assignment.position_id, actor)
    answer = what_if(lambda: accepted(assignment.pk, actor), actor=actor, also=seen, each_rule=each_rule)
    return Preview(answer, assignment.employee_id, assignment.position_id)


def preview_transition(
    *, subject: Any, name: str, actor: User | None, reason: str, inputs: Mapping[str, Any]
) -> WhatIf:
    """Return what a transition of an employee or an assignment would do."""

    def do() -> None:
        row = type(subject).objects.get(pk=subject.pk)
        apply_transition(row, name, actor=actor, reason=reason, confirmed=True, **inputs)

    return what_if(do, actor=actor, reason=reason)


def accepted(pk: int, actor: User | None) -> None:
    """Accept a proposal inside a what-if, whoever asks: what it would do does not hang on who may accept it."""
    apply_transitions(Assignment, "accept", [Order(pk)], actor=actor, consequence=True)


def ledger_weeks(answer: WhatIf, employee_id: int) -> list[LedgerChange]:
    """Return an employee's weeks before and after."""
    return _weeks(
        answer,
        answer.ledger.by_subject.get(employee_id),
        lambda week, before, after: LedgerChange(
            week,
            after["pool"],
            before["assigned"],
            after["assigned"],
            before["pool"] - before["assigned"],
            after["pool"] - after["assigned"],
        ),
    )


def coverage_weeks(answer: WhatIf, position_id: int) -> list[CoverageChange]:
    """Return a position's weeks before and after."""
    return _weeks(
        answer,
        answer.positions.by_subject.get(position_id),
        lambda week, before, after: CoverageChange(
            week,
            after["required"],
            before["assigned"],
            after["assigned"],
            after["reinforcement"],
            after["unqualified"],
        ),
    )


def verdicts_as_json(answer: WhatIf) -> list[dict[str, Any]]:
    """Return why not, and what has to be confirmed, blocking first; a service's no stands among them."""
    refused = [
        {
            "rule": reason.code,
            "severity": "BLOCKING",
            "message": str(reason.message),
            "observed": None,
            "limit": None,
            "records": list(reason.records),
            "waived": False,
            "remedy": "",
        }
        for reason in (answer.refusal.reasons if answer.refusal else ())
    ]
    return refused + [finding.as_json() | {"remedy": finding.remedy} for finding in answer.verdicts]


def _weeks(answer: WhatIf, weeks: Weeks | None, line: Any) -> list[Any]:
    if weeks is None:
        return []

    def at(figures: Mapping[str, Sequence[int]], place: int) -> dict[str, int]:
        return {name: values[place] for name, values in figures.items()}

    return [
        line(monday, at(weeks.before, place), at(weeks.after, place))
        for place, monday in enumerate(answer.span.mondays)
    ]


def _seen(employee_id: int, position_id: int, actor: User | None) -> dict[str, list[int]]:
    """Return which of the two ends the actor may look at: their figures are told even if the deed is refused."""
    ends = {"employee": [employee_id], "position": [position_id]}
    if actor is None:
        return ends
    for kind, model in (("employee", Employee), ("position", Position)):
        if not model.objects.visible_to(actor).filter(pk__in=ends[kind]).exists():
            ends[kind] = []
    return ends
