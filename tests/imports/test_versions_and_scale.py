"""Row versions, ten thousand rows, and what a refused sheet leaves behind: nothing."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.imports.models import ImportJob
from apps.org.models import Employee, OrgUnit, Position
from tests.factories import OrgUnitFactory

from .support import bring, codes, counts, history_rows, marks, sheet, take

ROWS = 10_000


def edited(content: bytes, column: str, value: str) -> bytes:
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    for row in rows:
        row[column] = value
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def test_a_row_changed_meanwhile_is_shown_and_not_overwritten(clinic: Any) -> None:
    mine = edited(take("positions"), "title", "Mi versión")
    Position.objects.filter(code="P1").update(required_weekly_hours=40)
    report = bring("positions", mine)
    assert [(error["line"], error["code"]) for error in report.errors] == [(2, "changed_since")]
    assert "required_weekly_hours: 40.00 → 36.00" in report.errors[0]["message"]
    assert not Position.objects.filter(title="Mi versión").exists()
    assert counts(bring("positions", mine, mode="good-rows")) == (0, 1, 0, 1)
    assert bring("positions", edited(mine, "row_version", "")).ok


def test_a_row_that_already_says_so_is_no_conflict(clinic: Any) -> None:
    mine = edited(take("positions"), "title", "Igual")
    assert bring("positions", mine).ok
    assert counts(bring("positions", mine)) == (0, 0, 2, 0)


def test_a_deleted_row_is_not_made_anew(clinic: Any) -> None:
    mine = take("positions")
    Position.objects.filter(code="P1").delete()
    assert codes(bring("positions", mine)) == {"gone"}


def test_a_version_tells_nothing_to_whoever_guesses(clinic: Any, settings: Any) -> None:
    first = take("employees").split(b"\r\n")[1].rsplit(b",", 1)[1]
    settings.SECRET_KEY = "another installation"
    assert take("employees").split(b"\r\n")[1].rsplit(b",", 1)[1] != first


def people(count: int, title: str = "Ana") -> bytes:
    rows = [f"N{n:06d},{title},Paz,n{n}@example.org,H1,2026-01-05" for n in range(count)]
    return sheet("employee_number,given_name,family_name,email,home_unit_code,hired_on", *rows)


def test_ten_thousand_rows_cost_a_few_dozen_statements(clinic: Any) -> None:
    with CaptureQueriesContext(connection) as creating:
        assert counts(bring("employees", people(ROWS), actor=clinic.manager)) == (ROWS, 0, 0, 0)
    with CaptureQueriesContext(connection) as again:
        assert counts(bring("employees", people(ROWS), actor=clinic.manager)) == (0, 0, ROWS, 0)
    with CaptureQueriesContext(connection) as changing:
        assert counts(bring("employees", people(ROWS, "Eva"), actor=clinic.manager)) == (0, ROWS, 0, 0)
    assert len(creating) < 90 and len(again) < 60 and len(changing) < 90, (len(creating), len(again), len(changing))
    assert Employee.objects.filter(given_name="Eva").count() == ROWS + 1


def test_the_number_of_statements_does_not_follow_the_rows(clinic: Any) -> None:
    def statements(count: int) -> int:
        rows = [f"E1,P1,{2027 + n // 300}-{n // 25 % 12 + 1:02d}-{n % 25 + 1:02d},yes,1.5" for n in range(count)]
        header = "employee_number,position_code,starts_on,is_reinforcement,effective_hours"
        with CaptureQueriesContext(connection) as taken:
            report = bring("assignments", sheet(header, *rows), dry_run=True)
        assert report.created == count, report.errors[:3]
        return len(taken)

    # Few subjects are judged by prepared statements, which takes a question more each (apps.common.prepared).
    assert statements(250) == statements(500) <= statements(20)


def test_a_dry_run_tells_all_and_writes_nothing(clinic: Any) -> None:
    before = history_rows(), marks(), ImportJob.objects.count()
    report = bring("positions", sheet("code,title", "P1,Nuevo", "P2,Otro"), dry_run=True)
    assert counts(report) == (0, 2, 0, 0)
    assert report.job is None
    assert report.changes[0]["cells"] == {"title": ["Enfermería de guardia", "Nuevo"]}
    assert (history_rows(), marks(), ImportJob.objects.count()) == before
    assert Position.objects.get(code="P1").title == "Enfermería de guardia"


@pytest.mark.parametrize("bad", range(1, 41, 3))
def test_one_bad_row_anywhere_leaves_nothing(bad: int, clinic: Any) -> None:
    rows = [f"X{n},Sala {n},H" for n in range(40)]
    rows[bad - 1] = f"X{bad - 1},Sala,NOWHERE"
    before = history_rows(), marks()
    report = bring("org_units", sheet("code,name,parent_code", *rows))
    assert counts(report)[:2] == (0, 0)
    assert {error["line"] for error in report.errors} == {bad + 1}
    assert (history_rows(), marks()) == before
    assert OrgUnit.objects.count() == 3


def test_a_job_keeps_what_came_of_it(clinic: Any) -> None:
    done = bring("positions", sheet("code,title", "P1,Nuevo"), actor=clinic.manager)
    job = ImportJob.objects.get(pk=done.job)
    assert (job.state, job.updated, job.user, job.content) == ("APPLIED", 1, clinic.manager, None)
    refused = bring("positions", sheet("code,title", "P1,"), actor=clinic.manager)
    job = ImportJob.objects.get(pk=refused.job)
    assert (job.state, job.refused, job.errors[0]["code"]) == ("REFUSED", 1, "required")


def test_what_the_database_alone_knows_becomes_an_error_of_the_row(clinic: Any, monkeypatch: Any) -> None:
    """A race that slips past the checks is told by row, found by halving."""
    from apps.org.resources import OrgUnitResource

    monkeypatch.setattr(OrgUnitResource, "invariants", ())
    rows = [f"X{n},Sala {n},{'-5' if n == 7 else '40'}" for n in range(12)]
    report = bring("org_units", sheet("code,name,max_weekly_hours", *rows))
    assert [(error["line"], error["code"]) for error in report.errors] == [(9, "org_unit_cap_positive")]
    assert OrgUnit.objects.count() == 3
    good = bring("org_units", sheet("code,name,max_weekly_hours", *rows), mode="good-rows")
    assert counts(good) == (11, 0, 0, 1)


def test_a_child_of_a_refused_unit_is_refused_with_it(clinic: Any) -> None:
    OrgUnitFactory(code="OLD")
    content = sheet(
        "code,name,kind,parent_code", "A,Alta,NONSENSE,H", "B,Baja,UNIT,A", "C,Sala,UNIT,B", "D,Bien,UNIT,OLD"
    )
    report = bring("org_units", content, mode="good-rows")
    assert counts(report) == (1, 0, 0, 3)
    assert codes(report) == {"unknown_choice", "refused_reference"}
