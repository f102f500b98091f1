"""The part of an import's page that says how its sheets were read, and takes what a person corrects of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

from django.http import QueryDict
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.common.errors import Reason, Refusal
from apps.common.resources import VERSION, SheetResource, resources

from .corrections import Correction
from .mapping import ASIDE, file_columns, lacking
from .models import ImportJob, ImportPart
from .parts import sheets_of
from .reading_form import DATES, DECIMALS, ENCODINGS, SEPARATORS, ReadingForm, kind_label

if TYPE_CHECKING:
    from apps.users.models import User

# Columns are told by name up to so many; the table below has them all.
NAMED = 6


def reading_shown(job: ImportJob, user: User) -> list[dict[str, Any]]:
    """Return, sheet by sheet, what was found out and the form to correct it; nothing before it was looked at."""
    return [
        _sheet_shown(sheet, ReadingForm(user, sheet))
        for sheet in sheets_of(job)
        if "head" in sheet.options or isinstance(sheet, ImportPart)
    ]


def corrections_from(job: ImportJob, user: User, posted: QueryDict) -> list[Correction]:
    """Return what a person says of each sheet; raise Refusal for what no page of ours asks."""
    forms = [ReadingForm(user, sheet, posted) for sheet in sheets_of(job)]
    wrong = [
        f"{form.fields[name].label}: {sentence}" if name in form.fields else str(sentence)
        for form in forms
        for name, sentences in form.errors.items()
        for sentence in sentences
    ]
    if wrong:
        raise Refusal([Reason(sentence, code="invalid") for sentence in wrong])
    return [form.correction() for form in forms]


def _sheet_shown(sheet: ImportJob | ImportPart, form: ReadingForm) -> dict[str, Any]:
    head = sheet.options.get("head", {})
    resource = resources().get(sheet.kind)
    columns = file_columns(resource, head.get("header", []), sheet.options.get("mapping", {})) if resource else []
    keys, needed = lacking(resource, columns) if resource and head.get("header") else ([], [])
    unknown = [one for one in columns if one.how == "unknown"]
    hints = [*_other_sheets(sheet, head), *_hints(head.get("hints", {}), sheet.options["picked"])]
    is_aside = isinstance(sheet, ImportPart) and sheet.is_left_aside
    return {
        "sheet": sheet,
        "name": sheet.file_name,
        "kind": kind_label(resource) if resource else "",
        "facts": _facts(sheet, head, columns),
        "form": form,
        "writing": [form[name] for name in ("kind", "turn", "sheet", "dates", "decimal", "separator", "encoding")
                    if name in form.fields],
        "rows": form.column_rows() if resource else _untold_rows(head),
        "samples": range(1, len(head.get("sample", [])) + 1),
        "unknown": [one.title for one in unknown],
        "keys": [column.label for column in keys],
        "needed": [column.label for column in needed],
        "hints": hints,
        "habit": _habit(sheet, resource),
        "is_aside": is_aside,
        "is_undecided": not is_aside and not resource,
        "fault": head.get("fault", {}).get("message", ""),
        "is_open": not is_aside and bool(unknown or keys or not resource or "fault" in head
                                         or any(hint["is_wrong"] for hint in hints)),
    }  # fmt: skip


def _untold_rows(head: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the columns of a sheet whose kind is open: what stands in it helps to say what it is."""
    return [
        {
            "title": title, "place": place + 1, "how": "", "field": None, "suggestion": "",
            "values": [row[place] if place < len(row) else [""] for row in head.get("sample", [])],
        }
        for place, title in enumerate(head.get("header", []))
    ]  # fmt: skip


def _facts(sheet: ImportJob | ImportPart, head: dict[str, Any], columns: list[Any]) -> list[str]:
    """Return what was found out, in a few words each."""
    if not head.get("format"):
        return []
    picked = sheet.options["picked"]
    facts = [head["format"].upper()]
    if head["format"] == "csv":
        facts += [str(dict(ENCODINGS).get(head["encoding"], head["encoding"])),
                  str(dict(SEPARATORS).get(head["separator"], head["separator"]))]  # fmt: skip
    elif head["sheet"]:
        facts.append(f"“{head['sheet']}”")
    facts += [
        _("dates %(how)s") % {"how": dict(DATES)[picked["dates"]]},
        _("decimals with %(how)s") % {"how": dict(DECIMALS)[picked["decimal"]]},
        _("header in line %(line)s") % {"line": head["header_line"]},
    ]
    titled = [one for one in columns if one.how != "nameless"]
    if titled:
        facts.append(ngettext("%(count)s column", "%(count)s columns", len(titled)) % {"count": len(titled)})
    if aside := sum(one.how == "aside" for one in titled):
        facts.append(_("%(count)s left aside") % {"count": aside})
    return facts


def _habit(sheet: ImportJob | ImportPart, resource: type[SheetResource] | None) -> dict[str, str] | None:
    """Return what was taken over from the last time, as one says it."""
    habit = sheet.options.get("habit")
    if habit is None or resource is None:
        return None
    picked, otherwise = sheet.options["picked"], habit["otherwise"]
    labels = {name: column.label for name, column in resource.columns().items()} | {VERSION: VERSION}
    said = []
    if picked["dates"] != otherwise["dates"]:
        said.append(_("dates %(how)s") % {"how": dict(DATES)[picked["dates"]]})
    if picked["decimal"] != otherwise["decimal"]:
        said.append(_("decimals with %(how)s") % {"how": dict(DECIMALS)[picked["decimal"]]})
    if picked["separator"] != otherwise["separator"]:
        said.append(str(dict(SEPARATORS)[picked["separator"]]))
    if picked["encoding"] != otherwise["encoding"]:
        said.append(str(dict(ENCODINGS)[picked["encoding"]]))
    mapping = sheet.options.get("mapping", {})
    titles = {one.key: one.title or one.key for one in file_columns(resource, sheet.options["head"].get("header", []),
                                                                    mapping)}  # fmt: skip
    for key, name in list(mapping.items())[:NAMED]:
        facts = {"title": titles.get(key, key), "column": labels.get(name, name)}
        said.append(_("“%(title)s” left aside") % facts if name == ASIDE else _("“%(title)s” is %(column)s") % facts)
    if len(mapping) > NAMED:
        said.append(_("and %(count)s more") % {"count": len(mapping) - NAMED})
    return {
        "day": date_format(date.fromisoformat(habit["at"]), "MONTH_DAY_FORMAT"),
        "said": "; ".join(said) or _("as usual"),
    }


def _hints(hints: dict[str, Any], picked: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield what the first rows say about dates and decimals, and whether it speaks against what is picked."""
    dates = hints.get("dates", {})
    patterns = dict(DATES)
    if "dmy" in dates and "mdy" in dates:
        facts = {"day": dates["dmy"]["value"], "month": dates["mdy"]["value"]}
        yield _hint(_("“%(day)s” can only be day first, “%(month)s” only month first: this sheet mixes both.") % facts)
    elif found := dates.get("dmy"):
        yield _one_order(_("“%(value)s” in “%(column)s” can only be day first") % found, "dmy", patterns, picked)
    elif found := dates.get("mdy"):
        yield _one_order(_("“%(value)s” in “%(column)s” can only be month first") % found, "mdy", patterns, picked)
    elif found := dates.get("either"):
        text = _("“%(value)s” in “%(column)s” could be day first or month first: nothing here tells.") % found
        if picked["dates"] == "iso":
            yield _hint(f"{text} " + _("Pick how dates are written."))
        else:
            facts = {"how": patterns[picked["dates"]]}
            yield _hint(f"{text} " + _("It is read as picked: %(how)s.") % facts, is_wrong=False)
    decimals = hints.get("decimal", {})
    if "comma" in decimals and "point" in decimals:
        facts = {"comma": decimals["comma"]["value"], "point": decimals["point"]["value"]}
        yield _hint(_("“%(comma)s” has a comma, “%(point)s” a point: this sheet mixes both.") % facts)
        return
    for sign, found in decimals.items():
        if sign != picked["decimal"]:
            facts = found | {"how": dict(DECIMALS)[sign]}
            yield _hint(_("“%(value)s” in “%(column)s” is written with %(how)s: pick that.") % facts)


def _other_sheets(sheet: ImportJob | ImportPart, head: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield that a workbook has more sheets than the one that is read."""
    if isinstance(sheet, ImportJob) and len(head.get("sheets", [])) > 1:
        facts = {"count": len(head["sheets"]), "sheet": head["sheet"]}
        yield _hint(
            _("The workbook has %(count)s sheets; “%(sheet)s” alone is read. Pick another below, or upload it again "
              "without picking a kind to bring in all of them.") % facts,
            is_wrong=False,
        )  # fmt: skip


def _one_order(text: str, order: str, patterns: dict[str, str], picked: dict[str, str]) -> dict[str, Any]:
    if picked["dates"] == order:
        return _hint(_("%(text)s: as picked.") % {"text": text}, is_wrong=False)
    return _hint(_("%(text)s: pick %(pattern)s.") % {"text": text, "pattern": patterns[order]})


def _hint(text: str, *, is_wrong: bool = True) -> dict[str, Any]:
    return {"text": text, "is_wrong": is_wrong}
