"""Sends a file the whole way in and says what is wrong with what came of it; what the tests of broken files share."""

from __future__ import annotations

import os
import re
import resource
import traceback
from functools import cache
from typing import Any

from django.db import connection, transaction
from django.utils.translation import override

from apps.imports.models import ImportJob
from apps.imports.reading import UPLOAD, Options
from apps.imports.reports import Report
from apps.imports.services import import_sheet
from tests.factories import Clinic, TagFactory

# TORTURE=full runs every file there is, at the size the product is measured by; otherwise a sample is taken.
FULL = os.environ.get("TORTURE") == "full"
SEED = int(os.environ.get("TORTURE_SEED", "20261209"))
CPU_SECONDS = 10
# What an import keeps about itself is no state of the house; the others are written by neither road.
LEFT_OUT = ("imports_", "django_", "auth_", "users_user_", "pg_", "sql_")
INTERNALS = re.compile(
    r"Traceback|Error\b|Exception|psycopg|django|calamine|openpyxl|defusedxml|zipfile|unicode|codec|"
    r"\b(?:SELECT|INSERT|UPDATE|DELETE|FROM|WHERE)\b|sheet_rows|sheet_cells|/usr/|/work/|/home/|\.py\b|0x[0-9a-f]{4}|"
    r"<class|\bNone\b|\bnull\b|%\(|\{\w*\}"
)
NAMES_NO_COLUMN = {"too_many_cells", "too_few_cells", "column_without_name"}


def furnish(clinic: Clinic) -> None:
    """Add what the rows of `malformed.GOOD` name."""
    TagFactory(code="Q1", name="Especialista")
    TagFactory(code="Q2", name="Pediatra")


@cache
def _state_sql() -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1",
        )
        tables = [name for (name,) in cursor.fetchall() if not name.startswith(LEFT_OUT)]
    assert len(tables) > 40
    return " UNION ALL ".join(
        f"SELECT '{table}', count(*), sum(hashtextextended(t::text, 0)) FROM \"{table}\" t" for table in tables
    )


def state() -> list[tuple[Any, ...]]:
    """Return a fingerprint of every table: its rows counted and summed up."""
    with connection.cursor() as cursor:
        cursor.execute(_state_sql())
        return sorted(cursor.fetchall())  # tables that were analysed are read in another order


def spent() -> float:
    """Return the seconds of processor time that the child processes of this one took so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def send(kind: str, content: bytes, *, language: str = "en", mode: str = "all-or-nothing", actor: Any = None,
         reading: dict[str, str] | None = None, before: Any = None) -> tuple[Report | None, list[str]]:  # fmt: skip
    """Bring a file in as a page would, and take it back; return the report (None after a crash) and all that is wrong.

    `before` is the state of the house, where it is known.
    """
    wrong: list[str] = []
    report: Report | None = None
    with override(language), transaction.atomic():
        before, begun = before or state(), spent()
        jobs = ImportJob.objects.count()
        try:
            with transaction.atomic():
                report = import_sheet(
                    kind=kind, content=content, file_name="sheet.xlsx", actor=actor, mode=mode, limits=UPLOAD,
                    options=Options(**(reading or {})),
                )  # fmt: skip
        except Exception:
            wrong.append(f"crashed: {traceback.format_exc()[-1_500:]}")
        if spent() - begun > CPU_SECONDS:
            wrong.append(f"its child took {spent() - begun:.1f} s")
        if report is not None:
            if ImportJob.objects.count() != jobs + 1:
                wrong.append("it left no record, or several")
            if not (report.created or report.updated) and state() != before:
                wrong.append("something was written that the report does not tell")
            wrong += faults_of(report)
        transaction.set_rollback(True)
    return report, wrong


def faults_of(report: Report) -> list[str]:
    """Return what a person could not make use of in what they are told."""
    wrong: list[str] = []
    if report.refused and not report.errors:
        wrong.append("rows are refused and no reason is told")
    for error in report.errors:
        about = f"{error['code']} {error['line']} {error['column']}: {error['message'][:200]}"
        if not error["message"].strip():
            wrong.append(f"no message: {about}")
        elif found := INTERNALS.search(re.sub(r"“[^”]*”|%\S*", "", error["message"])):
            wrong.append(f"internals ({found[0]}): {about}")
        if not isinstance(error["line"], int) or error["line"] < 1:
            wrong.append(f"no line: {about}")
        if report.read_as and not error["column"] and error["code"] not in NAMES_NO_COLUMN:
            wrong.append(f"no column: {about}")
        if len(error["message"]) > 1_500 or len(error["value"]) > 200:
            wrong.append(f"far too long: {about}")
    return wrong


def same_in_spanish(english: Report, spanish: Report | None) -> list[str]:
    """Return what differs but for the words, and which sentences are the same in both languages."""
    if spanish is None:
        return ["it crashed in Spanish alone"]
    wrong = []
    if [(e["line"], e["column"], e["code"]) for e in english.errors] != [
        (e["line"], e["column"], e["code"]) for e in spanish.errors
    ]:
        wrong.append("Spanish has other errors than English")
    wrong += [
        f"no Spanish: {one['message'][:120]}"
        for one, other in zip(english.errors, spanish.errors, strict=False)
        if one["message"] == other["message"]
    ][:3]
    return wrong
