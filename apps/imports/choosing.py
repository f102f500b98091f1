"""Rows that somebody else changed after their sheet was exported: what each side says, and what is chosen of it.

A version tells only that a record is not what it was. What it was is looked up in its history: the state that had the
sheet's version. With it one sees who changed which cell; without it (a code it names has changed since, say) both
values stand side by side and nothing is suggested.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from apps.common.cells import MASK, as_shown
from apps.common.errors import Reason, Refusal
from apps.common.resources import Column, References
from apps.common.staging import StagedSheet

from .differences import differences
from .matching import shown_sql, version_params, version_sql

MOST = 2_000
TRANSITION = "transition"
STORED, SHEET = "stored", "sheet"


@dataclass(frozen=True)
class Choice:
    """What was chosen for a row: the columns that stay as stored, in sight of one version of the record."""

    version: str
    kept: tuple[str, ...]


Choices = Mapping[int, Choice]


def stage_choices(choices: Choices) -> None:
    """Put the choices where matching finds them: `sheet_choices`, until the transaction ends."""
    rows = [{"line": line, "version": one.version, "kept": list(one.kept)} for line, one in choices.items()]
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE sheet_choices (line integer PRIMARY KEY, version text, kept text[]) ON COMMIT DROP"
        )
        cursor.execute(
            "INSERT INTO sheet_choices SELECT * FROM jsonb_to_recordset(%s::jsonb)"
            " AS c (line int, version text, kept text[])",
            [json.dumps(rows)],
        )


def choices_of(options: Mapping[str, Any]) -> dict[int, Choice]:
    """Return the choices that a job keeps among its options."""
    return {int(line): Choice(one["version"], tuple(one["kept"])) for line, one in options.get("choices", {}).items()}


def kept_choices(choices: Choices) -> dict[str, Any]:
    """Return choices as a job keeps them."""
    return {str(line): {"version": one.version, "kept": list(one.kept)} for line, one in choices.items()}


# What each side says


def tell_what_changed(sheet: StagedSheet) -> None:
    """Put what is stored, what the sheet says and what it was beside each row that somebody else changed."""
    lines = [
        line
        for (line,) in sheet.fetch(
            "SELECT line FROM sheet_problems WHERE code = 'changed_since' ORDER BY line LIMIT %(most)s", {"most": MOST}
        )
    ]
    if not lines:
        return
    told = _told(sheet, lines)
    sheet.execute(
        """UPDATE sheet_problems p SET about = told.about
        FROM jsonb_to_recordset(%(told)s::jsonb) AS told (line int, about jsonb)
        WHERE p.line = told.line AND p.code = 'changed_since'""",
        {"told": json.dumps([{"line": line, "about": told[line]} for line in lines if line in told])},
    )


def _told(sheet: StagedSheet, lines: list[int]) -> dict[int, Any]:
    were, changed_by = _were(sheet, lines), _changed_by(sheet, lines)
    versions = dict(
        sheet.fetch("SELECT line, stored_version FROM sheet_rows WHERE line = ANY (%(lines)s)", {"lines": lines})
    )
    told = {}
    for line, key, _is_new, move, cells in differences(sheet, "s.line = ANY (%(lines)s)", {"lines": lines}):
        seen = "; ".join(f"{name}: {as_shown(old)} → {as_shown(new)}" for name, (_c, old, new) in cells.items())
        was = were.get(line, {})
        sides = [_sides(column, old, new, was.get(name)) for name, (column, old, new) in cells.items()]
        if move:
            # Where a record stands is no cell: a transition is what the sheet wants of it.
            sides.append({"column": TRANSITION, "stored": "", "sheet": move, "was": ""})
        told[line] = {
            "seen": seen or (move or ""),
            "conflict": {"key": key, "version": versions[line], "cells": sides, **changed_by.get(line, {})},
        }
    return told


def _sides(column: Column, stored: str, sheet: str, was: str | None) -> dict[str, Any]:
    sides: dict[str, Any] = {"column": column.name, "stored": stored, "sheet": sheet, "was": was}
    if column.sensitive:
        # What a job keeps is read by whoever may see jobs: who changed it may be told, what it says may not.
        by = suggested(sides)
        sides = {"column": column.name, "stored": MASK if stored else "", "sheet": MASK if sheet else "", "was": None}
        if by:
            sides["by"] = by
    return sides


def suggested(sides: Mapping[str, Any]) -> str:
    """Return which side alone changed a cell since the export, "" where both did or nobody knows."""
    if "by" in sides:
        return str(sides["by"])
    was = sides["was"]
    if was is None or (sides["stored"] != was and sides["sheet"] != was):
        return ""
    return SHEET if sides["stored"] == was else STORED


def _were(sheet: StagedSheet, lines: list[int]) -> dict[int, dict[str, str]]:
    """Return line → column → text as the record was when the sheet was exported, of those whose history tells."""
    columns = list(sheet.resource.columns().values())
    history = sheet.model.history.model._meta
    own = {field.column for field in history.concrete_fields}
    named = [column for column in columns if column.attribute and not isinstance(column, References)]
    if not {sheet.field(column.name).column for column in named} <= own:
        return {}
    table = sheet.model._meta.db_table
    shown = ", ".join(shown_sql(sheet, column) for column in columns)
    rows = sheet.fetch(
        f"""SELECT s.line, was.cells FROM sheet_rows s CROSS JOIN LATERAL (
            SELECT ARRAY[{shown}]::text[] AS cells FROM "{history.db_table}" AS "{table}"
            WHERE "{table}".id = s.stored AND {version_sql(sheet)} = s.version
            ORDER BY "{table}".history_id DESC LIMIT 1
        ) was WHERE s.line = ANY (%(lines)s)""",
        {"lines": lines, **version_params(sheet)},
    )
    return {line: {column.name: cell for column, cell in zip(columns, cells, strict=True)} for line, cells in rows}


def _changed_by(sheet: StagedSheet, lines: list[int]) -> dict[int, dict[str, Any]]:
    """Return line → who changed the record last, and when."""
    history = sheet.model.history.model._meta.db_table
    rows = sheet.fetch(
        f"""SELECT s.line, last.history_user_id::text, last.history_date FROM sheet_rows s CROSS JOIN LATERAL (
            SELECT h.history_user_id, h.history_date FROM "{history}" h WHERE h.id = s.stored
            ORDER BY h.history_date DESC, h.history_id DESC LIMIT 1
        ) last WHERE s.line = ANY (%(lines)s)""",
        {"lines": lines},
    )
    return {line: {"by": user, "at": at.isoformat()} for line, user, at in rows}


# What is chosen


def chosen(conflict: Mapping[str, Any], sides: Mapping[str, str], only_with: set[str]) -> Choice:
    """Return the choice that these sides (column → stored or sheet) make of a conflict.

    Columns that only a transition changes (`only_with`) stay as they are where no transition is taken. Raise Refusal
    if a cell is left open.
    """
    kept = set()
    names = {cell["column"] for cell in conflict["cells"]}
    for name in names:
        side = sides.get(name, "")
        if side not in (STORED, SHEET):
            raise Refusal(
                Reason(
                    _("%(record)s: choose one of the two values of “%(column)s”.")
                    % {"record": conflict["key"], "column": name},
                    code="not_chosen",
                )
            )
        if side == STORED:
            kept.add(name)
    if TRANSITION not in names or TRANSITION in kept:
        kept |= only_with
    return Choice(conflict["version"], tuple(sorted(kept)))
