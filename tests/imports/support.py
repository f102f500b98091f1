"""Sheets as texts, and what came of them."""

from __future__ import annotations

import csv
import io
from typing import Any

from django.apps import apps
from openpyxl import Workbook

from apps.changes.models import Mark
from apps.imports.reading import Options
from apps.imports.reports import Report
from apps.imports.services import import_sheet, resource_of
from apps.imports.writing import rows_for, write_csv, write_xlsx


def sheet(*rows: Any, separator: str = ",") -> bytes:
    """Return a CSV of rows given as texts ("a,b") or as sequences."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=separator, lineterminator="\r\n")
    for row in rows:
        writer.writerow(row.split(",") if isinstance(row, str) else row)
    return out.getvalue().encode()


def workbook(*rows: Any, title: str = "Sheet1") -> bytes:
    """Return an XLSX of rows with typed cells."""
    book = Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(list(row))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def bring(kind: str, content: bytes, *, actor: Any = None, **options: Any) -> Report:
    """Bring a sheet in; `reading` are the options of the file."""
    reading = Options(**options.pop("reading", {}))
    return import_sheet(kind=kind, content=content, file_name=f"{kind}.csv", actor=actor, options=reading, **options)


def take(kind: str, *, actor: Any = None, format: str = "csv", **options: Any) -> bytes:
    """Return what an export gives."""
    resource = resource_of(kind)
    rows = rows_for(resource, actor)
    if format == "xlsx":
        return write_xlsx(resource, rows, user=actor, **options)
    return b"".join(write_csv(resource, rows, user=actor, **options))


def counts(report: Report) -> tuple[int, int, int, int]:
    return report.created, report.updated, report.unchanged, report.refused


def codes(report: Report) -> set[str]:
    return {error["code"] for error in report.errors}


def history_rows() -> int:
    """Return how many history rows there are, of all models."""
    return sum(model.objects.count() for model in apps.get_models() if model.__name__.startswith("Historical"))


def marks() -> int:
    return Mark.objects.count()
