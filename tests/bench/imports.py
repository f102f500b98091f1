"""`./run bench imports`: what a sheet costs, beside the library's own road and beside a bare COPY of the same file.

And what a list costs to take out, beside the library's own export.
"""

from __future__ import annotations

import csv
import gc
import io
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import tablib
from django.core.management import call_command
from django.db import connection, transaction
from import_export.fields import Field
from import_export.resources import ModelResource
from import_export.widgets import ForeignKeyWidget

from apps.org.models import Employee, OrgUnit, Position
from tests.imports.support import workbook

from . import alone, stage
from .alone import brought_in
from .harness import Figure, Report, alternate, ratio
from .memory import most_memory

ROWS, STOCK_ROWS, MANY = 20_000, 1_000, (100_000, 1_000_000)
MANY_IN_A_WORKBOOK = 250_000
LOOKED_AT = 100_000  # rows of a preview that also asks what it does to coverage and rules
TAKEN_OUT = (20_000, 1_000_000)
POSITIONS = ("code", "title", "unit_code", "required_weekly_hours", "opens_on", "closes_on")
EMPLOYEES = ("employee_number", "given_name", "family_name", "email", "national_id", "home_unit_code", "hired_on")


class StockResource(ModelResource):
    """Positions as one would first declare them: the library asks and saves row by row."""

    unit_code = Field("org_unit", "unit_code", ForeignKeyWidget(OrgUnit, "code"))

    class Meta:
        model = Position
        import_id_fields = ("code",)
        fields = ("code", "title", "unit_code", "required_weekly_hours", "opens_on", "closes_on")
        skip_unchanged = True


class StockPeople(ModelResource):
    """Employees as one would first declare them, to be taken out."""

    home_unit_code = Field("home_unit", "home_unit_code", ForeignKeyWidget(OrgUnit, "code"))

    class Meta:
        model = Employee
        fields = EMPLOYEES


def positions(count: int, units: int, closes: str = "2028-12-31") -> Iterator[tuple[Any, ...]]:
    for number in range(count):
        yield (
            f"N{number:07d}",
            f"Puesto nuevo {number}",
            f"U{number % units + 1}",
            20 + number % 30,
            "2026-01-01",
            closes,
        )


def people(count: int, units: int) -> Iterator[tuple[Any, ...]]:
    for n in range(count):
        yield (f"N{n:07d}", f"Nombre {n % 900}", f"Apellido {n % 7_000}", f"n{n}@clinic.example", str(30_000_000 + n),
               f"U{n % units + 1}", f"2026-01-{n % 28 + 1:02d}")  # fmt: skip


def sheet(header: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue().encode()


def stock(content: bytes, *, dry_run: bool = False) -> None:
    with transaction.atomic():
        data = tablib.Dataset().load(content.decode(), format="csv")
        result = StockResource().import_data(data, dry_run=dry_run, raise_errors=True, use_transactions=True)
        if result.has_errors() or result.has_validation_errors():
            raise AssertionError("the library refused the sheet")
        transaction.set_rollback(True)


def stock_taken_out(count: int) -> None:
    """Have the library take employees out."""
    StockPeople().export(Employee.objects.select_related("home_unit").order_by("employee_number")[:count]).csv


def copied(content: bytes) -> None:
    """Copy the same file into a table that is nobody's."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE bare ({', '.join(f'{name} text' for name in POSITIONS)}) ON COMMIT DROP")
        with cursor.copy("COPY bare FROM STDIN (FORMAT csv, HEADER)") as copy:
            copy.write(content)
        transaction.set_rollback(True)


def timed(work: Callable[[], object]) -> float:
    gc.collect()
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def imports(sizes: Sequence[str], rounds: int, report: Report) -> None:
    """Rows a second as ratios in one run; memory; and whether it slows down as the table grows tenfold."""
    paces: dict[str, float] = {}
    for size in sizes:
        stage.enter(size, report)
        call_command("load_reference", verbosity=0)
        units = OrgUnit.objects.count()
        content = sheet(POSITIONS, positions(ROWS, units))
        few = sheet(POSITIONS, positions(STOCK_ROWS, units))
        seconds = alternate(
            {
                "copy": partial(copied, content),
                "ours": partial(brought_in, "positions", content),
                "preview": partial(brought_in, "positions", content, dry_run=True),
                "stock": partial(stock, few),
                "stock preview": partial(stock, few, dry_run=True),
            },
            rounds=min(rounds, 3),
        )
        for name in ("stock", "stock preview"):
            seconds[name] = [each * ROWS / STOCK_ROWS for each in seconds[name]]
        paces[size] = ROWS / sorted(seconds["ours"])[len(seconds["ours"]) // 2]
        for title, name, base, goal in (
            ("the library row by row (scaled) / ours", "stock", "ours", 60.0),
            ("the library's dry run (scaled) / our preview", "stock preview", "preview", 10.0),
        ):
            report.add(
                Figure(f"{ROWS} positions: {title}", size, *ratio(seconds, name, base), goal=goal, at_least=True,
                       note=f"{paces[size]:.0f} rows/s")
            )  # fmt: skip
        report.add(Figure(f"{ROWS} positions: ours / a bare COPY", size, *ratio(seconds, "ours", "copy")))
        if size == "s":
            continue
        _preview_with_impact(size, sheet(POSITIONS, positions(LOOKED_AT, units)), few, report)
        _exports(size, report)
        for count in MANY:
            rows = sheet(EMPLOYEES, people(count, units))
            _one_in(f"{count} employees, CSV", size, count, rows, report)
        rows = workbook(EMPLOYEES, *people(MANY_IN_A_WORKBOOK, units))
        _one_in(f"{MANY_IN_A_WORKBOOK} employees, XLSX", size, MANY_IN_A_WORKBOOK, rows, report)
    if {"m", "l"} <= set(sizes):
        slower = paces["m"] / paces["l"]
        report.add(Figure("rows/s, m / l (ten times the table)", "m–l", *[slower] * 3, goal=1.15))


def _preview_with_impact(size: str, content: bytes, few: bytes, report: Report) -> None:
    """Measure a preview that asks for coverage and rules too beside the library's dry run, which asks for nothing."""
    seconds = alternate(
        {
            "preview": partial(brought_in, "positions", content, dry_run=True, with_impact=True),
            "stock preview": partial(stock, few, dry_run=True),
        },
        rounds=1,
    )
    seconds["stock preview"] = [each * LOOKED_AT / STOCK_ROWS for each in seconds["stock preview"]]
    report.add(
        Figure(f"{LOOKED_AT} positions: the library's dry run (scaled) / our preview with impact", size,
               *ratio(seconds, "stock preview", "preview"), goal=10.0, at_least=True,
               note=f"{seconds['preview'][0]:.0f} s")
    )  # fmt: skip


def _exports(size: str, report: Report) -> None:
    """Measure what a list costs to take out; the library's pace from few rows, for it keeps all of them."""
    there = Employee.objects.count()
    stock_taken_out(STOCK_ROWS)
    pace = STOCK_ROWS / timed(partial(stock_taken_out, STOCK_ROWS))
    for count in sorted({min(count, there) for count in TAKEN_OUT}):
        for shape in ("csv", "xlsx"):
            _one(f"{count} employees out, {shape.upper()}", size, count, report, "out", "employees", shape, str(count),
                 beside=pace)  # fmt: skip
    if (memory := most_memory(partial(stock_taken_out, TAKEN_OUT[0]))) is not None:
        report.add(Figure(f"{TAKEN_OUT[0]} employees out by the library: most memory, MB", size, *[memory[0]] * 3))


def _one_in(title: str, size: str, count: int, content: bytes, report: Report) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        _one(title, size, count, report, "in", "employees", file.name)


def _one(title: str, size: str, count: int, report: Report, *what: str, beside: float | None = None) -> None:
    """Have a process of its own do it once; report its pace and how much memory it took."""
    seconds, megabytes = alone.run(*what)
    note = "" if beside is None else f"the library: {beside:.0f}"
    report.add(Figure(f"{title}: rows/s", size, *[count / seconds] * 3, note=note))
    if megabytes is not None:
        report.add(Figure(f"{title}: most memory of ours, MB", size, *[megabytes] * 3, goal=512.0))
