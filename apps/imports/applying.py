"""Doing what a plan says, through the services and the one door: as a whole, or row by row.

As a whole, the sheet is judged by its end state and one refusal leaves nothing behind. Row by row, what ends comes
before what begins, each employee's rows one after the other in the order of the file, and a refused row leaves the
others standing; rows that cannot meet are still saved together, so that ten thousand cost a few statements.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.utils.translation import gettext as _

from apps.business_rules.services import RulesRefused, judged
from apps.business_rules.verdicts import Finding
from apps.common.database_errors import explain_database_error
from apps.common.errors import Reason, Refusal
from apps.common.resources import Row
from apps.fsm.services import Order, TransitionsRefused, apply_transitions

from .plan import Plan, find_collisions

GATED = {"assignments": "assignment", "employees": "employee"}  # kind of sheet → kind of subject the rules judge


@dataclass
class Outcome:
    """What the rules found in what was applied: warnings that count as confirmed, and what is only told."""

    warnings: list[Finding] = field(default_factory=list)
    noted: list[Finding] = field(default_factory=list)


class RowsRefused(Exception):
    """The database or a service said no; `by_row` says to which rows (by identity) and why."""

    def __init__(self, by_row: Mapping[int, Sequence[Reason]]):
        self.by_row = by_row


def apply_whole(plan: Plan) -> Outcome:
    """Apply all rows in one go. After a refusal nothing is left, and the rows say why."""
    outcome = Outcome()
    _attempt(plan, plan.effective, outcome)
    return outcome


def apply_row_by_row(plan: Plan) -> Outcome:
    """Apply what can be applied; rows that are refused say why."""
    outcome = Outcome()
    for wave in _waves(plan):
        find_collisions(plan, wave)
        rows = [row for row in wave if not row.refused and not _hangs_on_refused(plan, row)]
        while rows and not _attempt(plan, rows, outcome):
            rows = [row for row in rows if not row.refused and not _hangs_on_refused(plan, row)]
    return outcome


def _hangs_on_refused(plan: Plan, row: Row) -> bool:
    """Refuse a unit below a new unit that was refused."""
    above = getattr(row.instance, "parent", None)
    if (
        above is None
        or above.pk is not None
        or not any(other.refused and other.instance is above for other in plan.rows)
    ):
        return False
    row.fail(
        "parent_code",
        "refused_reference",
        _("“%(code)s” stands in this sheet and is refused there: correct that row first.") % {"code": above.code},
    )
    return True


def _waves(plan: Plan) -> list[list[Row]]:
    """Return the rows in turns: endings first, then the n-th row of each employee in the n-th turn."""
    rows = sorted(plan.effective, key=lambda row: (not _is_ending(row), row.line))
    waves: list[list[Row]] = []
    turns: dict[Any, int] = defaultdict(int)
    for row in rows:
        who = getattr(row.instance, "employee_id", None) or row.key
        turn = turns[who]
        turns[who] += 1
        if turn == len(waves):
            waves.append([])
        waves[turn].append(row)
    return waves


def _is_ending(row: Row) -> bool:
    """Say whether a row only takes capacity away: a transition that ends, an earlier last day, fewer hours."""
    if row.is_new:
        return False
    if row.move is not None:
        return bool(row.move.ends)
    for name in ("ends_on", "valid_until", "until_day", "effective_hours"):
        if name in row.changes:
            before, after = row.changes[name]
            if after is None or (before is not None and after > before):
                return False
    return bool(row.changes)


def _attempt(plan: Plan, rows: Sequence[Row], outcome: Outcome) -> bool:
    """Apply the rows in a savepoint; on a refusal undo it, blame the rows, and say False."""
    try:
        judgement = _apply(plan, rows)
    except RowsRefused as refusal:
        _blame(rows, refusal.by_row)
    except Refusal as refusal:
        _blame_any(plan, rows, refusal)
    except DatabaseError as error:
        if (reason := explain_database_error(error)) is None:
            raise
        _blame_any(plan, rows, Refusal(reason))
    else:
        outcome.warnings += judgement[0]
        outcome.noted += judgement[1]
        return True
    _forget_keys(rows)
    return False


def _apply(plan: Plan, rows: Sequence[Row]) -> tuple[list[Finding], list[Finding]]:
    """Apply the rows: what ends first, then what is saved, then what begins; deferred constraints are asked last."""
    subject_kind = GATED.get(plan.resource.sheet)
    with transaction.atomic():
        if subject_kind is None:
            _write(plan, rows)
            found: tuple[list[Finding], list[Finding]] = ([], [])
        else:
            try:
                with judged(subjects=_looked_at(plan, rows), actor=plan.actor, confirmed=True) as judgement:
                    _write(plan, rows)
            except RulesRefused as refusal:
                raise RowsRefused(_by_row(rows, refusal.of(subject_kind), refusal, plan)) from refusal
            found = judgement.confirmed, judgement.noted
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    return found


def _looked_at(plan: Plan, rows: Sequence[Row]) -> dict[str, list[int]]:
    """Return the subjects to look at before the first row: whose capacity the sheet commits, and to what."""
    if plan.resource.sheet == "assignments":
        committing = [row.instance for row in rows if not _is_ending(row)]
        return {
            "employee": sorted({assignment.employee_id for assignment in committing}),
            "position": sorted({assignment.position_id for assignment in committing}),
        }
    return {}


def _write(plan: Plan, rows: Sequence[Row]) -> None:
    ending = [row for row in rows if row.move is not None and row.move.ends and not row.is_new]
    ahead = {id(row) for row in ending}
    _save(plan, [row for row in ending if row.changes])
    _move(plan, ending)
    others = [row for row in rows if id(row) not in ahead]
    _save(plan, [row for row in others if row.is_new or row.changes])
    _move(plan, [row for row in others if row.move is not None])


def _save(plan: Plan, rows: Sequence[Row]) -> None:
    if rows:
        plan.resource.save(rows, actor=plan.actor, confirmed=True)


def _move(plan: Plan, rows: Sequence[Row]) -> None:
    by_move: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_move[row.move.name].append(row)
    for name, movers in by_move.items():
        orders = [Order(row.instance.pk, row.reason, row.inputs) for row in movers]
        try:
            apply_transitions(plan.resource.model(), name, orders, actor=plan.actor, confirmed=True)
        except TransitionsRefused as refusal:
            by_row = {id(row): refusal.by_subject[row.instance.pk] for row in movers
                      if row.instance.pk in refusal.by_subject}  # fmt: skip
            raise RowsRefused(by_row) from refusal


# Whose fault it was


def _by_row(
    rows: Sequence[Row], by_pk: Mapping[int, Sequence[Reason]], refusal: RulesRefused, plan: Plan
) -> dict[int, Sequence[Reason]]:
    """Give the findings of the rules to the rows that commit capacity; to all of the employee's where none is named."""
    found: dict[int, Sequence[Reason]] = {
        id(row): by_pk[row.instance.pk] for row in rows if row.instance.pk in by_pk and not _is_ending(row)
    }
    if not found:
        by_employee = refusal.of("employee")
        found = {
            id(row): by_employee[employee]
            for row in rows
            if not _is_ending(row)
            and (employee := getattr(row.instance, "employee_id", row.instance.pk)) in by_employee
        }
    return found or {id(row): refusal.reasons for row in rows}


def _blame(rows: Sequence[Row], by_row: Mapping[int, Sequence[Reason]]) -> None:
    for row in rows:
        for reason in by_row.get(id(row), ()):
            column = reason.field if reason.field in row.values else _column_for(row)
            row.fail(column, reason.code, str(reason.message))


def _column_for(row: Row) -> str:
    if row.move is not None:
        return "transition"
    return "effective_hours" if "effective_hours" in row.values else ""


def _blame_any(plan: Plan, rows: Sequence[Row], refusal: Refusal) -> None:
    """Find the rows a refusal without names is about, by trying halves; all of them if no half fails alone."""
    _forget_keys(rows)
    guilty = _search(plan, list(rows), lambda some: _fails(plan, some))
    for row in guilty or rows:
        for reason in refusal.reasons:
            row.fail(reason.field if reason.field in row.values else "", reason.code, str(reason.message))


def _search(plan: Plan, rows: list[Row], fails: Callable[[list[Row]], bool]) -> list[Row]:
    if not rows or not fails(rows):
        return []
    if len(rows) == 1:
        return rows
    half = len(rows) // 2
    found = [*_search(plan, rows[:half], fails), *_search(plan, rows[half:], fails)]
    return found or rows


def _fails(plan: Plan, rows: list[Row]) -> bool:
    try:
        with transaction.atomic():
            _apply(plan, rows)
            transaction.set_rollback(True)
    except (Refusal, RowsRefused, DatabaseError):
        return True
    finally:
        _forget_keys(rows)
    return False


def _forget_keys(rows: Sequence[Row]) -> None:
    """Make unsaved again what a rollback took back."""
    for row in rows:
        if row.is_new and row.instance.pk is not None:
            row.instance.pk = None
            row.instance._state.adding = True
