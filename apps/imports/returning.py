"""The refused rows of a sheet as a workbook: exactly these, as they stood, with the reason beside; to be mended and
brought in again."""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.utils.translation import get_language
from openpyxl import Workbook

from apps.common.resources import REFUSED_BECAUSE, REFUSED_BECAUSE_SPANISH
from apps.common.staging import StagedSheet

from .cleaning import Cells
from .problems import Error
from .writing import sheet_cell


def refused_xlsx(cells: Cells, sheet: StagedSheet, errors: Sequence[Error]) -> bytes:
    """Return the workbook; its last column is one that imports leave aside."""
    lines = {line for (line,) in sheet.fetch("SELECT line FROM sheet_rows WHERE refused")}
    why: defaultdict[int, list[str]] = defaultdict(list)
    for error in errors:
        where = f"{error['column']}: " if error["column"] else ""
        why[error["line"]].append(f"{where}{error['message']}")
    book = Workbook(write_only=True)
    page = book.create_sheet(_title(cells.table.sheet) or cells.resource.sheet)
    page.freeze_panes = "A2"
    spanish = (get_language() or "").startswith("es")
    last = REFUSED_BECAUSE_SPANISH if spanish else REFUSED_BECAUSE
    width = len(cells.headers)
    kept = [place for place in range(width) if place not in cells.left_aside]
    page.append([sheet_cell(page, cells.table.header[place], bold=True) for place in kept]
                + [sheet_cell(page, last, bold=True)])  # fmt: skip
    for line, row in cells.table:
        if line in lines:
            padded: list[Any] = [*row, *[None] * (width - len(row))]
            page.append([*(sheet_cell(page, padded[place]) for place in kept), sheet_cell(page, "\n".join(why[line]))])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _title(name: str) -> str:
    """Return a name that a spreadsheet takes for a sheet; nothing if nothing is left of it."""
    return re.sub(r"[\[\]:*?/\\]", " ", name).strip(" '")[:31].strip(" '")
