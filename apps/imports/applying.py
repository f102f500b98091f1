"""Writing a sheet's rows, through the services and the one door: as a whole, or row by row.

As a whole, the sheet is judged by its end state and one refusal leaves nothing behind. Row by row, what ends comes
before what begins, each employee's rows one after the other in the order of the file, and a refused row leaves the
others standing; rows that cannot meet a refused one are still written together, so that a million cost a few
statements.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db import DatabaseError, connection, transaction

from apps.assignments.services import log_confirmed_in
from apps.business_rules.services import RulesRefused, judged
from apps.business_rules.verdicts import Finding
from apps.common.database_errors import explain_database_error
from apps.common.errors import Reason, Refusal
from apps.common.staging import EFFECTIVE, LinesRefused, StagedSheet
from apps.fsm.moves import Move
from apps.fsm.services import Order, TransitionsRefused, apply_transitions

from .checking import refuse_orphans, refuse_overlaps

GATED = {"assignments": "assignment", "employees": "employee"}  # kind of sheet → kind of subject the rules judge
# The door holds the records it moves: so many at a time, however many there are.
AT_THE_DOOR = 5_000
# So often all that is not set apart is tried at once; then everything goes one after the other.
MOST_ATTEMPTS = 8
APART = "(s.line IN (SELECT line FROM sheet_apart))"
ByLine = Mapping[int, Sequence[Reason]]


@dataclass
class Outcome:
    """What the rules found in what was written: warnings that count as confirmed, and what is only told."""

    warnings: list[Finding] = field(default_factory=list)
    noted: list[Finding] = field(default_factory=list)


def apply_whole(sheet: StagedSheet) -> Outcome:
    """Write all rows in one go. After a refusal nothing is left, and the rows say why."""
    outcome = Outcome()
    if (blame := _attempt(sheet, outcome)) is not None:
        _note(sheet, blame)
    return outcome


def apply_row_by_row(sheet: StagedSheet) -> Outcome:
    """Write what can be written; rows that are refused say why.

    What stands as a whole stands row by row: endings come first, and beginnings only add. So everything is tried at
    once. Where something is refused, the rows that can meet it (of the same employee or position, and so on) are set
    apart, and go one after the other once the others are written.
    """
    outcome = Outcome()
    if _never_meet(sheet):
        _write_turn(sheet, outcome)
        return outcome
    sheet.execute("CREATE TEMP TABLE sheet_apart (line integer PRIMARY KEY)")
    try:
        _set_apart(sheet, _overlapping(sheet))
        with sheet.narrowed(f"NOT {APART}"):
            for attempt in range(MOST_ATTEMPTS):
                if not _any(sheet) or (blame := _attempt(sheet, outcome)) is None:
                    break
                _set_apart(sheet, None if attempt == MOST_ATTEMPTS - 2 else blame)
        with sheet.narrowed(APART):
            for lines in _turns(sheet):
                sheet.among = lines
                _write_turn(sheet, outcome)
    finally:
        sheet.among = None
    sheet.execute("DROP TABLE sheet_apart")
    return outcome


def _write_turn(sheet: StagedSheet, outcome: Outcome) -> None:
    """Write the chosen rows, none of which can meet another; what is refused is left out until the rest goes."""
    refuse_overlaps(sheet)
    refuse_orphans(sheet)
    while _any(sheet) and (blame := _attempt(sheet, outcome)) is not None:
        _note(sheet, blame)
        refuse_orphans(sheet)


def _never_meet(sheet: StagedSheet) -> bool:
    """Say whether no employee has two of the rows."""
    sql = f"SELECT 1 FROM sheet_rows s WHERE {sheet.chosen} GROUP BY {_whose(sheet)} HAVING count(*) > 1 LIMIT 1"
    return not sheet.fetch(sql, sheet.params)


def _whose(sheet: StagedSheet) -> str:
    return "s.e_employee_id" if sheet.resource.sheet in ("assignments", "employee_tags", "leaves") else "s.pk"


def _overlapping(sheet: StagedSheet) -> list[int]:
    """Return the lines that would overlap others if all stood; nothing is noted."""
    with transaction.atomic():
        before = {line for (line,) in sheet.fetch("SELECT DISTINCT line FROM sheet_problems")}
        lines = []
        if refuse_overlaps(sheet):
            lines = [line for (line,) in sheet.fetch("SELECT DISTINCT line FROM sheet_problems") if line not in before]
            transaction.set_rollback(True)
    return lines


def _set_apart(sheet: StagedSheet, lines: Iterable[int] | None) -> None:
    """Set these lines apart, with all that can meet them and so on; None are all lines."""
    if lines is None:
        sheet.execute(
            f"INSERT INTO sheet_apart SELECT s.line FROM sheet_rows s WHERE {sheet.chosen} ON CONFLICT DO NOTHING",
            sheet.params,
        )
        return
    sheet.execute(
        "INSERT INTO sheet_apart SELECT unnest(%(lines)s::int[]) ON CONFLICT DO NOTHING", {"lines": list(lines)}
    )
    meeting = [_whose(sheet)] + (["s.e_position_id"] if sheet.resource.sheet == "assignments" else [])
    found = True
    while found:
        sheet.execute("ANALYZE sheet_apart")
        found = False
        for name in meeting:
            found |= (
                sheet.execute(
                    f"""INSERT INTO sheet_apart
                SELECT s.line FROM sheet_rows s WHERE {EFFECTIVE} AND {name} IN (
                    SELECT {name} FROM sheet_rows s WHERE s.line IN (SELECT line FROM sheet_apart)
                ) ON CONFLICT DO NOTHING"""
                )
                > 0
            )


def _any(sheet: StagedSheet) -> bool:
    return bool(sheet.fetch(f"SELECT 1 FROM sheet_rows s WHERE {sheet.chosen} LIMIT 1", sheet.params))


def _lines(sheet: StagedSheet) -> list[int]:
    return [line for (line,) in sheet.fetch(f"SELECT s.line FROM sheet_rows s WHERE {sheet.chosen}", sheet.params)]


def _turns(sheet: StagedSheet) -> list[list[int]]:
    """Return the lines in turns: endings first, then the n-th row of each employee in the n-th turn."""
    rows = sheet.fetch(
        f"""SELECT array_agg(line ORDER BY line) FROM (
            SELECT s.line, row_number() OVER (PARTITION BY {_whose(sheet)} ORDER BY NOT s.ending, s.line) AS turn
            FROM sheet_rows s WHERE {sheet.chosen}
        ) turns GROUP BY turn ORDER BY turn""",
        sheet.params,
    )
    return [lines for (lines,) in rows]


def _note(sheet: StagedSheet, blame: ByLine) -> None:
    """Write down why lines are refused, and take them out of what is to be written."""
    sql = "SELECT line FROM sheet_rows WHERE line = ANY (%(lines)s) AND move IS NOT NULL"
    moving = {line for (line,) in sheet.fetch(sql, {"lines": list(blame)})}
    rows = [
        (
            line,
            reason.field if reason.field in sheet.present else _column_for(sheet, line in moving),
            reason.code,
            json.dumps({"sentence": str(reason.message)}),
        )
        for line, reasons in blame.items()
        for reason in reasons
    ]
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO sheet_problems (line, col, code, about) VALUES (%s, %s, %s, %s::jsonb)", rows)
    sheet.settle()


def _column_for(sheet: StagedSheet, moving: bool) -> str:
    if moving:
        return "transition"
    return "effective_hours" if "effective_hours" in sheet.present else ""


def _attempt(sheet: StagedSheet, outcome: Outcome) -> ByLine | None:
    """Write the chosen rows in a savepoint; on a refusal leave nothing and return whose fault it is."""
    try:
        warnings, noted = _apply(sheet)
    except LinesRefused as refusal:
        return refusal.by_line
    except Refusal as refusal:
        return _search_guilty(sheet, refusal)
    except DatabaseError as error:
        if (reason := explain_database_error(error)) is None:
            raise
        return _search_guilty(sheet, Refusal(reason))
    outcome.warnings += warnings
    outcome.noted += noted
    return None


def _apply(sheet: StagedSheet) -> tuple[list[Finding], list[Finding]]:
    """Write the chosen rows: what ends first, then what is saved, then what begins; deferred constraints come last."""
    subject_kind = GATED.get(sheet.resource.sheet)
    found: tuple[list[Finding], list[Finding]] = ([], [])
    with transaction.atomic():
        if subject_kind is None:
            _write(sheet)
        else:
            try:
                with judged(subjects=_looked_at(sheet), actor=sheet.actor, confirmed=True) as judgement:
                    _write(sheet)
            except RulesRefused as refusal:
                raise LinesRefused(_by_line(sheet, refusal, subject_kind)) from refusal
            if subject_kind == "assignment":
                log_confirmed_in(sheet=sheet, judgement=judgement, actor=sheet.actor, reason="")
            found = judgement.confirmed, judgement.noted
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    return found


def _looked_at(sheet: StagedSheet) -> dict[str, list[int]]:
    """Return the subjects to look at before the first row: whose capacity the sheet commits, and to what."""
    if sheet.resource.sheet != "assignments":
        return {}

    def named(column: str) -> list[int]:
        sql = f"SELECT DISTINCT {column} FROM sheet_rows s WHERE {sheet.chosen} ORDER BY 1"
        return [pk for (pk,) in sheet.fetch(sql, sheet.params)]

    with sheet.narrowed("NOT s.ending"):
        return {"employee": named("s.e_employee_id"), "position": named("s.e_position_id")}


def _write(sheet: StagedSheet) -> None:
    """Endings of stored rows are written and moved ahead, so that they make room; then everything else."""
    machine = sheet.resource.machine
    ends = [move.name for move in machine.moves if move.ends] if machine is not None else []
    if ends and "transition" in sheet.present:
        names = ", ".join(f"'{name}'" for name in ends)
        ending = f"s.stored IS NOT NULL AND s.move IS NOT NULL AND s.move IN ({names})"
        with sheet.narrowed(ending):
            _write_and_move(sheet)
        with sheet.narrowed(f"({ending}) IS NOT TRUE"):
            _write_and_move(sheet)
    else:
        _write_and_move(sheet)


def _write_and_move(sheet: StagedSheet) -> None:
    sheet.resource.save(sheet)
    if sheet.resource.machine is None or "transition" not in sheet.present:
        return
    sql = f"SELECT DISTINCT s.move FROM sheet_rows s WHERE {sheet.chosen} AND s.move IS NOT NULL ORDER BY 1"
    for (name,) in sheet.fetch(sql, sheet.params):
        _move(sheet, sheet.resource.machine.by_name[name])


def _move(sheet: StagedSheet, move: Move) -> None:
    """Send the rows that ask for one transition through the door."""
    columns = sheet.resource.columns()
    inputs = [need.name for need in move.needs if need.name != "reason" and need.name in sheet.present]
    inputs = [name for name in inputs if columns[name].attribute]
    reason = "COALESCE(s.v_reason, '')" if "reason" in sheet.present else "''"
    wanted = ", ".join(["s.pk", reason, *(f"s.v_{name}" for name in inputs)])
    with sheet.narrowed(f"s.move = '{move.name}'"):
        sql = f"SELECT {wanted} FROM sheet_rows s WHERE {sheet.chosen} ORDER BY s.line"
        for some in sheet.in_turn(sql, sheet.params, size=AT_THE_DOOR):
            orders = [
                Order(pk, why, {name: value for name, value in zip(inputs, values, strict=True)
                                if value not in (None, "")})
                for pk, why, *values in some
            ]  # fmt: skip
            try:
                apply_transitions(sheet.model, move.name, orders, actor=sheet.actor, confirmed=True)
            except TransitionsRefused as refusal:
                lines = dict(
                    sheet.fetch(
                        f"SELECT s.pk, s.line FROM sheet_rows s WHERE {sheet.chosen} AND s.pk = ANY (%(pks)s)",
                        {**sheet.params, "pks": list(refusal.by_subject)},
                    )
                )
                raise LinesRefused({lines[pk]: reasons for pk, reasons in refusal.by_subject.items()}) from refusal


# Whose fault it was


def _by_line(sheet: StagedSheet, refusal: RulesRefused, kind: str) -> ByLine:
    """Give the findings of the rules to the rows that commit capacity; to all of the employee's where none is named.

    New rows have their keys before they are written.
    """
    employee = "s.e_employee_id" if kind == "assignment" else "s.pk"
    for column, reasons in (("s.pk", refusal.of(kind)), (employee, refusal.of("employee"))):
        rows = sheet.fetch(
            f"""SELECT s.line, {column} FROM sheet_rows s
            WHERE {sheet.chosen} AND NOT s.ending AND {column} = ANY (%(keys)s)""",
            {**sheet.params, "keys": list(reasons)},
        )
        if rows:
            return {line: reasons[key] for line, key in rows}
    with sheet.narrowed("NOT s.ending"):
        return dict.fromkeys(_lines(sheet), refusal.reasons)


def _search_guilty(sheet: StagedSheet, refusal: Refusal) -> ByLine:
    """Find the rows a refusal without names is about, by trying halves; all of them if no half fails alone."""
    among = sheet.among
    try:
        lines = _lines(sheet)
        guilty = _among(lines, lambda some: _fails(sheet, some))
    finally:
        sheet.among = among
    return dict.fromkeys(guilty or lines, refusal.reasons)


def _among(lines: list[int], fails: Callable[[list[int]], bool]) -> list[int]:
    """Return which of these lines fail, known to fail together: all of them if neither half fails by itself."""
    if len(lines) <= 1:
        return lines
    half = len(lines) // 2
    found = [line for some in (lines[:half], lines[half:]) if fails(some) for line in _among(some, fails)]
    return found or lines


def _fails(sheet: StagedSheet, lines: list[int]) -> bool:
    sheet.among = lines
    try:
        with transaction.atomic():
            _apply(sheet)
            transaction.set_rollback(True)
    except (Refusal, DatabaseError):
        return True
    return False
