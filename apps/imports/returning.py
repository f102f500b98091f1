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


class RefusedRows:
    """A workbook that grows by the refused rows of one sheet after the other; its last column is one that imports
    leave aside."""

    def __init__(self) -> None:
        self._book: Any = None
        self._titles: set[str] = set()

    def add(self, cells: Cells, sheet: StagedSheet, errors: Sequence[Error], *, title: str = "") -> None:
        """Add a page; of several sheets each goes by its kind, so that it is known again when it comes back."""
        if self._book is None:
            self._book = Workbook(write_only=True)
        lines = {line for (line,) in sheet.fetch("SELECT line FROM sheet_rows WHERE refused")}
        why: defaultdict[int, list[str]] = defaultdict(list)
        for error in errors:
            where = f"{error['column']}: " if error["column"] else ""
            why[error["line"]].append(f"{where}{error['message']}")
        page = self._book.create_sheet(self._titled(title or _title(cells.table.sheet) or cells.resource.sheet))
        page.freeze_panes = "A2"
        spanish = (get_language() or "").startswith("es")
        last = REFUSED_BECAUSE_SPANISH if spanish else REFUSED_BECAUSE
        width = len(cells.headers)
        kept = [place for place in range(width) if place not in cells.left_aside]
        page.append([sheet_cell(page, cells.title(place), bold=True) for place in kept]
                    + [sheet_cell(page, last, bold=True)])  # fmt: skip
        for line, row in cells.table:
            if line in lines:
                padded: list[Any] = [*row, *[None] * (width - len(row))]
                page.append(
                    [*(sheet_cell(page, padded[place]) for place in kept), sheet_cell(page, "\n".join(why[line]))]
                )

    def content(self) -> bytes | None:
        """Return the workbook; None if no row was refused."""
        if self._book is None:
            return None
        out = io.BytesIO()
        self._book.save(out)
        return out.getvalue()

    def _titled(self, title: str) -> str:
        number, free = 1, title
        while free.casefold() in self._titles:
            number += 1
            free = f"{title[:27]}_{number}"
        self._titles.add(free.casefold())
        return free


def _title(name: str) -> str:
    """Return a name that a spreadsheet takes for a sheet; nothing if nothing is left of it."""
    return re.sub(r"[\[\]:*?/\\]", " ", name).strip(" '")[:31].strip(" '")
