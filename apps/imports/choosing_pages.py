"""The part of an import's page on which one chooses what becomes of rows that somebody else changed meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from apps.common.errors import Reason, Refusal
from apps.common.resources import SheetResource
from apps.users.models import User

from .choosing import SHEET, STORED, TRANSITION, suggested
from .models import ImportJob

# A page shows so many at a time; what is chosen stays while the others are looked at.
SHOWN = 100
FIELD = "side"


def conflicts_shown(job: ImportJob, resource: SheetResource) -> dict[str, Any] | None:
    """Return what the page shows of the rows that wait for a choice; None where there are none."""
    found = [error for error in job.errors if "conflict" in error]
    if not found:
        return None
    labels = {name: column.label for name, column in resource.columns().items()}
    shown = found[:SHOWN]
    people = {person for error in shown if (person := error["conflict"].get("by"))}
    names = {str(user.pk): str(user) for user in User.objects.filter(pk__in=people)}
    return {
        "rows": [_row(error["line"], error["conflict"], labels, names) for error in shown],
        "count": len(found),
        "hidden": len(found) - len(shown),
    }


def _row(line: int, conflict: Mapping[str, Any], labels: Mapping[str, str], names: Mapping[str, str]) -> dict[str, Any]:
    at = conflict.get("at")
    return {
        "line": line,
        "key": conflict["key"],
        "by": names.get(conflict.get("by") or "", ""),
        "at": datetime.fromisoformat(at) if at else None,
        "cells": [_cell(line, cell, labels) for cell in conflict["cells"]],
    }


def _cell(line: int, cell: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, Any]:
    side = suggested(cell)
    if cell["column"] == TRANSITION:
        said = ""
    elif side:
        said = _("changed in the sheet alone") if side == SHEET else _("changed by the other person alone")
    else:
        said = _("changed on both sides") if cell["was"] is not None else _("unknown what it was")
    return {
        "name": f"{FIELD}-{line}-{cell['column']}",
        "label": labels.get(cell["column"], cell["column"]),
        "was": cell["was"],
        "said": said,
        "sides": [
            {"value": STORED, "text": cell["stored"], "label": _("as stored now"), "checked": side == STORED},
            {"value": SHEET, "text": cell["sheet"], "label": _("as in the sheet"), "checked": side == SHEET},
        ],
    }


def sides_of(request: HttpRequest, job: ImportJob) -> dict[int, dict[str, str]]:
    """Return what was chosen on the page: line → column → side. Raise Refusal where nothing was."""
    conflicts = {error["line"]: error["conflict"] for error in job.errors if "conflict" in error}
    if (one_side := request.POST.get("all")) in (STORED, SHEET):
        return {
            line: {cell["column"]: str(one_side) for cell in conflict["cells"]} for line, conflict in conflicts.items()
        }
    sides: dict[int, dict[str, str]] = {}
    for line in list(conflicts)[:SHOWN]:
        sides[line] = {
            cell["column"]: request.POST.get(f"{FIELD}-{line}-{cell['column']}", "")
            for cell in conflicts[line]["cells"]
        }
    if not sides:
        raise Refusal(Reason(_("Look at the preview again: it has changed meanwhile."), code="not_a_conflict"))
    return sides
