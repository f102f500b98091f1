"""What goes out comes back as it was: every kind, both formats, clinics made up at random."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction

from apps.assignments.models import Assignment
from apps.common.cells import BLANKS, MASK
from apps.demand.models import DemandAdjustment
from apps.imports.writing import SPANISH_EXCEL
from apps.org.enums import LeaveKind
from apps.org.models import Employee, Leave, OrgUnit, Position
from apps.tags.models import EmployeeTag, PositionTag, TagCatalog
from tests.factories import Clinic

from .support import bring, codes, counts, history_rows, marks, take
from .undo_support import Sheets, furnish
from .whole_way import FULL, SEED

CLINICS = 100 if FULL else 2
PARTS = 20 if FULL else 2
SHEETS = 10
PIECES = [
    "Ana", "Núñez", "ÑANDÚ", "ß", "Œ€", "o'Brien", "李小龙", "محمد", "שלום", "Σίσυφος", "👩🏽‍⚕️", "e\u0301", "\u200b",
    "\u202e", "a\nb", "a\r\nb", "\t", "\u2028", "\x85", "\x07", "\x7f", "\ufffd", '"', '""', "'", "''", ";", ",", "|x",
    "\\", "\\N", "\\.", "=", "+", "-", "@", "\uff1d1", "=1+1", "'=1", '="001"', "'001", "_x000D_", "_x0041_", "&amp;",
    "<b>", "]]>", "%s", "{0}", "\u00a0", " ", "0012", "1E+10", "2,03E+10", "1/2", "2026-01-05", "5/1/2026",
    "TRUE", "no",
    "#N/A", "#REF!", "####", "NULL",
    "nan", "Ã\u00ad", "Mar¡a", "sep=;", "row_version", "\U0010ffff", "\ud7ff",
    "\ufdfa", "x" * 60,
]  # fmt: skip
FIRST, LAST = date(1900, 1, 1), date(2200, 12, 31)
ODD_DAYS = [FIRST, date(1900, 2, 28), date(1900, 3, 1), date(1904, 1, 1), date(2000, 2, 29), LAST]
DAY = timedelta(days=1)


class Furniture:
    """Gives everything in a clinic texts, numbers and days as odd as the tables take."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.taken: set[str] = {""}

    def text(self, longest: int, *, unique: bool = False, empty: bool = True, barred: str = "") -> str:
        """Return a text as forms would leave it: no blanks round it, no NUL."""
        if empty and self.dice.random() < 0.15:
            return ""
        for _attempt in range(1_000):
            pieces = self.dice.choices(PIECES, k=self.dice.choice([1, 1, 2, 3, 8]))
            text = "".join(pieces)[:longest]
            if self.dice.random() < 0.1:
                text = (text * 600)[:longest]
            text = "".join(sign for sign in text if sign not in barred).strip(BLANKS)
            if text and text != MASK and not (unique and text in self.taken):
                self.taken.add(text) if unique else None
                return text
        raise AssertionError("no text was found")

    def day(self) -> date:
        if self.dice.random() < 0.3:
            return self.dice.choice(ODD_DAYS)
        return FIRST + DAY * self.dice.randrange((LAST - FIRST).days)

    def after(self, first: date) -> date | None:
        return self.dice.choice([None, first, LAST, first + DAY * self.dice.randrange((LAST - first).days + 1)])

    def hours(self, least: str = "0.01", most: str = "999999.99") -> Decimal:
        odd = [Decimal(least), Decimal(most), Decimal("36"), Decimal("36.50"), Decimal("0.10")]
        return self.dice.choice([*odd, Decimal(self.dice.randrange(1, 10_000)) / 100])

    def furnish(self) -> None:
        """Write past the services: what is stored is stored, however it came there."""
        for unit in OrgUnit.objects.all():
            OrgUnit.objects.filter(pk=unit.pk).update(
                code=self.text(40, unique=True, empty=False), name=self.text(200, empty=False),
                max_weekly_hours=self.dice.choice([None, self.hours(most="168")]), is_active=self.dice.random() < 0.5,
                headroom=self.dice.choice([unit.headroom, Decimal("0"), Decimal("12.25")]),
            )  # fmt: skip
        for tag in TagCatalog.objects.all():
            first, last = sorted(self.dice.choices([0, 1, 30, 32_767], k=2), reverse=True)
            TagCatalog.objects.filter(pk=tag.pk).update(
                code=self.text(40, unique=True, empty=False, barred="|"), name=self.text(200, unique=True, empty=False),
                first_warning_days=self.dice.choice([None, first]), last_warning_days=self.dice.choice([None, last]),
                hours_delta=self.dice.choice([tag.hours_delta, Decimal("-0.01"), Decimal("36.50")]),
            )  # fmt: skip
        for position in Position.objects.all():
            opens = self.day()
            Position.objects.filter(pk=position.pk).update(
                code=self.text(40, unique=True, empty=False), title=self.text(200, empty=False), opens_on=opens,
                closes_on=self.after(opens), required_weekly_hours=self.hours(),
            )  # fmt: skip
        for person in Employee.objects.all():
            Employee.objects.filter(pk=person.pk).update(
                employee_number=self.text(40, unique=True, empty=False), given_name=self.text(100, empty=False),
                family_name=self.text(100, empty=False), national_id=self.text(20),
                email=self.dice.choice(["", "o'brien+x@example.org", "=1@example.org"]),
            )  # fmt: skip
        for model, name in ((EmployeeTag, "note"), (Leave, "reason"), (DemandAdjustment, "reason")):
            for row in model.objects.all():
                model.objects.filter(pk=row.pk).update(**{name: self.text(500)})
        for row in DemandAdjustment.objects.all():
            DemandAdjustment.objects.filter(pk=row.pk).update(hours=self.hours() * self.dice.choice([1, -1]))
        for leave in Leave.objects.filter(ends_on__isnull=False).order_by("employee", "-starts_on"):
            Leave.objects.filter(pk=leave.pk).update(kind=self.dice.choice(LeaveKind.values))


def made_up(seed: int) -> None:
    """Make a clinic with something of every kind in every state, then furnish it."""
    clinic = furnish(Clinic())
    PositionTag.objects.get_or_create(position=clinic.p2, tag=TagCatalog.objects.get(code="Q3"), level="PREFERRED")
    sheets = Sheets(seed)
    for kind in Sheets.KINDS:
        sheets.bring(kind, "good-rows")
    for _number in range(SHEETS):
        sheets.bring(mode="good-rows")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    Furniture(seed).furnish()


def ways(kind: str) -> Iterator[tuple[str, bytes, dict[str, str]]]:
    """Yield a kind as it goes out: plain, as a Spanish spreadsheet opens it, and as workbooks with either header."""
    yield "csv", take(kind), {}
    yield "excel", take(kind, style=SPANISH_EXCEL), {"dates": "dmy", "decimal": "comma"}
    yield "xlsx", take(kind, format="xlsx"), {}
    yield "spanish xlsx", take(kind, format="xlsx", spanish=True), {}


def differences(kind: str, met: Counter[str] | None = None) -> list[Any]:
    """Return what is not as it was once a kind went out and came back."""
    wrong: list[Any] = []
    for way, content, reading in ways(kind):
        before = history_rows(), marks()
        report = bring(kind, content, reading=reading)
        if counts(report)[:2] != (0, 0) or not report.ok or not report.unchanged:
            wrong.append((way, counts(report), report.changes[:2], report.errors[:2]))
        if (history_rows(), marks()) != before:
            wrong.append((way, "it left a trace"))
        if met is not None:
            met[kind] += report.unchanged
    return wrong


@pytest.mark.timeout(3_000)
@pytest.mark.parametrize("part", range(PARTS))
def test_what_goes_out_of_any_clinic_comes_back_as_it_was(part: int, db: Any) -> None:
    met: Counter[str] = Counter()
    wrong: dict[Any, list[Any]] = {}
    for number in range(part, CLINICS, PARTS):
        with transaction.atomic():
            made_up(SEED + number)
            states = Counter(Employee.objects.values_list("status", flat=True))
            states.update(Assignment.objects.values_list("status", flat=True))
            met.update({f"state {state}": count for state, count in states.items()})
            for kind in Sheets.KINDS:
                if found := differences(kind, met):
                    wrong[SEED + number, kind] = found
            transaction.set_rollback(True)
    assert not wrong, "\n".join(f"{where}: {found}" for where, found in wrong.items())
    assert all(met[kind] > 5 for kind in Sheets.KINDS), met
    assert {"state ACTIVE", "state PROPOSED", "state CLOSED"} <= set(met), met


def test_the_canary_one_cell_that_differs_is_seen(clinic: Clinic) -> None:
    furnish(clinic)
    content = take("positions")
    Position.objects.filter(code="P1").update(title="Enfermería de guardiá")
    assert counts(bring("positions", content, dry_run=True))[1] == 0  # somebody changed it meanwhile
    assert codes(bring("positions", content, dry_run=True)) == {"changed_since"}
    bare = b"\r\n".join(line.rsplit(b",", 1)[0] for line in content.split(b"\r\n"))
    assert counts(bring("positions", bare))[1] == 1
