"""Which stored record each row of a sheet means, and what it would change: one statement for all rows.

It fills `sheet_rows` (apps.common.staging) from `sheet_cells`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import connection

from apps.common.cells import BLANKS, Choice, Day, Number, Text, YesNo
from apps.common.resources import (
    SEPARATES,
    VERSION,
    VERSION_LENGTH,
    Column,
    ReasonColumn,
    Reference,
    References,
    SheetResource,
    TransitionColumn,
)
from apps.common.staging import StagedSheet, column_type, condition, fields_of, literal

from .cleaning import Cells

# An ending only takes capacity away: an earlier last day, fewer hours.
ENDS = ("ends_on", "valid_until", "until_day", "effective_hours")


def match(cells: Cells, actor: Any, *, with_choices: bool = False) -> StagedSheet:
    """Match the cells that were read with what is stored, within what the actor may use and edit.

    `with_choices`: `sheet_choices` says which columns of some rows stay as they are stored (see `choosing`).
    """
    sheet = StagedSheet(cells.resource, actor, [name for name in cells.present if name != VERSION])
    statement = _Statement(sheet, [column.name for column in cells.supposed], VERSION in cells.present, with_choices)
    sheet.execute(statement.sql(), statement.params)
    sheet.execute("CREATE UNIQUE INDEX ON sheet_rows (line)")
    # What it holds is known roughly after a glance; a careful look would take a tenth of the whole.
    sheet.execute("SET LOCAL default_statistics_target = 10")
    sheet.execute("ANALYZE sheet_rows")
    sheet.execute("SET LOCAL default_statistics_target TO DEFAULT")
    sheet.execute(
        "CREATE TEMP TABLE sheet_problems (id serial, line integer, col text, code text, about jsonb) ON COMMIT DROP"
    )
    _name_each_other(sheet)
    return sheet


def own_references(resource: SheetResource) -> list[Reference]:
    """Return the columns whose records may be rows of the same sheet."""
    return [
        column
        for column in resource.columns().values()
        if isinstance(column, Reference) and column.model is resource.model()
    ]


def inputs_of(resource: SheetResource) -> dict[str, set[str]]:
    """Return what each transition of a kind of sheet asks for; nothing for records without a status."""
    return {} if resource.machine is None else resource.machine.inputs


def _name_each_other(sheet: StagedSheet) -> None:
    """Let rows hang on new rows of the same sheet; what is new has its key already."""
    (key, *_others) = sheet.resource.key_columns()
    for column in own_references(sheet.resource):
        if column.name in sheet.present:
            sheet.execute(
                f"""UPDATE sheet_rows s SET e_{sheet.field(column.name).column} = o.pk FROM sheet_rows o
                WHERE s.v_{column.name} = o.v_{key.name} AND s.v_{column.name} <> ''
                AND '{column.name}' = ANY (s.changes)"""
            )


class _Statement:
    """The one statement: its parts in the order they are written down."""

    def __init__(self, sheet: StagedSheet, supposed: list[str], with_versions: bool, with_choices: bool):
        self.sheet, self.resource, self.model = sheet, sheet.resource, sheet.model
        self.with_versions, self.with_choices = with_versions, with_versions and with_choices
        self.table = f'"{self.model._meta.db_table}"'
        self.columns = self.resource.columns()
        self.read = [*sheet.present, *supposed]  # columns that have a v_
        self.params: dict[str, Any] = {"blanks": BLANKS}
        self.own = {column.name for column in own_references(self.resource)}

    def sql(self) -> str:
        repeats = bool(self.resource.dead_ends) or bool(self.resource.meant)
        ranked = f", ({condition(self.model, self.resource.meant, qualified=True)}) DESC, {self.table}.id DESC"
        kept = [self._cell(name) for name in self.read if self._is_kept(name)]
        self.params["sequence"] = self._sequence()
        return f"""
            CREATE TEMP TABLE sheet_rows ON COMMIT DROP AS
            SELECT x.*, COALESCE(x.stored, nextval(%(sequence)s)) AS pk, false AS refused
            FROM (
                SELECT {"DISTINCT ON (c.line)" if repeats else ""} c.line, c.bad, c.doubts, c.version,
                    {self._key()} AS key, {", ".join([*kept, *self._entering()])},
                    {self._is_known()} AS known, {self.table}.id AS stored, {self.table}.xmin::text AS seen,
                    {self._stored_version()} AS stored_version, {self._is_decided()} AS decided, {self._moves()},
                    {self._ending()} AS ending, {self._changes()} AS changes
                FROM sheet_cells c {" ".join(self._joins())}
                {f"ORDER BY c.line{ranked}" if repeats else ""}
            ) x ORDER BY x.line
        """

    def _sequence(self) -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_get_serial_sequence(%s, 'id')", [self.model._meta.db_table])
            return str(cursor.fetchone()[0])

    def _is_kept(self, name: str) -> bool:
        column = self.columns[name]
        taken = any(name in names for names in inputs_of(self.resource).values())
        return column.key or not column.attribute or isinstance(column, Reference) or taken

    # Which record

    def _joins(self) -> Iterator[str]:
        for name in self.read:
            column = self.columns[name]
            if isinstance(column, Reference):
                usable = literal(column.usable_by(self.sheet.actor).values("pk", column.lookup))
                yield f"LEFT JOIN ({usable}) r_{name} (id, code) ON r_{name}.code = c.v_{name} AND c.v_{name} <> ''"
        same = " AND ".join(
            f"{self._stored(column)} = "
            + (f"r_{column.name}.id" if isinstance(column, Reference) else f"c.v_{column.name}")
            for column in self.resource.key_columns()
        )
        meant = condition(self.model, self.resource.meant, qualified=True)
        for move, where in self.resource.dead_ends.items():
            if "transition" in self.read:
                meant = f"({meant}) OR (c.v_transition = '{move}' AND {condition(self.model, where, qualified=True)})"
        yield f"LEFT JOIN {self.table} ON {same} AND ({meant})"
        if "transition" in self.read:
            rows = ", ".join(
                f"('{move.name}', '{move.target}', ARRAY[{', '.join(repr(str(s)) for s in move.sources)}], {move.ends})"
                for move in self.resource.machine.moves
            )
            yield f"LEFT JOIN (VALUES {rows}) mv (name, target, sources, ends) ON mv.name = c.v_transition"
        if self.with_choices:
            # What was chosen in sight of another version of the record is no choice.
            yield f"LEFT JOIN sheet_choices ch ON ch.line = c.line AND ch.version = {self._stored_version()}"

    # What was chosen of it

    def _stays(self, name: str) -> str:
        """Return SQL that says whether somebody chose to leave a column of this row as it is stored."""
        return f"(ch.kept IS NOT NULL AND '{name}' = ANY (ch.kept))" if self.with_choices else "false"

    def _is_decided(self) -> str:
        return "ch.line IS NOT NULL" if self.with_choices else "false"

    def _cell(self, name: str) -> str:
        column = self.columns[name]
        if not self.with_choices or column.key:
            return f"c.v_{name}"
        if isinstance(column, TransitionColumn | ReasonColumn):
            stored = "''"
        elif isinstance(column, References | Reference):
            stored = shown_sql(self.sheet, column)
        else:
            stored = self._stored(column)
        return f"CASE WHEN {self._stays(name)} THEN {stored} ELSE c.v_{name} END AS v_{name}"

    def _is_known(self) -> str:
        parts = []
        for column in self.resource.key_columns():
            parts.append(f"c.v_{column.name} IS NOT NULL AND NOT {self._is_bad(column.name)}")
            if column.widget.column_type == "text":
                parts.append(f"c.v_{column.name} <> ''")
            if isinstance(column, Reference):
                parts.append(f"r_{column.name}.id IS NOT NULL")
        return f"({' AND '.join(parts)})"

    def _key(self) -> str:
        def text(column: Column) -> str:
            shown = f"c.v_{column.name}::text"
            return f"upper({shown})" if isinstance(column.widget, YesNo) else shown

        return f"concat_ws('/', {', '.join(text(column) for column in self.resource.key_columns())})"

    # What it says

    def _stored(self, column: Column) -> str:
        return f'{self.table}."{self.sheet.field(column.name).column}"'

    def _is_bad(self, name: str) -> str:
        return f"(c.bad IS NOT NULL AND '{name}' = ANY (c.bad))"

    def _value(self, column: Column) -> str:
        return f"r_{column.name}.id" if isinstance(column, Reference) else f"c.v_{column.name}"

    def _differs(self, column: Column) -> str:
        """Return SQL that says whether a cell says something else than what is stored (which may be nothing yet)."""
        if isinstance(column, References):
            return f"{self.resource.list_sql(column.name)} IS DISTINCT FROM c.v_{column.name}"
        stored = self._stored(column)
        if column.name in self.own:
            target = column.model._meta.db_table  # type: ignore[attr-defined]
            code = f'(SELECT o.{column.lookup} FROM "{target}" o WHERE o.id = {stored})'  # type: ignore[attr-defined]
            return f"{code} IS DISTINCT FROM NULLIF(c.v_{column.name}, '')"
        if isinstance(column, Reference):
            return f"{stored} IS DISTINCT FROM r_{column.name}.id"
        if isinstance(column.widget, Text):
            # Blanks round what is stored are no change.
            value = f"COALESCE({stored}, '')"
            return f"({value} <> c.v_{column.name} AND btrim({value}, %(blanks)s) <> c.v_{column.name})"
        return f"{stored} IS DISTINCT FROM c.v_{column.name}"

    def _changes_it(self, column: Column) -> str:
        """Return SQL that says whether the row writes this column: it differs, and is no transition's business."""
        conditions = [f"NOT {self._is_bad(column.name)}", f"({self.table}.id IS NULL OR {self._differs(column)})"]
        if self.with_choices:
            conditions.append(f"NOT {self._stays(column.name)}")
        if self.resource.machine is not None and "transition" in self.read:
            taking = [move for move, taken in inputs_of(self.resource).items() if column.name in taken]
            if taking:
                names = ", ".join(f"'{name}'" for name in taking)
                given = f"c.v_{column.name} IS NOT NULL"
                conditions.append(f"NOT ({self.table}.id IS NOT NULL AND {self._move()} IN ({names}) AND {given})")
        return " AND ".join(conditions)

    def _plain(self) -> list[Column]:
        """Return the columns of the sheet that are written as they stand."""
        return [
            column
            for column in (self.columns[name] for name in self.read)
            if not isinstance(column, TransitionColumn | ReasonColumn) and not column.only_with
        ]

    def _changes(self) -> str:
        parts = [f"CASE WHEN {self._changes_it(column)} THEN '{column.name}' END" for column in self._plain()
                 if column.name in self.sheet.present]  # fmt: skip
        return f"array_remove(ARRAY[{', '.join(parts)}]::text[], NULL)" if parts else "'{}'::text[]"

    def _entering(self) -> Iterator[str]:
        """Yield what each column of the model is to hold."""
        by_field = {self.sheet.field(column.name).column: column for column in self._plain() if column.attribute}
        fixed = dict(self.resource.fixed(self.sheet.actor))
        for field in fields_of(self.model):
            kind = column_type(field)
            name = f"default_{field.column}"
            value = fixed[field.attname] if field.attname in fixed else field.get_default()
            self.params[name] = field.get_db_prep_save(value, connection)
            stored = f'{self.table}."{field.column}"'
            column = by_field.get(field.column)
            if column is None:
                new = f"%({name})s::{kind}"
                yield f'CASE WHEN {self.table}.id IS NULL THEN {new} ELSE {stored} END AS "e_{field.column}"'
            else:
                new = f"{self.table}.id IS NULL OR {self._changes_it(column)}"
                yield (f'CASE WHEN {new} THEN {self._value(column)}::{kind} ELSE {stored} END AS "e_{field.column}"')

    # Moves

    def _status(self) -> str:
        self.params["first_status"] = self.model._meta.get_field("status").get_default()
        return f"COALESCE({self.table}.status, %(first_status)s)"

    def _move(self) -> str:
        status = self._status()
        return (
            f"CASE WHEN mv.name IS NULL OR {self._is_bad('transition')} OR {self._stays('transition')} THEN NULL"
            f" WHEN {status} = ANY (mv.sources) THEN mv.name END"
        )

    def _moves(self) -> str:
        if self.resource.machine is None:
            return "NULL::text AS status, NULL::text AS move, false AS wrong_state"
        if "transition" not in self.read:
            return f"{self._status()} AS status, NULL::text AS move, false AS wrong_state"
        status = self._status()
        wrong = f"(mv.name IS NOT NULL AND {status} <> mv.target AND NOT {status} = ANY (mv.sources))"
        return f"{status} AS status, {self._move()} AS move, {wrong} AS wrong_state"

    def _ending(self) -> str:
        """Say whether a row only takes capacity away: a transition that ends, an earlier last day, fewer hours."""
        changes = self._changes()
        more = "false"
        for column in self._plain():
            if column.name in ENDS and column.name in self.sheet.present:
                stored, value = self._stored(column), f"c.v_{column.name}"
                reaches = f"({value} IS NULL OR ({stored} IS NOT NULL AND {value} > {stored}))"
                more += f" OR ({self._changes_it(column)} AND {reaches})"
        plain = f"{changes} <> '{{}}' AND NOT ({more})"
        if self.resource.machine is None or "transition" not in self.read:
            return f"({self.table}.id IS NOT NULL AND {plain})"
        return f"({self.table}.id IS NOT NULL AND CASE WHEN {self._move()} IS NOT NULL THEN mv.ends ELSE {plain} END)"

    # Versions

    def _stored_version(self) -> str:
        """Return SQL for what `version_of` gives of the stored row, where the sheet carries versions."""
        if not self.with_versions:
            return "NULL::text"
        self.params |= version_params(self.sheet)
        return f"CASE WHEN c.version <> '' AND {self.table}.id IS NOT NULL THEN {version_sql(self.sheet)} END"


def version_sql(sheet: StagedSheet) -> str:
    """Return SQL for what `version_of` gives of a stored row of the model's table; `version_params` belong to it."""
    parts = ", ".join(shown_sql(sheet, column) for column in sheet.resource.columns().values())
    content = f"concat_ws(%(separates)s, {parts})"
    return f"left(encode(sha256(convert_to(%(version_key)s || {content}, 'UTF8')), 'hex'), {VERSION_LENGTH})"


def version_params(sheet: StagedSheet) -> dict[str, Any]:
    return {"version_key": sheet.resource.version_key(), "separates": SEPARATES}


def shown_sql(sheet: StagedSheet, column: Column) -> str:
    """Return SQL for the text that a column's widget renders of the stored row; '' for nothing."""
    if isinstance(column, References):
        return sheet.resource.list_sql(column.name)
    if not column.attribute:
        return "''"
    stored = f'"{sheet.model._meta.db_table}"."{sheet.field(column.name).column}"'
    if isinstance(column, Reference):
        table = column.model._meta.db_table
        return f"COALESCE((SELECT o.{column.lookup} FROM \"{table}\" o WHERE o.id = {stored}), '')"
    if isinstance(column.widget, Day):
        return f"COALESCE(to_char({stored}, 'YYYY-MM-DD'), '')"
    if isinstance(column.widget, Number | YesNo | Choice | Text):
        return f"COALESCE({stored}::text, '')"
    raise TypeError(f"{type(column.widget).__name__} has no text in the database")
