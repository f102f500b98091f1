"""What is wrong with the rows of a sheet, asked before the database would: a pass or two over all of them each."""

from __future__ import annotations

from collections.abc import Iterator

from apps.common.cells import Text
from apps.common.resources import VERSION, Reference, References
from apps.common.staging import EFFECTIVE, Check, StagedSheet, condition, fields_of, literal

from .choosing import tell_what_changed
from .cleaning import Cells
from .matching import own_references

# A code without the zeros a spreadsheet dropped is at most so long with them.
WIDEST = 11
# A row the checks are about: its key says which record it is, or that it is new.
KNOWN = "s.known"


def check(sheet: StagedSheet, cells: Cells) -> None:
    """Note every problem of every row in sheet_problems, and take the rows out of what is to be written."""
    sheet.execute("UPDATE sheet_rows SET refused = true WHERE bad IS NOT NULL")
    _duplicates(sheet)
    _references(sheet)
    _scope(sheet)
    _lost_zeros_in_keys(sheet)
    sheet.refuse([*_doubts(sheet, cells), *_lost_zeros(sheet), *_moves(sheet), *_versions(sheet), *_lacking(sheet)])
    tell_what_changed(sheet)
    sheet.settle()
    _invariants(sheet)
    _unique(sheet)
    sheet.settle()
    sheet.resource.inspect(sheet)
    sheet.settle()
    _busy(sheet)
    sheet.settle()
    refuse_orphans(sheet)


# The sheet by itself


def _duplicates(sheet: StagedSheet) -> None:
    keys = sheet.resource.key_columns()
    names = ", ".join(f"v_{column.name}" for column in keys)
    filled = " AND ".join(
        f"v_{column.name} IS NOT NULL" + (f" AND v_{column.name} <> ''" if column.widget.column_type == "text" else "")
        for column in keys
    )
    same = " AND ".join(f"twice.v_{column.name} = s.v_{column.name}" for column in keys)
    sheet.refuse(
        [Check(keys[0].name, "duplicate_row", "true", "to_jsonb(array_remove(twice.lines[:12], s.line))")],
        source=f"""(SELECT {names}, array_agg(line ORDER BY line) AS lines FROM sheet_rows WHERE {filled}
            GROUP BY {names} HAVING count(*) > 1) twice JOIN sheet_rows s ON {same}""",
    )


# What is named


def _references(sheet: StagedSheet) -> None:
    """Refuse codes the actor may not use, or that nobody knows; a code that lost its zeros is told as such."""
    columns = sheet.resource.columns()
    for name in _read(sheet):
        column = columns[name]
        if isinstance(column, Reference):
            source = f"""SELECT s.line, s.v_{name} AS code FROM sheet_rows s
                WHERE s.v_{name} <> '' AND s.e_{sheet.field(name).column} IS NULL AND {_fine(name)}"""
        elif isinstance(column, References):
            usable = literal(column.usable_by(sheet.actor).values(column.lookup))
            source = f"""SELECT s.line, named.code FROM sheet_rows s
                CROSS JOIN LATERAL unnest(string_to_array(NULLIF(s.v_{name}, ''), '|')) AS named (code)
                WHERE {_fine(name)} AND NOT EXISTS (SELECT FROM ({usable}) r (code) WHERE r.code = named.code)"""
        else:
            continue
        known = literal(column.usable_by(sheet.actor).values_list(column.lookup))
        sheet.execute(
            f"""INSERT INTO sheet_problems (line, col, code, about)
            WITH missing AS MATERIALIZED ({source}),
            longer AS ({_with_zeros("SELECT DISTINCT code FROM missing", known)})
            SELECT m.line, '{name}', CASE WHEN l.code IS NULL THEN 'unknown_reference' ELSE 'lost_zeros' END,
                jsonb_build_object('value', m.code, 'similar', l.similar)
            FROM missing m LEFT JOIN longer l ON l.code = m.code"""
        )
        sheet.execute(
            f"""UPDATE sheet_rows s SET changes = array_remove(s.changes, '{name}')
            FROM sheet_problems p WHERE p.line = s.line AND p.col = '{name}'
            AND p.code IN ('unknown_reference', 'lost_zeros')"""
        )


def _fine(name: str) -> str:
    return f"NOT (s.bad IS NOT NULL AND '{name}' = ANY (s.bad))"


def _with_zeros(codes: str, known: str) -> str:
    """Return SQL for (code, similar): the known code that one of these is without its leading zeros."""
    return f"""
        SELECT c.code, min(k.code) AS similar FROM ({codes}) c (code)
        CROSS JOIN LATERAL generate_series(length(c.code) + 1, {WIDEST}) AS width
        JOIN ({known}) k (code) ON k.code = lpad(c.code, width, '0')
        WHERE c.code ~ '^[1-9][0-9]*$' GROUP BY c.code
    """


def _scope(sheet: StagedSheet) -> None:
    """Refuse stored records the actor may not edit, in words that name nothing."""
    if sheet.actor is None:
        return
    editable = literal(sheet.model.objects.editable_by(sheet.actor).order_by().values("pk"))
    first = sheet.resource.key_columns()[0].name
    outside = f"s.known AND NOT EXISTS (SELECT FROM ({editable}) e (id) WHERE e.id = s.stored)"
    sheet.refuse(
        [Check(first, "out_of_scope", outside)],
        source="(SELECT * FROM sheet_rows WHERE stored IS NOT NULL) s",
    )
    sheet.execute(
        "UPDATE sheet_rows s SET known = false FROM sheet_problems p WHERE p.line = s.line AND p.code = 'out_of_scope'"
    )


def _lost_zeros_in_keys(sheet: StagedSheet) -> None:
    """A new key that is a stored one without its leading zeros is a spreadsheet's work, not a new record."""
    column = sheet.resource.key_columns()[0]
    if isinstance(column, Reference) or not isinstance(column.widget, Text):
        return
    stored = sheet.model._base_manager.order_by()
    if sheet.actor is not None:
        stored = sheet.model.objects.visible_to(sheet.actor).order_by()
    known = literal(stored.values_list(column.attribute))
    new = f"SELECT v_{column.name} FROM sheet_rows WHERE known AND stored IS NULL"
    sheet.execute(
        f"""INSERT INTO sheet_problems (line, col, code, about)
        SELECT s.line, '{column.name}', 'lost_zeros', jsonb_build_object('similar', l.similar, 'stored', true)
        FROM ({_with_zeros(new, known)}) l JOIN sheet_rows s ON s.v_{column.name} = l.code
        WHERE s.known AND s.stored IS NULL"""
    )


# What a row says


def _read(sheet: StagedSheet) -> list[str]:
    return [name for name in sheet.present if name in sheet.resource.columns()]


def _doubts(sheet: StagedSheet, cells: Cells) -> Iterator[Check]:
    """A doubtful cell is refused where it would change something."""
    if not cells.doubts:
        return
    for name in _read(sheet):
        number = f"(SELECT split_part(d, ':', 2) FROM unnest(s.doubts) d WHERE split_part(d, ':', 1) = '{name}')"
        changes = f"'{name}' = ANY (s.changes)"
        yield Check(
            name, "doubt", f"s.doubts IS NOT NULL AND {changes} AND {number} IS NOT NULL", f"to_jsonb({number})"
        )


def _lost_zeros(sheet: StagedSheet) -> Iterator[Check]:
    """Refuse a number that is what is stored without the zeros it begins with. No value of a document is told."""
    table = sheet.model._meta.db_table
    for name in _read(sheet):
        column = sheet.resource.columns()[name]
        if column.key or not column.attribute or isinstance(column, Reference) or not isinstance(column.widget, Text):
            continue
        new, place = f's."e_{sheet.field(name).column}"', sheet.field(name).column
        stored = (
            f'(SELECT ltrim(t."{place}", \'0\') FROM "{table}" t WHERE t.id = s.stored AND t."{place}" LIKE \'0%%\')'
        )
        yield Check(
            name, "dropped_zeros",
            f"s.stored IS NOT NULL AND '{name}' = ANY (s.changes) AND {new} ~ '^[1-9][0-9]*$' AND {new} = {stored}",
        )  # fmt: skip


def _moves(sheet: StagedSheet) -> Iterator[Check]:
    """Refuse a transition from the wrong state, one that lacks what it needs, and what only a transition changes."""
    machine = sheet.resource.machine
    if machine is None:
        return
    read = _read(sheet)
    moving = "transition" in read
    if moving:
        yield Check("transition", "wrong_state", f"{KNOWN} AND s.wrong_state",
                    "jsonb_build_object('status', s.status, 'move', s.v_transition)")  # fmt: skip
        for move in machine.moves:
            for need in move.needs:
                if not need.required:
                    continue
                given = "false" if need.name not in read else f"COALESCE(s.v_{need.name}::text, '') <> ''"
                about = f"jsonb_build_object('move', '{move.name}')"
                yield Check(need.name, "needed", f"{KNOWN} AND s.move = '{move.name}' AND NOT {given}", about)
    for name in read:
        column = sheet.resource.columns()[name]
        if not column.only_with:
            continue
        stored = f"(SELECT t.{sheet.field(name).column} FROM {sheet.model._meta.db_table} t WHERE t.id = s.stored)"
        taking = ", ".join(f"'{move}'" for move in column.only_with)
        # What a transition that does not take it does to it is the transition's business.
        moved = f"(s.move IN ({taking}) OR s.v_{name} IS NULL)" if moving else "false"
        when = f"{KNOWN} AND {_fine(name)} AND s.v_{name} IS DISTINCT FROM {stored}"
        yield Check(name, "only_with_transition", f"{when} AND NOT (s.move IS NOT NULL AND {moved})")


def _versions(sheet: StagedSheet) -> Iterator[Check]:
    writes = f"{KNOWN} AND s.version <> '' AND (s.changes <> '{{}}' OR s.move IS NOT NULL)"
    yield Check(VERSION, "gone", f"{writes} AND s.stored IS NULL")
    changed = "s.stored IS NOT NULL AND s.version <> s.stored_version AND NOT s.decided"
    yield Check(VERSION, "changed_since", f"{writes} AND {changed}")


def _lacking(sheet: StagedSheet) -> Iterator[Check]:
    for column in sheet.resource.columns().values():
        if column.required and not column.key and column.name not in sheet.present:
            yield Check(column.name, "required", f"{KNOWN} AND s.stored IS NULL")


# What the database would refuse


def entering(sheet: StagedSheet) -> str:
    """Return SQL for the rows as they are to be, under the names of the model's columns, with line and status moves."""
    columns = ", ".join(f's."e_{field.column}" AS "{field.column}"' for field in fields_of(sheet.model))
    return f"SELECT s.line, s.pk AS id, s.stored IS NULL AS is_new, s.move AS sheet_move, {columns} FROM sheet_rows s"


def _invariants(sheet: StagedSheet) -> None:
    constraints = {constraint.name: constraint for constraint in sheet.model._meta.constraints}
    checks = [
        Check(
            invariant.column,
            invariant.constraint,
            f"({condition(sheet.model, constraints[invariant.constraint].condition, qualified=False)}) IS FALSE",
        )
        for invariant in sheet.resource.invariants
    ]
    sheet.refuse(checks, source=f"({entering(sheet)} WHERE {EFFECTIVE}) s")


def _unique(sheet: StagedSheet) -> None:
    for name in sheet.resource.unique:
        column = sheet.field(name).column
        table = sheet.model._meta.db_table
        writes = f"{EFFECTIVE} AND '{name}' = ANY (s.changes)"
        sheet.execute(
            f"""INSERT INTO sheet_problems (line, col, code, about)
            SELECT DISTINCT ON (s.line) s.line, '{name}', 'unique', jsonb_build_object('line', o.line)
            FROM sheet_rows s JOIN sheet_rows o ON o.e_{column} = s.e_{column} AND o.line <> s.line
            WHERE {writes} AND o.known AND NOT o.refused ORDER BY s.line, o.line"""
        )
        sheet.execute(
            f"""INSERT INTO sheet_problems (line, col, code, about)
            SELECT s.line, '{name}', 'unique', jsonb_build_object('line', NULL)
            FROM sheet_rows s JOIN "{table}" t ON t.{column} = s.e_{column}
            WHERE {writes} AND NOT EXISTS (SELECT FROM sheet_rows o WHERE o.stored = t.id AND o.known)
            AND NOT EXISTS (SELECT FROM sheet_problems p WHERE p.line = s.line AND p.code = 'unique')"""
        )


def _busy(sheet: StagedSheet) -> None:
    """Lock what would be written, and refuse what somebody changed since it was compared."""
    sheet.resource.lock(sheet)
    sheet.lock(sheet.model, "s.stored")
    first = sheet.resource.key_columns()[0].name
    table = sheet.model._meta.db_table
    sheet.refuse(
        [Check(first, "busy", "t.id IS NULL OR t.xmin::text <> s.seen")],
        source=f"""(SELECT * FROM sheet_rows s WHERE {sheet.chosen} AND s.stored IS NOT NULL) s
        LEFT JOIN "{table}" t ON t.id = s.stored""",
    )


# What rows say about each other


def refuse_orphans(sheet: StagedSheet) -> bool:
    """Refuse rows that hang on a row of this sheet that is new and refused, and so on down; say if there were any."""
    found = False
    key = sheet.resource.key_columns()[0].name
    for column in own_references(sheet.resource):
        if column.name not in sheet.present:
            continue
        while sheet.execute(
            f"""INSERT INTO sheet_problems (line, col, code, about)
            SELECT s.line, '{column.name}', 'refused_reference', to_jsonb(s.v_{column.name})
            FROM sheet_rows s JOIN sheet_rows o ON o.v_{key} = s.v_{column.name}
            WHERE NOT s.refused AND '{column.name}' = ANY (s.changes) AND o.refused AND o.stored IS NULL"""
        ):
            found = True
            sheet.settle()
    return found


def refuse_overlaps(sheet: StagedSheet) -> bool:
    """Refuse chosen rows whose days would overlap another's, naming both; say if there were any."""
    rule = sheet.resource.disjoint
    if rule is None:
        return False
    table = sheet.model._meta.db_table
    holds = condition(sheet.model, rule.where, qualified=False)
    group = ", ".join(rule.group)
    first = rule.group[0]
    ends = _ending_moves(sheet)
    # Stored rows that the sheet is about speak through its rows.
    sql = f"""
        WITH mine AS (
            SELECT e.line, {group}, {rule.start} AS start, {rule.end} AS last
            FROM ({entering(sheet)} WHERE {sheet.chosen}) e
            WHERE ({holds}) AND NOT (NOT e.is_new AND e.sheet_move IS NOT NULL AND e.sheet_move IN ({ends}))
        ), held AS (
            SELECT NULL::int, {group}, {rule.start}, {rule.end} FROM "{table}" t
            WHERE {first} IN (SELECT {first} FROM mine) AND ({holds})
            AND NOT EXISTS (SELECT FROM sheet_rows s WHERE s.stored = t.id AND {sheet.chosen})
        ), days AS (
            SELECT *, row_number() OVER (ORDER BY start, line NULLS FIRST) AS number
            FROM (SELECT * FROM mine UNION ALL SELECT * FROM held) rows (line, {group}, start, last)
        ), overlapping AS (
            SELECT a.line AS one, a.start AS one_start, a.last AS one_last, b.line AS other, b.start AS other_start,
                b.last AS other_last
            FROM days a JOIN days b ON ({", ".join(f"a.{name}" for name in rule.group)})
                = ({", ".join(f"b.{name}" for name in rule.group)})
                AND a.number < b.number AND (a.last IS NULL OR a.last >= b.start)
            WHERE a.line IS NOT NULL OR b.line IS NOT NULL
        )
        INSERT INTO sheet_problems (line, col, code, about)
        SELECT one, '{rule.start}', '{rule.constraint}',
            jsonb_build_object('line', other, 'days', jsonb_build_array(other_start, other_last))
        FROM overlapping WHERE one IS NOT NULL
        UNION ALL
        SELECT other, '{rule.start}', '{rule.constraint}',
            jsonb_build_object('line', one, 'days', jsonb_build_array(one_start, one_last))
        FROM overlapping WHERE other IS NOT NULL
    """
    found = sheet.execute(sql, sheet.params) > 0
    if found:
        sheet.settle()
    return found


def _ending_moves(sheet: StagedSheet) -> str:
    machine = sheet.resource.machine
    names = [move.name for move in machine.moves if move.ends] if machine is not None else []
    return ", ".join(f"'{name}'" for name in names) or "''"
