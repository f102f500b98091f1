"""What a sheet changes, cell by cell, as a person compares it: before and after."""

from __future__ import annotations

from typing import Any

from apps.common.cells import MASK, as_shown
from apps.common.resources import Column, ReasonColumn, Reference, References, TransitionColumn
from apps.common.staging import EFFECTIVE, StagedSheet

from .matching import inputs_of, shown_sql

Change = dict[str, Any]


def changes(sheet: StagedSheet, most: int) -> list[Change]:
    """Return the first rows that change something: line, key, outcome, cells (column → before, after), transition.

    Asked before anything is written. Values of a person's documents stay out of it: what a job keeps is read by
    whoever may see jobs.
    """
    return [
        {
            "line": line,
            "key": as_shown(key),
            "outcome": "created" if is_new else "updated",
            "cells": {
                name: [MASK if before else "", MASK if after else ""] if column.sensitive else [before, after]
                for name, (column, before, after) in cells.items()
                if not is_new or after
            },
            "transition": move or "",
        }
        for line, key, is_new, move, cells in differences(sheet, f"{EFFECTIVE} ORDER BY s.line LIMIT {int(most)}", {})
    ]


def differences(
    sheet: StagedSheet, where: str, params: dict[str, Any]
) -> list[tuple[int, str, bool, str | None, dict[str, tuple[Column, str, str]]]]:
    """Return (line, key, whether it is new, transition, column → what is stored and what is to be) of some rows."""
    columns = [
        column
        for column in sheet.resource.columns().values()
        if not isinstance(column, TransitionColumn | ReasonColumn)
        and (column.name in sheet.present or isinstance(column, References))
    ]
    inputs = inputs_of(sheet.resource)
    table = sheet.model._meta.db_table
    before = ", ".join(shown_sql(sheet, column) for column in columns)
    after = ", ".join(_after(sheet, column) for column in columns)
    rows = sheet.fetch(
        f"""SELECT s.line, s.key, s.stored IS NULL, s.move, s.changes, ARRAY[{before}]::text[], ARRAY[{after}]::text[]
        FROM sheet_rows s LEFT JOIN "{table}" ON "{table}".id = s.stored WHERE {where}""",
        params,
    )
    found = []
    for line, key, is_new, move, changed, befores, afters in rows:
        cells = {}
        for column, stored, new in zip(columns, befores, afters, strict=True):
            taken = move is not None and column.name in inputs.get(move, ()) and new
            if column.name in changed or taken:
                cells[column.name] = (column, "" if is_new else stored, new)
        found.append((line, key, is_new, move, cells))
    return found


def _after(sheet: StagedSheet, column: Column) -> str:
    if isinstance(column, References):
        if column.name in sheet.present:
            return f"s.v_{column.name}"
        # What the sheet's own list names leaves the other.
        (other,) = (one.name for one in sheet.resource.columns().values()
                    if isinstance(one, References) and one is not column)  # fmt: skip
        if other not in sheet.present:
            return "''"
        return f"""COALESCE((SELECT string_agg(code, '|' ORDER BY code COLLATE "C")
            FROM unnest(string_to_array({sheet.resource.list_sql(column.name)}, '|')) AS code
            WHERE code <> ALL (string_to_array(s.v_{other}, '|'))), '')"""
    if isinstance(column, Reference):
        return f"s.v_{column.name}"
    if column.only_with or column.name in set().union(*inputs_of(sheet.resource).values()):
        return f"COALESCE(s.v_{column.name}::text, '')"
    field = sheet.field(column.name)
    rendered = f's."e_{field.column}"'
    if field.get_internal_type() == "DecimalField":
        rendered += f"::numeric(20, {field.decimal_places})"
    return f"COALESCE({rendered}::text, '')"
