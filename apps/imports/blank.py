"""An empty sheet of a kind to start from: header, one example row, lists to choose from, notes in one's language."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from django.utils.text import capfirst
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from apps.common.cells import Choice, Day, Number, Whole, YesNo
from apps.common.clock import today
from apps.common.resources import Column, Reference, References, SheetResource

if TYPE_CHECKING:
    from apps.users.models import User

# Rows below the header that have lists to choose from and the formats of their columns.
PREPARED = 2_000
LONGEST_LIST = 250  # characters; a spreadsheet takes no longer one
HEADER_GROUND = PatternFill("solid", fgColor="D9EDEF")
EXAMPLE_INK = Font(italic=True, color="5F6B6D")


def template_xlsx(resource: SheetResource, *, user: User) -> bytes:
    """Return a workbook with the headers in the reader's language and an example made of records the user may name."""
    spanish = (get_language() or "").startswith("es")
    book = Workbook()
    sheet: Any = book.active
    sheet.title = (resource.spanish if spanish else resource.sheet)[:31]
    sheet.freeze_panes = "A2"
    # One list of codes is example enough: a code may not stand in two.
    others = [column.name for column in resource.columns().values() if isinstance(column, References)][1:]
    for number, column in enumerate(resource.columns().values(), start=1):
        letter = get_column_letter(number)
        header = sheet.cell(1, number, column.spanish if spanish else column.name)
        header.font = Font(bold=True)
        header.fill = HEADER_GROUND
        header.comment = Comment(_note(column), "Coveris", width=280, height=150)
        sheet.column_dimensions[letter].width = max(14, len(str(header.value)) + 4)
        example = sheet.cell(2, number, _example(column, user) if column.name not in others else None)
        example.font = EXAMPLE_INK
        for row in range(2, PREPARED + 2):
            sheet.cell(row, number).number_format = _format(column)
        if (choices := _choices(column, spanish)) is not None:
            rule = DataValidation(type="list", formula1=f'"{choices}"', allow_blank=True)
            rule.error, rule.errorTitle = _("Choose one of the list."), str(header.value)
            rule.add(f"{letter}2:{letter}{PREPARED + 1}")
            sheet.add_data_validation(rule)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _note(column: Column) -> str:
    lines = [capfirst(str(column.widget.name))]
    if column.key:
        lines.append(_("Decides whether the record is new or changed."))
    elif column.required:
        lines.append(_("A new record needs it."))
    else:
        lines.append(_("Optional. Without this column the stored value stays; an empty cell clears it."))
    if isinstance(column, Reference | References):
        lines.append(_("The code of: %(what)s.") % {"what": column.model._meta.verbose_name})
    if column.only_with:
        lines.append(_("Only with transition %(moves)s.") % {"moves": ", ".join(column.only_with)})
    if column.help:
        lines.append(str(column.help))
    lines.append(_("The second row is an example: write over it."))
    return "\n".join(lines)


def _example(column: Column, user: User) -> Any:
    if isinstance(column, Reference | References):
        return column.usable_by(user).order_by("pk").values_list(column.lookup, flat=True).first() or ""
    if not column.attribute or column.only_with:
        return None
    match column.widget:
        case Day():
            return today() if column.required else None
        case Whole():
            return None
        case Number():
            return 36 if column.required else None
        case YesNo():
            return None
        case Choice():
            return column.widget.choices[0][0]
    if column.key:
        return _("EXAMPLE-1")
    return _("Example") if column.required else None


def _format(column: Column) -> str:
    match column.widget:
        case Day():
            return "yyyy-mm-dd"
        case Whole():
            return "0"
        case Number():
            return "0.00"
    # Text stays text: no lost zeros, no dates out of codes.
    return "@"


def _choices(column: Column, spanish: bool) -> str | None:
    if isinstance(column.widget, YesNo):
        return "sí,no" if spanish else "yes,no"
    if isinstance(column.widget, Choice):
        values = ",".join(value for value, _label in column.widget.choices)
        return values if len(values) <= LONGEST_LIST else None
    return None
