"""No cell of an export is run by a spreadsheet, and every text comes back as it was."""

from __future__ import annotations

import csv
import io
from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from apps.common.cells import TRIGGERS, neutralise, restore
from apps.tags.models import TagCatalog

from .support import bring, counts, take

BEFORE = ("", " ", "\u00a0", "'", "''", "a\n", "a\r\n", "\t", " ' ", "\u3000", "\n", "x")
SIGNS = ("=", "+", "-", "@", "\t=", "\r=", "\n=", "＝", "＋", "－", "＠", "=-", "==", "|", "%")
AFTER = (
    "1+1",
    "cmd|' /C calc'!A0",
    'HYPERLINK("http://x","y")',
    "SUM(A1:A9)",
    "",
    "2",
    "A1\n=B2",
    "1;2",
    "1,2",
    "@x",
    "+1",
)
PAYLOADS = list(dict.fromkeys(before + sign + after for before, sign, after in product(BEFORE, SIGNS, AFTER)))


def runs(cell: str) -> bool:
    """Say whether a spreadsheet may take a CSV cell (or a line of it) for a formula."""
    return any(line.lstrip(" \u00a0\u3000\u2007\u202f")[:1] in tuple(TRIGGERS) for line in cell.splitlines() if line)


def test_there_are_two_thousand_payloads_and_some_would_run() -> None:
    assert len(PAYLOADS) > 1_900
    assert sum(runs(payload) for payload in PAYLOADS) > 1_000


def test_no_payload_is_live_in_csv_or_xlsx_and_all_come_back(db: Any) -> None:
    payloads = PAYLOADS[::2]
    TagCatalog.objects.bulk_create(
        TagCatalog(code=f"F{number}", name=f"{payload}"[:190] + f"\u200b{number}", type="QUALIFICATION")
        for number, payload in enumerate(payloads)
    )
    content = take("tags")
    for row in csv.reader(io.StringIO(content.decode(), newline="")):
        assert not any(runs(cell) for cell in row), row
    book = load_workbook(io.BytesIO(take("tags", format="xlsx")))
    for row in book.active.iter_rows():
        for cell in row:
            assert cell.data_type != "f"
            assert not (isinstance(cell.value, str) and runs(cell.value)), cell.value
    assert counts(bring("tags", content)) == (0, 0, len(payloads), 0)
    assert counts(bring("tags", take("tags", format="xlsx"))) == (0, 0, len(payloads), 0)


@given(st.text(alphabet=st.sampled_from("=+-@'ax1 \u00a0\t\r\n＝|"), max_size=12))
def test_what_was_neutralised_is_restored_exactly(text: str) -> None:
    safe = neutralise(text)
    assert not runs(safe)
    assert restore(safe) == text


def test_the_canary_an_unprotected_export_would_run() -> None:
    assert runs("=1+1") and runs(" =1+1") and runs("a\n=1+1")
