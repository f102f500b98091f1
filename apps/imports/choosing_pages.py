"""The part of an import's page on which one chooses what becomes of rows that somebody else changed meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from apps.common.errors import Reason, Refusal
from apps.common.resources import resources
from apps.users.models import User

from .choosing import SHEET, STORED, TRANSITION, suggested
from .models import ImportJob

# A page shows so many at a time; what is chosen stays while the others are looked at.
SHOWN = 100
FIELD = "side"


def conflicts_shown(job: ImportJob, sheets: Sequence[Any]) -> dict[str, Any] | None:
    """Return what the page shows of the rows that wait for a choice; None where there are none."""
    found = [error for error in job.errors if "conflict" in error]
    if not found:
        return None
    names_of = {0: ""} if sheets[0] is job else {sheet.place: sheet.file_name for sheet in sheets}
    labels = {place: _labels(sheet.kind) for place, sheet in zip(names_of, sheets, strict=True)}
    shown = found[:SHOWN]
    people = {person for error in shown if (person := error["conflict"].get("by"))}
    names = {str(user.pk): str(user) for user in User.objects.filter(pk__in=people)}
    return {
        "rows": [_row(error, names_of[error.get("part", 0)], labels[error.get("part", 0)], names) for error in shown],
        "count": len(found),
        "hidden": len(found) - len(shown),
    }


def _labels(kind: str) -> dict[str, str]:
    found = resources().get(kind)
    return {name: column.label for name, column in found.columns().items()} if found else {}


def _row(error: Mapping[str, Any], sheet: str, labels: Mapping[str, str], names: Mapping[str, str]) -> dict[str, Any]:
    conflict = error["conflict"]
    at = conflict.get("at")
    return {
        "sheet": sheet,
        "line": error["line"],
        "key": conflict["key"],
        "by": names.get(conflict.get("by") or "", ""),
        "at": datetime.fromisoformat(at) if at else None,
        "cells": [_cell(_field(error), cell, labels) for cell in conflict["cells"]],
    }


def _field(error: Mapping[str, Any]) -> str:
    """Return what the fields of a row are called: by its line, and by the turn of its sheet among several."""
    part = f"{error['part']}." if error.get("part") else ""
    return f"{FIELD}-{part}{error['line']}"


def _cell(row: str, cell: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, Any]:
    side = suggested(cell)
    if cell["column"] == TRANSITION:
        said = ""
    elif side:
        said = _("changed in the sheet alone") if side == SHEET else _("changed by the other person alone")
    else:
        said = _("changed on both sides") if cell["was"] is not None else _("unknown what it was")
    return {
        "name": f"{row}-{cell['column']}",
        "label": labels.get(cell["column"], cell["column"]),
        "was": cell["was"],
        "said": said,
        "sides": [
            {"value": STORED, "text": cell["stored"], "label": _("as stored now"), "checked": side == STORED},
            {"value": SHEET, "text": cell["sheet"], "label": _("as in the sheet"), "checked": side == SHEET},
        ],
    }


def sides_of(request: HttpRequest, job: ImportJob) -> dict[int, dict[int, dict[str, str]]]:
    """Return what was chosen on the page: turn of the sheet (0 of a single one) → line → column → side.

    Raise Refusal where nothing was.
    """
    found = [error for error in job.errors if "conflict" in error]
    one_side = request.POST.get("all")
    decided = one_side in (STORED, SHEET)
    sides: dict[int, dict[int, dict[str, str]]] = {}
    for error in found if decided else found[:SHOWN]:
        sides.setdefault(error.get("part", 0), {})[error["line"]] = {
            cell["column"]: str(one_side) if decided else request.POST.get(f"{_field(error)}-{cell['column']}", "")
            for cell in error["conflict"]["cells"]
        }
    if not sides:
        raise Refusal(Reason(_("Look at the preview again: it has changed meanwhile."), code="not_a_conflict"))
    return sides
