"""What a person says about how a sheet is to be read, after seeing what was found out about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .models import ImportJob, ImportPart
from .reading import Options


@dataclass(frozen=True)
class Correction:
    """How one sheet is to be read. `turn` is its place among several; `sheet` picks one of a workbook."""

    kind: str
    options: Options
    mapping: Mapping[str, str] = field(default_factory=dict)
    sheet: str = ""
    turn: int = 0
    is_left_aside: bool = False


def correct_sheet(sheet: ImportJob | ImportPart, correction: Correction) -> None:
    """Note what was said; the sheet is looked at anew, and what was said is remembered then."""
    if isinstance(sheet, ImportPart):
        sheet.is_left_aside = correction.is_left_aside
    before = _said(sheet)
    sheet.kind = correction.kind
    options = {name: value for name, value in sheet.options.items() if name not in ("head", "moves", "habit")}
    options |= {"picked": correction.options.as_dict(), "mapping": dict(correction.mapping)}
    if isinstance(sheet, ImportJob) and correction.sheet not in ("", sheet.options.get("head", {}).get("sheet")):
        options["sheet"] = correction.sheet
    sheet.options = options
    if _said(sheet) != before:
        # What was corrected is not filled in from the last time again.
        sheet.options = options | {"corrected": True, "to_remember": True}
    if isinstance(sheet, ImportPart):
        sheet.save()


def _said(sheet: ImportJob | ImportPart) -> tuple[object, ...]:
    options = sheet.options
    return sheet.kind, options["picked"], options.get("mapping", {}), options.get("sheet", "")
