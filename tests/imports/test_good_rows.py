"""Good rows go together beside those that are refused, with the answer that one row after the other would give."""

from __future__ import annotations

import random
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.assignments.models import Assignment
from apps.imports import applying, bringing_in
from apps.imports.applying import Outcome, _attempt, _note, _turns
from apps.imports.checking import refuse_orphans, refuse_overlaps
from apps.imports.enums import Mode
from tests.factories import BusinessRuleFactory, EmployeeFactory, PositionFactory

from .support import bring, sheet

HEADER = "employee_number,position_code,starts_on,ends_on,effective_hours,transition"


def one_after_the_other(rows: Any) -> Outcome:
    """Write the rows in turns from the first one on, as it was done before any went together."""
    outcome = Outcome()
    for lines in _turns(rows):
        rows.among = lines
        refuse_overlaps(rows)
        refuse_orphans(rows)
        while applying._lines(rows) and (blame := _attempt(rows, outcome)) is not None:
            _note(rows, blame)
            refuse_orphans(rows)
    rows.among = None
    return outcome


@pytest.fixture
def crowd(clinic: Any) -> Any:
    for number in range(6):
        EmployeeFactory(employee_number=f"C{number}", home_unit=clinic.h1)
        PositionFactory(code=f"Q{number}", org_unit=clinic.h1)
    BusinessRuleFactory(code="MAX_WEEKLY_HOURS", severity="BLOCKING", threshold=60)
    return clinic


def some_rows(seed: int) -> bytes:
    """Return a sheet in which some rows overlap, some are refused by the rules, and some name nobody."""
    pick = random.Random(seed)
    rows = []
    for _each in range(pick.randint(4, 14)):
        first = pick.randint(1, 3)
        until = f"2027-0{pick.randint(first, 4)}-28" if pick.random() < 0.6 else ""
        rows.append(
            (
                f"C{pick.randint(0, 5)}" if pick.random() < 0.95 else "NOBODY",
                f"Q{pick.randint(0, 5)}",
                f"2027-0{first}-01",
                until,
                pick.choice((4, 12, 30, 45, 70)),
                pick.choice(("", "", "accept")),
            )
        )
    return sheet(HEADER, *rows)


def answer_to(content: bytes) -> tuple[Any, ...]:
    """Return which lines were refused and what is stored afterwards; nothing is kept."""
    with transaction.atomic():
        report = bring("assignments", content, mode=Mode.GOOD_ROWS)
        stored = sorted(
            Assignment.objects.values_list(
                "employee__employee_number", "position__code", "starts_on", "ends_on", "effective_hours", "status"
            ),
            key=str,
        )
        refused = sorted({error["line"] for error in report.errors})
        transaction.set_rollback(True)
    return refused, stored, report.created, report.refused


@pytest.mark.parametrize("seed", range(12))
def test_together_the_answer_is_that_of_one_after_the_other(
    crowd: Any, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = some_rows(seed)
    together = answer_to(content)
    with monkeypatch.context() as patched:
        patched.setattr(bringing_in, "apply_row_by_row", one_after_the_other)
        apart = answer_to(content)
    assert together == apart


def test_the_random_sheets_hold_what_they_are_made_for(crowd: Any) -> None:
    answers = [answer_to(some_rows(seed)) for seed in range(12)]
    assert sum(created > 0 for *_rest, created, _refused in answers) > 6
    assert sum(refused > 0 for *_rest, refused in answers) > 6


def test_one_bad_row_costs_a_few_statements_however_long_the_sheet(crowd: Any) -> None:
    def statements(count: int) -> int:
        people = [EmployeeFactory(home_unit=crowd.h1).employee_number for _each in range(count)]
        # Two rows of each, so that rows can meet; the last one is more than anybody may work.
        rows = [(person, f"Q{place}", "2027-01-01", "", 5, "") for person in people for place in (0, 1)]
        content = sheet(HEADER, *rows, (people[-1], "Q2", "2027-01-01", "", 160, ""))
        with CaptureQueriesContext(connection) as found, transaction.atomic():
            report = bring("assignments", content, mode=Mode.GOOD_ROWS)
            transaction.set_rollback(True)
        assert (report.created, report.refused) == (2 * count, 1), report.errors
        return len(found)

    assert statements(12) <= statements(3) + 4
