"""What is wrong with a sheet's rows, and the sentence that says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from apps.common.cells import as_shown
from apps.common.resources import SheetResource

if TYPE_CHECKING:
    from .reading import Table

# So many are told one by one; of more it is only said how many rows they refuse.
MOST_TOLD = 20_000
Error = dict[str, Any]


def error_of(line: int, column: str, value: Any, code: str, message: Any) -> Error:
    """Return an error as reports have it: where, what stood there, what to do."""
    return {"line": line, "column": as_shown(column), "value": as_shown(value), "code": code, "message": str(message)}


@dataclass(frozen=True)
class Noted:
    """A problem the database found: `value` is what stood there where the code alone does not say."""

    line: int
    column: str
    code: str
    about: Any


def sentence_of(resource: SheetResource, noted: Noted) -> str:
    """Return what a person is told."""
    about = noted.about if isinstance(noted.about, Mapping) else {"what": noted.about}
    if "sentence" in about:
        return str(about["sentence"])
    if (said := SENTENCES.get(noted.code)) is not None:
        return said({"column": noted.column, "kind": resource, **about})
    constraint = next(one for one in resource.model()._meta.constraints if one.name == noted.code)
    sentence = str(constraint.get_violation_error_message())
    if "days" not in about:
        return sentence
    days = f"{about['days'][0]} – {about['days'][1] or '…'}"
    where = _("line %(line)s (%(days)s)") % {"line": about["line"], "days": days} if about["line"] else days
    return _("%(sentence)s It overlaps: %(where)s.") % {"sentence": sentence, "where": where}


def value_of(noted: Noted, raw: Mapping[str, Any]) -> Any:
    """Return what stood in the cell a problem is about."""
    if isinstance(noted.about, Mapping) and "value" in noted.about:
        return noted.about["value"]
    return raw.get(noted.column)


def raw_cells(table: Table, headers: list[str | None], lines: set[int]) -> dict[int, dict[str, Any]]:
    """Return line → column → cell as it stands in the file, going through it once more."""
    found: dict[int, dict[str, Any]] = {}
    if not lines:
        return found
    for line, cells in table:
        if line in lines:
            found[line] = {name: cell for name, cell in zip(headers, cells, strict=False) if name is not None}
            if len(found) == len(lines):
                break
    return found


def _unknown(about: Mapping[str, Any]) -> str:
    return _("“%(code)s” is not among the records you work with: check the code, or bring that record in first.") % {
        "code": as_shown(about["value"])
    }


def _lost_zeros(about: Mapping[str, Any]) -> str:
    if about.get("stored"):
        return _("“%(similar)s” is known: the spreadsheet dropped its zeros. Format the column as text.") % {
            "similar": about["similar"]
        }
    return _(
        "“%(code)s” is unknown, “%(similar)s” is not: the spreadsheet dropped its zeros. Format the column as text."
    ) % {"code": as_shown(about["value"]), "similar": about["similar"]}


def _wrong_state(about: Mapping[str, Any]) -> str:
    machine = about["kind"].machine
    states = ", ".join(str(machine.states(source).label) for source in machine.by_name[about["move"]].sources)
    return _("The record is “%(state)s”; “%(move)s” starts from: %(states)s.") % {
        "state": machine.states(about["status"]).label,
        "move": about["move"],
        "states": states,
    }


def _needed(about: Mapping[str, Any]) -> str:
    if about["column"] == "reason":
        return _("“%(move)s” needs a reason.") % about
    need = next(need for need in about["kind"].machine.by_name[about["move"]].needs if need.name == about["column"])
    facts = {"move": about["move"], "need": need.label, "column": need.name}
    if need.name in about["kind"].columns():
        return _("“%(move)s” needs: %(need)s. Fill the column “%(column)s”.") % facts
    return _("“%(move)s” needs: %(need)s, which this sheet has no column for. Do it on the record's page.") % facts


def _changed_since(about: Mapping[str, Any]) -> str:
    if "seen" not in about:
        # Of more than so many it is only said that it is so.
        return _(
            "Somebody changed this record after the sheet was exported. Export it again, or clear row_version to "
            "overwrite."
        )
    return _(
        "Somebody changed this record after the sheet was exported; stored now → in the sheet: %(seen)s. Choose what "
        "it is to be on the page of the import, export it again, or clear row_version to overwrite."
    ) % {"seen": about["seen"]}


def _unique(about: Mapping[str, Any]) -> str:
    if about["line"]:
        return _("Line %(line)s has the same “%(column)s”: change one of them.") % about
    return _("Another record has this “%(column)s”: choose another.") % about


SENTENCES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "duplicate_row": lambda about: (
        _("The same record stands in line %(lines)s too: keep one of them.")
        % {"lines": ", ".join(str(line) for line in about["what"])}
    ),
    "unknown_reference": _unknown,
    "lost_zeros": _lost_zeros,
    "dropped_zeros": lambda about: _(
        "The spreadsheet dropped the zeros this value begins with. Format the column as text and type it again."
    ),
    "out_of_scope": lambda about: _(
        "You may not create or change this record: check the code, or ask who is in charge of it."
    ),
    "only_with_transition": lambda about: (
        _("“%(column)s” changes only with transition %(moves)s.")
        % {"column": about["column"], "moves": " / ".join(about["kind"].columns()[about["column"]].only_with)}
    ),
    "wrong_state": _wrong_state,
    "needed": _needed,
    "gone": lambda about: _(
        "This record was there when the sheet was exported and is gone. Clear row_version to create it anew."
    ),
    "changed_since": _changed_since,
    "required": lambda about: _("The record is new and needs “%(column)s”: add the column.") % about,
    "unique": _unique,
    "busy": lambda about: _("Somebody changed this record at the same moment: import the sheet again."),
    "refused_reference": lambda about: (
        _("“%(code)s” stands in this sheet and is refused there: correct that row first.")
        % {"code": as_shown(about["what"])}
    ),
    "cycle": lambda about: _("A unit cannot be part of itself or of a unit below it: choose another."),
    "in_both_lists": lambda about: (
        _("%(codes)s: a tag is either required or preferred, take it out of one list.") % {"codes": about["what"]}
    ),
    "end_needed": lambda about: _("“%(tag)s” expires: say until when it is valid.") % {"tag": about["what"]},
    "closed": lambda about: _("%(what)s is closed: its days and hours stay as they are.") % about,
}
