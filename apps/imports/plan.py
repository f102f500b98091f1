"""What a sheet would do: its rows read, matched with what is stored, compared cell by cell. Nothing is written here.

A handful of queries whatever the number of rows: one for each kind of record referred to, one for the stored rows,
one for rows whose days may not overlap.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from apps.common.cells import CellError, as_shown, fold, is_empty
from apps.common.resources import (
    VERSION,
    Column,
    ReasonColumn,
    Reference,
    References,
    Row,
    SheetResource,
    TransitionColumn,
)
from apps.fsm.moves import Move

from .reading import Table

if TYPE_CHECKING:
    from apps.users.models import User

Known = dict[str, dict[str, Any]]


@dataclass
class Plan:
    """The rows of a sheet, each created, updated, unchanged or refused, and errors of the file as a whole."""

    resource: SheetResource
    actor: User | None
    rows: list[Row]
    columns: list[str]
    errors: list[dict[str, Any]] = field(default_factory=list)
    total: int = 0

    @property
    def good(self) -> list[Row]:
        return [row for row in self.rows if not row.refused]

    @property
    def effective(self) -> list[Row]:
        """Return the rows that change something."""
        return [row for row in self.rows if row.outcome in ("created", "updated")]

    @property
    def refusals(self) -> list[dict[str, Any]]:
        return [*self.errors, *(error for row in self.rows for error in row.errors)]

    def count(self, outcome: str) -> int:
        return sum(row.outcome == outcome for row in self.rows)


def make_plan(resource: SheetResource, table: Table, *, actor: User | None, as_a_whole: bool = True) -> Plan:
    """Return what the sheet would do, for this person. Problems become errors of rows; nothing is raised.

    `as_a_whole` looks for overlaps in the end state; row by row, that is asked when each row's turn comes.
    """
    plan = Plan(resource, actor, [], [], total=len(table.rows))
    headers = _read_header(plan, table)
    if plan.errors:
        return plan
    reading = table.options.reading()
    for line, cells in table.rows:
        plan.rows.append(_read_row(plan, headers, line, cells, reading))
    _find_duplicates(plan)
    known = _resolve(plan)
    _match(plan, known)
    _put_values(plan, known)
    _check_values(plan)
    resource.inspect([row for row in plan.rows if not row.refused])
    _check_versions(plan)
    _refuse_orphans(plan)
    if as_a_whole:
        find_collisions(plan, plan.rows)
    return plan


# Header


def _read_header(plan: Plan, table: Table) -> list[str | None]:
    known = plan.resource.headers()
    columns: list[str | None] = []
    for place, title in enumerate(table.header):
        if is_empty(title):
            if any(place < len(cells) and not is_empty(cells[place]) for _line, cells in table.rows):
                plan.errors.append(
                    _file_error(table, "", "column_without_name",
                                _("Column %(number)s has values and no name: name it or empty it.")
                                % {"number": place + 1})
                )  # fmt: skip
            columns.append(None)
            continue
        name = known.get(fold(title))
        if name is None:
            plan.errors.append(_file_error(table, title, "unknown_column", _unknown_column(plan.resource, title)))
        elif name in columns:
            plan.errors.append(
                _file_error(table, title, "duplicate_column",
                            _("The column “%(name)s” stands twice: take one out.") % {"name": name})
            )  # fmt: skip
        columns.append(name)
    for column in plan.resource.key_columns():
        if column.name not in columns and not plan.errors and not _has_default(plan.resource, column):
            plan.errors.append(
                _file_error(table, column.name, "missing_column",
                            _("The column “%(name)s” is missing: rows are known by it.") % {"name": column.name})
            )  # fmt: skip
    plan.columns = [name for name in columns if name is not None]
    return columns


def _unknown_column(resource: SheetResource, title: str) -> str:
    hint = ""
    if fold(title) in ("status", "estado", "voided", "accepted_at") and resource.machine is not None:
        hint = " " + _("A status changes by the column “transition” alone.")
    return (
        _("“%(title)s” is not a column of this sheet. Its columns are: %(columns)s.")
        % {"title": as_shown(title), "columns": ", ".join([*resource.columns(), VERSION])}
        + hint
    )


def _file_error(table: Table, column: str, code: str, message: str) -> dict[str, Any]:
    return {"line": table.header_line, "column": as_shown(column), "value": as_shown(column), "code": code,
            "message": message}  # fmt: skip


def _has_default(resource: SheetResource, column: Column) -> bool:
    return column.meaning(None, resource.model()) is not None


# Cells


def _read_row(plan: Plan, headers: list[str | None], line: int, cells: list[Any], reading: Any) -> Row:
    row = Row(line)
    columns = plan.resource.columns()
    if any(not is_empty(cell) for cell in cells[len(headers) :]):
        row.fail("", "too_many_cells", _("The row has more cells than the header: a cell with the separator in it "
                                         "needs quotation marks."), value=cells[-1])  # fmt: skip
        return row
    if len(cells) < len(headers):
        row.fail("", "too_few_cells", _("The row has fewer cells than the header: an empty cell still needs its "
                                        "separator."), value=len(cells))  # fmt: skip
        return row
    for name, cell in zip(headers, cells, strict=False):
        if name is None:
            continue
        row.raw[name] = cell
        if name == VERSION:
            row.version = as_shown(cell).strip()
            continue
        column = columns[name]
        try:
            value = column.widget.clean(cell, reading=reading)
        except CellError as error:
            if error.doubt_of is None:
                row.fail(name, error.code, error.message)
                continue
            row.doubts[name] = error
            value = error.doubt_of
        if value is None:
            value = column.meaning(None, plan.resource.model())
        row.values[name] = value
        if column.required and value in (None, ""):
            row.fail(name, "required", _("“%(column)s” cannot be empty.") % {"column": name})
    for column in plan.resource.key_columns():
        if column.name not in headers:
            row.values[column.name] = column.meaning(None, plan.resource.model())
    return row


def _key_of(plan: Plan, row: Row) -> tuple[Any, ...] | None:
    values = [row.values.get(column.name) for column in plan.resource.key_columns()]
    return None if any(value in (None, "") for value in values) else tuple(values)


def _find_duplicates(plan: Plan) -> None:
    lines: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in plan.rows:
        if (key := _key_of(plan, row)) is not None:
            row.key = key
            lines[key].append(row)
    first = plan.resource.key_columns()[0].name
    for rows in lines.values():
        for row in rows if len(rows) > 1 else ():
            others = ", ".join(str(other.line) for other in rows if other is not row)
            row.fail(
                first,
                "duplicate_row",
                _("The same record stands in line %(lines)s too: keep one of them.") % {"lines": others},
            )


# References


def _resolve(plan: Plan) -> Known:
    """Look up every code that the rows refer to, within what the actor may use; refuse rows whose codes are not."""
    known: Known = {}
    for column in _reference_columns(plan):
        rows = [row for row in plan.rows if row.values.get(column.name) and not _failed(row, column.name)]
        codes = {code for row in rows for code in _codes(row, column)}
        found = column.known(codes, plan.actor) if codes else {}
        own = _own_codes(plan) if column.model is plan.resource.model() else frozenset()
        missing = codes - set(found) - own
        similar = _without_lost_zeros(column, missing, plan.actor) if missing else {}
        for row in rows:
            for code in _codes(row, column):
                if code in missing:
                    _refuse_unknown(row, column, code, similar.get(code))
        known[column.name] = found
    return known


def _reference_columns(plan: Plan) -> list[Reference | References]:
    return [column for column in plan.resource.columns().values() if isinstance(column, Reference | References)]


def _codes(row: Row, column: Column) -> Iterable[str]:
    value = row.values[column.name]
    return value if isinstance(column, References) else (value,)


def _own_codes(plan: Plan) -> frozenset[str]:
    """Return the keys of the sheet's own rows, which others of its rows may name in any order."""
    return frozenset(row.key[0] for row in plan.rows if row.key)


def _failed(row: Row, column: str) -> bool:
    return any(error["column"] == column for error in row.errors)


def _without_lost_zeros(column: Reference | References, codes: set[str], actor: User | None) -> dict[str, str]:
    """Return code → the known code it is without its leading zeros, as spreadsheets write it."""
    short = {code for code in codes if code.isdecimal() and not code.startswith("0")}
    candidates = {code.zfill(width): code for code in short for width in range(len(code) + 1, 12)}
    if not candidates:
        return {}
    return {candidates[code]: code for code in column.known(candidates, actor)}


def _refuse_unknown(row: Row, column: Column, code: str, similar: str | None) -> None:
    if similar is not None:
        row.fail(
            column.name,
            "lost_zeros",
            _("“%(code)s” is unknown, “%(similar)s” is not: the spreadsheet dropped its zeros. Format the column as "
              "text.") % {"code": as_shown(code), "similar": similar},
            value=code,
        )  # fmt: skip
        return
    row.fail(
        column.name,
        "unknown_reference",
        _("“%(code)s” is not among the records you work with: check the code, or bring that record in first.")
        % {"code": as_shown(code)},
        value=code,
    )


# Matching


def _match(plan: Plan, known: Known) -> None:
    """Find the stored row of every key; refuse what the actor may not edit, in words that name nothing."""
    resource = plan.resource
    own = {column.name for column in resource.key_columns() if isinstance(column, Reference)}
    rows = [
        row for row in plan.rows
        if row.key and not any(_failed(row, name) for name in own)
        and all(row.values[name] in known[name] for name in own)
    ]  # fmt: skip
    stored: dict[tuple[Any, ...], Any] = {}
    dead: dict[tuple[Any, ...], Any] = {}
    columns = resource.key_columns()
    for instance in resource.candidates(rows, known) if rows else ():
        key = tuple(column.read(instance) for column in columns)
        (stored if resource.matches(instance) else dead)[key] = instance
    editable = _editable(plan, [stored[row.key] for row in rows if row.key in stored])
    for row in rows:
        instance = stored.get(row.key)
        if instance is None:
            instance = _already_refused(plan, row, dead.get(row.key))
        if instance is not None and instance.pk not in editable and plan.actor is not None and row.key in stored:
            row.fail(
                columns[0].name,
                "out_of_scope",
                _("You may not create or change this record: check the code, or ask who is in charge of it."),
            )
            continue
        row.is_new = instance is None
        row.instance = instance if instance is not None else resource.model()()
    _refuse_lost_zeros_in_keys(plan, rows)


def _already_refused(plan: Plan, row: Row, instance: Any) -> Any:
    """Return a row past matching that the sheet's transition leaves as it is (a proposal rejected before)."""
    ended = getattr(plan.resource, "dead_end", None)
    name = row.values.get("transition")
    if instance is None or ended is None or not name:
        return None
    move = plan.resource.machine.by_name.get(name)
    return instance if ended(instance, move) else None


def _editable(plan: Plan, instances: Sequence[Any]) -> set[int]:
    if plan.actor is None or not instances:
        return set()
    rows = plan.resource.model().objects.editable_by(plan.actor).filter(pk__in=[one.pk for one in instances])
    return set(rows.values_list("pk", flat=True))


def _refuse_lost_zeros_in_keys(plan: Plan, rows: Sequence[Row]) -> None:
    """A new key that is a stored one without its leading zeros is a spreadsheet's work, not a new record."""
    column = plan.resource.key_columns()[0]
    if isinstance(column, Reference):
        return
    new = {row.key[0]: row for row in rows if row.is_new and not row.refused and isinstance(row.key[0], str)}
    candidates = {
        code.zfill(width): code
        for code in new
        if code.isdecimal() and not code.startswith("0")
        for width in range(len(code) + 1, 12)
    }
    if not candidates:
        return
    stored = plan.resource.model().objects.filter(**{f"{column.attribute}__in": list(candidates)})
    if plan.actor is not None:
        stored = stored.visible_to(plan.actor)
    for code in stored.values_list(column.attribute, flat=True):
        new[candidates[code]].fail(
            column.name,
            "lost_zeros",
            _("“%(similar)s” is known: the spreadsheet dropped its zeros. Format the column as text.")
            % {"similar": code},
        )


# Values


def _put_values(plan: Plan, known: Known) -> None:
    """Write the values on the instances and note what differs from what is stored."""
    resource = plan.resource
    columns = resource.columns()
    versions: dict[int, str] = {}
    for row in plan.rows:
        if row.instance is None:
            continue
        if row.version and not row.is_new:
            versions[id(row)] = resource.version_of(row.instance)
        if resource.machine is not None:
            _read_move(plan, row)
    own = {row.key[0]: row.instance for row in plan.rows if row.key and row.instance is not None}
    for row in plan.rows:
        if row.instance is None:
            continue
        for name, value in row.values.items():
            column = columns[name]
            if isinstance(column, TransitionColumn | ReasonColumn) or _failed(row, name):
                continue
            if name in row.inputs or not _may_write(row, column, value):
                continue
            before = column.read(row.instance)
            if column.same(before, column.meaning(value, row.instance)) and not row.is_new:
                continue
            if name in row.doubts and not column.same(before, value):
                row.fail(name, row.doubts[name].code, row.doubts[name].message)
                continue
            row.changes[name] = ("" if row.is_new else before, column.meaning(value, row.instance))
            if isinstance(column, Reference):
                value = _record(column, value, known, own if column.model is resource.model() else {})
            column.write(row.instance, value)
        _note_version(row, versions.get(id(row)))


def _record(column: Reference, code: str, known: Known, own: Mapping[str, Any]) -> Any:
    if not code:
        return None
    # A row of the same sheet comes first: its instance is the one that will be saved.
    return own.get(code) or known[column.name].get(code)


def _may_write(row: Row, column: Column, value: Any) -> bool:
    """Refuse a column that only a transition changes; True where the value may be written plainly."""
    if not column.only_with:
        return True
    if column.same(column.read(row.instance), value):
        return False
    if row.move is not None and row.move.name in column.only_with:
        return False
    if row.move is not None and value is None:
        return False  # what the transition does to it is the transition's business
    row.fail(
        column.name,
        "only_with_transition",
        _("“%(column)s” changes only with transition %(moves)s.")
        % {"column": column.name, "moves": " / ".join(column.only_with)},
    )
    return False


def _read_move(plan: Plan, row: Row) -> None:
    """Find the transition a row asks for and its inputs; one whose target is already the state is none."""
    machine = plan.resource.machine
    name = row.values.get("transition")
    if not name or _failed(row, "transition"):
        return
    move: Move = machine.by_name[name]
    if row.instance.status == move.target:
        return
    if row.instance.status not in move.sources:
        states = ", ".join(str(machine.states(source).label) for source in move.sources)
        row.fail(
            "transition",
            "wrong_state",
            _("The record is “%(state)s”; “%(move)s” starts from: %(states)s.")
            % {"state": row.instance.get_status_display(), "move": name, "states": states},
        )
        return
    row.move = move
    columns = plan.resource.columns()
    for need in move.needs:
        if need.name == "reason":
            if need.required and not row.values.get("reason"):
                row.fail("reason", "needed", _("“%(move)s” needs a reason.") % {"move": name})
            continue
        value = row.values.get(need.name) if need.name in columns else None
        if value not in (None, ""):
            row.inputs[need.name] = value
        elif need.required:
            row.fail(
                need.name,
                "needed",
                _("“%(move)s” needs: %(need)s. Fill the column “%(column)s”.")
                % {"move": name, "need": need.label, "column": need.name}
                if need.name in columns
                else _("“%(move)s” needs: %(need)s, which this sheet has no column for. Do it on the record's page.")
                % {"move": name, "need": need.label},
            )


def _note_version(row: Row, stored: str | None) -> None:
    if not row.version or not (row.changes or row.move is not None):
        return
    if row.is_new:
        row.fail(
            "row_version", "gone",
            _("This record was there when the sheet was exported and is gone. Clear row_version to create it anew."),
        )  # fmt: skip
    elif stored != row.version:
        seen = "; ".join(f"{name}: {as_shown(before)} → {as_shown(new)}" for name, (before, new) in row.changes.items())
        row.fail(
            "row_version",
            "changed_since",
            _("Somebody changed this record after the sheet was exported; stored now → in the sheet: %(seen)s. Export "
              "it again, or clear row_version to overwrite.") % {"seen": seen or row.values.get("transition", "")},
        )  # fmt: skip


def _check_values(plan: Plan) -> None:
    """Ask the model's own fields and constraints, before the database would."""
    resource = plan.resource
    columns = resource.columns()
    sentences = {constraint.name: constraint for constraint in resource.model()._meta.constraints}
    for row in plan.rows:
        if row.instance is None:
            continue
        for name in row.changes:
            column = columns[name]
            try:
                column.check(column.read(row.instance), row.instance)
            except ValidationError as error:
                row.fail(name, error.error_list[0].code or "invalid", " ".join(error.messages))
        if row.is_new:
            for column in columns.values():
                if column.required and column.name not in row.values and not _failed(row, column.name):
                    row.fail(
                        column.name,
                        "required",
                        _("The record is new and needs “%(column)s”: add the column.") % {"column": column.name},
                    )
        if row.refused or not (row.changes or row.move):
            continue
        for invariant in resource.invariants:
            if not invariant.holds(row.instance):
                sentence = sentences[invariant.constraint].get_violation_error_message()
                row.fail(invariant.column, invariant.constraint, str(sentence))
    for name in resource.unique:
        _check_unique(plan, name)


def _check_unique(plan: Plan, name: str) -> None:
    column = plan.resource.columns()[name]
    rows = [row for row in plan.rows if not row.refused and name in row.changes]
    by_value: dict[Any, list[Row]] = defaultdict(list)
    for row in plan.rows:
        if row.instance is not None and not row.refused:
            by_value[column.read(row.instance)].append(row)
    mine = {row.instance.pk for row in plan.rows if row.instance is not None and row.instance.pk}
    taken = set(
        plan.resource.model()
        .objects.filter(**{f"{column.attribute}__in": [column.read(row.instance) for row in rows]})
        .exclude(pk__in=mine)
        .values_list(column.attribute, flat=True)
        if rows
        else ()
    )
    for row in rows:
        value = column.read(row.instance)
        others = [other for other in by_value[value] if other is not row]
        if others:
            row.fail(
                name, "unique",
                _("Line %(line)s has the same “%(column)s”: change one of them.")
                % {"line": others[0].line, "column": name},
            )  # fmt: skip
        elif value in taken:
            row.fail(name, "unique", _("Another record has this “%(column)s”: choose another.") % {"column": name})


def _check_versions(plan: Plan) -> None:
    """Refuse to write over what changes right now: lock the rows that would be written and look again."""
    rows = [row for row in plan.effective if not row.is_new]
    if not rows:
        return
    before = {row.instance.pk: _as_loaded(plan.resource, row) for row in rows}
    plan.resource.lock([row.instance for row in rows])
    fresh = {instance.pk: instance for instance in _reload(plan.resource, list(before))}
    for row in rows:
        instance = fresh.get(row.instance.pk)
        if instance is None or plan.resource.cells(instance) != before[row.instance.pk]:
            row.fail(
                plan.resource.key_columns()[0].name,
                "busy",
                _("Somebody changed this record at the same moment: import the sheet again."),
            )


def _as_loaded(resource: SheetResource, row: Row) -> list[Any]:
    now = resource.cells(row.instance)
    return [
        row.changes[name][0] if name in row.changes else value
        for name, value in zip(resource.columns(), now, strict=True)
    ]


def _reload(resource: SheetResource, pks: list[int]) -> list[Any]:
    found = list(resource.model()._base_manager.select_related(*resource.select_related).filter(pk__in=pks))
    resource.complete(found)
    return found


# What rows say about each other


def _refuse_orphans(plan: Plan) -> None:
    """Refuse rows that hang on a row of this sheet that is new and refused, and so on down."""
    references = [column for column in _reference_columns(plan) if column.model is plan.resource.model()]
    if not references:
        return
    again = True
    while again:
        again = False
        lost = {row.key[0] for row in plan.rows if row.refused and row.key and (row.is_new or row.instance is None)}
        for column in references:
            for row in plan.rows:
                if not row.refused and column.name in row.changes and set(_codes(row, column)) & lost:
                    row.fail(
                        column.name,
                        "refused_reference",
                        _("“%(code)s” stands in this sheet and is refused there: correct that row first.")
                        % {"code": as_shown(row.values[column.name])},
                    )
                    again = True


def find_collisions(plan: Plan, rows: Sequence[Row]) -> None:
    """Refuse rows whose days would overlap another's, naming both. One query."""
    rule = plan.resource.disjoint
    if rule is None:
        return
    model = plan.resource.model()
    mine = [row for row in rows if row.outcome in ("created", "updated") and _takes_days(rule, row)]
    if not mine:
        return
    first = {getattr(row.instance, rule.group[0]) for row in mine}
    leaving = {row.instance.pk for row in rows if not row.refused and not row.is_new}
    stored: dict[tuple[Any, ...], list[tuple[Any, Row | None]]] = defaultdict(list)
    query = model._base_manager.select_related(*plan.resource.select_related).filter(**{f"{rule.group[0]}__in": first})
    for instance in query:
        if instance.pk not in leaving and rule.counts(instance):
            stored[_group(rule, instance)].append((instance, None))
    for one in mine:
        stored[_group(rule, one.instance)].append((one.instance, one))
    constraint = next(known for known in model._meta.constraints if known.name == rule.constraint)
    for members in stored.values():
        members.sort(key=lambda member: (getattr(member[0], rule.start), member[1] is not None))
        latest: tuple[Any, Row | None] | None = None
        for instance, row in members:
            if latest is not None:
                end = getattr(latest[0], rule.end)
                if end is None or end >= getattr(instance, rule.start):
                    _collide(rule, constraint, latest, (instance, row))
            if latest is None or _later(instance, latest[0], rule):
                latest = (instance, row)


def _takes_days(rule: Any, row: Row) -> bool:
    ends = row.move is not None and row.move.ends and not row.is_new
    return not ends and rule.counts(row.instance)


def _group(rule: Any, instance: Any) -> tuple[Any, ...]:
    return tuple(getattr(instance, name) for name in rule.group)


def _later(instance: Any, other: Any, rule: Any) -> bool:
    mine, its = getattr(instance, rule.end), getattr(other, rule.end)
    return its is not None and (mine is None or mine >= its)


def _collide(rule: Any, constraint: Any, one: tuple[Any, Row | None], other: tuple[Any, Row | None]) -> None:
    for (_instance, row), (against, its_row) in ((one, other), (other, one)):
        if row is None:
            continue
        days = f"{getattr(against, rule.start)} – {getattr(against, rule.end) or '…'}"
        where = _("line %(line)s (%(days)s)") % {"line": its_row.line, "days": days} if its_row else days
        row.fail(
            rule.start,
            rule.constraint,
            _("%(sentence)s It overlaps: %(where)s.")
            % {"sentence": constraint.get_violation_error_message(), "where": where},
        )
