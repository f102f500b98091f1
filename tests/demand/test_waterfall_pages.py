"""The pages of what changed and of the trend: who sees what, where links lead, the weeks, the file, the cost."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.html import escape

from apps.assignments.models import Assignment
from apps.changes.drain import drain
from apps.demand.admin import waterfall_answers as page_module
from apps.demand.models import ClosedUnitWeek, Comparison, PositionCoverage
from apps.demand.trend import trend
from apps.demand.waterfall import Place, comparing
from apps.demand.waterfall.carrying_out import compare_waiting
from apps.org.models import Position
from tests.factories import (
    AssignmentFactory,
    Clinic,
    DemandAdjustmentFactory,
    EmployeeFactory,
    LeaveFactory,
    OrgUnitFactory,
    PositionFactory,
    UserFactory,
)
from tests.today import TODAY

pytestmark = pytest.mark.django_db
PAGE = "/admin/demand/unitcoverage/waterfall/"
FILE = f"{PAGE}export/"
TREND = "/admin/demand/unitcoverage/trend/"
ASKED = "?from=2026-W50&to=2026-W51"
DAY = timedelta(days=1)
WEEK = 7 * DAY
MONDAY = TODAY - 2 * DAY
NEXT = MONDAY + WEEK
Browse = Callable[[Any], Client]


@pytest.fixture
def changing(clinic: Clinic) -> Any:
    """From 14 December the nurse's 24 hours at P1 in H1 end, and the surgeon's at P2 in H2 pause."""
    clinic.nurse_row = AssignmentFactory(
        employee=clinic.nurse, position=clinic.p1, effective_hours=24, ends_on=NEXT - DAY, accepted=True
    )
    AssignmentFactory(employee=clinic.surgeon, position=clinic.p2, effective_hours=30, accepted=True)
    clinic.leave = LeaveFactory(employee=clinic.surgeon, kind="SICK", starts_on=NEXT, ends_on=NEXT + 20 * DAY)
    clinic.adjustment = DemandAdjustmentFactory(position=clinic.p1, from_day=NEXT, hours=6, reason="Verano")
    return clinic


@pytest.fixture
def closed(clinic: Clinic) -> Any:
    """Three weeks are closed; the nurse came to P1 in the second of them."""
    settings.COVERIS_TODAY = TODAY - 3 * WEEK
    AssignmentFactory(
        employee=clinic.nurse, position=clinic.p1, effective_hours=24, starts_on=MONDAY - 2 * WEEK, accepted=True
    )
    for _week in range(4):
        drain()
        settings.COVERIS_TODAY += WEEK
    settings.COVERIS_TODAY = TODAY
    return clinic


def text(response: Any) -> str:
    assert response.status_code == 200
    return str(response.content.decode())


def lines(response: Any, figure: str) -> dict[str, str]:
    [bridge] = [bridge for bridge in response.context["bridges"] if bridge["figure"] == figure]
    return {str(row["label"]): row["hours"] for row in bridge["rows"]}


def test_each_figure_is_told_cause_by_cause(changing: Any, as_user: Browse) -> None:
    response = as_user(changing.admin).get(PAGE + ASKED)
    assert lines(response, "assigned") == {"Assignments ended": "−24.00", "Leaves begun": "−30.00"}
    assert lines(response, "required") == {"Adjustments begun": "+6.00"}
    page = text(response)
    for said in ("54.00", "72.00", "78.00", "+6.00, before 72.00", "Enfermería de guardia", "2026-W50", "(14 Dec)"):
        assert said in page, said


def test_a_cause_leads_to_its_records_and_these_to_their_pages(changing: Any, as_user: Browse) -> None:
    client = as_user(changing.admin)
    link = f"{ASKED}&cause=ENDED"
    assert escape(link) in text(client.get(PAGE + ASKED))
    page = text(client.get(PAGE + link))
    assert "Gómez, Lucía" in page
    for address in (
        f"/admin/assignments/assignment/{changing.nurse_row.pk}/change/",
        f"/admin/org/employee/{changing.nurse.pk}/change/",
        f"/admin/org/position/{changing.p1.pk}/coverage/",
    ):
        assert f'href="{address}"' in page
        assert client.get(address).status_code == 200
    for cause, address in (
        ("LEAVE", f"/admin/org/leave/{changing.leave.pk}/change/"),
        ("ADJUSTED", f"/admin/demand/demandadjustment/{changing.adjustment.pk}/change/"),
    ):
        assert f'href="{address}"' in text(client.get(f"{PAGE}{ASKED}&cause={cause}"))
        assert client.get(address).status_code == 200
    assert "+6.00 h a week, from 14 Dec 2026 on: Verano" in text(client.get(f"{PAGE}{ASKED}&cause=ADJUSTED"))


def test_a_cause_without_records_says_so(changing: Any, as_user: Browse) -> None:
    assert "makes no difference" in text(as_user(changing.admin).get(f"{PAGE}{ASKED}&cause=SUSPENDED"))


def test_a_person_sees_their_own_part_of_the_organisation(changing: Any, as_user: Browse) -> None:
    client = as_user(changing.manager)
    response = client.get(PAGE + ASKED)
    assert lines(response, "assigned") == {"Assignments ended": "−24.00"}
    assert "Instrumentación" not in text(response)
    assert "Quirófano" not in text(response)
    for asked in ("unit=H2", "unit=H", "position=P2"):
        assert [client.get(f"{address}?{asked}").status_code for address in (PAGE, FILE, TREND)] == [404] * 3
    assert "Díaz" not in text(client.get(f"{PAGE}{ASKED}&cause=LEAVE"))


def test_somebody_out_of_sight_counts_without_a_name(changing: Any, as_user: Browse) -> None:
    """Whoever worked here until yesterday and belongs elsewhere has no live assignment in scope any more."""
    guest = AssignmentFactory(
        employee=changing.surgeon, position=changing.p1, effective_hours=6, ends_on=TODAY, accepted=True
    )
    Assignment.objects.filter(pk=guest.pk).update(ends_on=TODAY - DAY)
    client = as_user(changing.manager)
    page = text(client.get(f"{PAGE}{ASKED}&cause=ENDED"))
    assert "2 records" in page
    assert "Somebody out of your sight" in page
    for hidden in ("Díaz", "E2", f"/admin/org/employee/{changing.surgeon.pk}/"):
        assert hidden not in page
        assert hidden not in text(client.get(f"{FILE}{ASKED}&cause=ENDED"))
    assert "Díaz" in text(as_user(changing.admin).get(f"{PAGE}{ASKED}&cause=ENDED"))


def test_the_kind_of_a_leave_is_for_those_who_may_see_the_person(changing: Any, as_user: Browse) -> None:
    """The guest's assignment goes on in the figures though it is closed by now, and a leave takes hours from it."""
    guest = AssignmentFactory(
        employee=changing.surgeon, position=changing.p1, effective_hours=6, ends_on=NEXT + DAY, accepted=True
    )
    Assignment.objects.filter(pk=guest.pk).update(status="CLOSED")
    page = text(as_user(changing.manager).get(f"{PAGE}{ASKED}&cause=LEAVE"))
    assert "Leave, 14 Dec 2026 to 3 Jan 2027" in page
    for hidden in ("Sick leave", "Díaz", f"/admin/org/leave/{changing.leave.pk}/"):
        assert hidden not in page
    assert "Sick leave, 14 Dec 2026 to 3 Jan 2027" in text(
        as_user(changing.admin).get(f"{PAGE}{ASKED}&unit=H1&cause=LEAVE")
    )


def test_nobody_without_the_right_comes_in(changing: Any, as_user: Browse) -> None:
    worker = UserFactory(role="EMPLOYEE", is_staff=True)
    for address in (PAGE, FILE, TREND):
        assert as_user(worker).get(address).status_code == 403
        assert as_user(changing.admin).post(address).status_code == 403
        assert Client().get(address).status_code == 302


@pytest.mark.parametrize(
    ("query", "weeks"),
    [
        ("", ("2026-W49", "2026-W50")),
        ("?from=2026-W50&to=2026-W51", ("2026-W50", "2026-W51")),
        ("?from=2026-W51&to=2026-W48", ("2026-W48", "2026-W51")),
        ("?from=2026-W51&to=2026-W51", ("2026-W51", "2026-W52")),
        ("?from=2027-W09&to=2027-W09", ("2027-W08", "2027-W09")),
        ("?to=2026-W48", ("2026-W48", "2026-W49")),
        ("?from=2020-W01&to=x%00", ("2026-W49", "2026-W50")),
        ("?cause=NOTHING&page=0", ("2026-W49", "2026-W50")),
    ],
)
def test_the_weeks_asked_for_are_compared_in_their_order(
    closed: Any, as_user: Browse, query: str, weeks: tuple[str, str]
) -> None:
    response = as_user(closed.admin).get(PAGE + query)
    assert response.status_code == 200
    assert (response.context["first_code"], response.context["second_code"]) == weeks


def test_before_any_week_was_closed_this_one_and_the_next_are_compared(changing: Any, as_user: Browse) -> None:
    response = as_user(changing.admin).get(PAGE)
    assert (response.context["first_code"], response.context["second_code"]) == ("2026-W50", "2026-W51")


def test_what_came_late_to_a_closed_week_is_said(closed: Any, as_user: Browse) -> None:
    Position.objects.filter(pk=closed.p1.pk).update(required_weekly_hours=40)
    response = as_user(closed.admin).get(f"{PAGE}?from=2026-W49&to=2026-W50&cause=CORRECTION")
    assert lines(response, "required") == {"Changed since the week was closed": "+4.00"}
    assert "Kept for 2026-W49" in text(response)


def test_a_position_by_itself(changing: Any, as_user: Browse) -> None:
    response = as_user(changing.admin).get(f"{PAGE}{ASKED}&position=P2")
    assert lines(response, "assigned") == {"Leaves begun": "−30.00"}
    assert "Where it changed most" not in text(response)


def test_units_and_positions_lead_here(changing: Any, as_user: Browse) -> None:
    drain()
    client = as_user(changing.admin)
    for page, asked in (
        (f"/admin/org/orgunit/{changing.h1.pk}/change/", "?unit=H1"),
        (f"/admin/org/position/{changing.p1.pk}/coverage/", "?position=P1"),
    ):
        for address in (PAGE, TREND):
            assert f'href="{address}{asked}"' in text(client.get(page))
            assert client.get(address + asked).status_code == 200


def test_the_menu_marks_each_page_alone(clinic: Clinic, as_user: Browse) -> None:
    for address, title in ((PAGE, "What changed"), (TREND, "Trend of coverage")):
        groups = as_user(clinic.admin).get(address).context["sidebar_navigation"]
        assert [str(item["title"]) for group in groups for item in group["items"] if item["active"]] == [title]


def test_records_come_in_pages(changing: Any, as_user: Browse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "PAGE_SIZE", 2)
    for _each in range(4):
        AssignmentFactory(
            employee=EmployeeFactory(home_unit=changing.h1, active=True), position=changing.p1, effective_hours=2,
            ends_on=NEXT - DAY, accepted=True,
        )  # fmt: skip
    client = as_user(changing.admin)
    found = []
    for page, shown in ((1, 2), (2, 2), (3, 1)):
        response = client.get(f"{PAGE}{ASKED}&cause=ENDED&page={page}")
        rows = response.context["behind"]["rows"]
        assert len(rows) == shown
        found += [row["item"].record_id for row in rows]
        assert f"Page {page} of 3" in text(response)
    assert len(set(found)) == 5
    assert found[0] == changing.nurse_row.pk
    assert client.get(f"{PAGE}{ASKED}&cause=ENDED&page=99").context["behind"]["page"] == 3


def rows_of(response: Any) -> list[dict[str, str]]:
    header, *rows = csv.reader(io.StringIO(text(response).removeprefix("\ufeff")))
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_the_file_of_the_causes_adds_up(changing: Any, as_user: Browse) -> None:
    response = as_user(changing.viewer).get(FILE + ASKED)
    assert response["Content-Disposition"] == 'attachment; filename="waterfall_2026-12-09.csv"'
    rows = rows_of(response)
    for figure in ("Assigned hours", "Required hours", "Unqualified hours"):
        first, *parts, last = [int(row["Hundredths of an hour × days"]) for row in rows if row["Figure"] == figure]
        assert first + sum(parts) == last
    assert {"Figure": "Assigned hours", "Cause": "Assignments ended", "Hours": "-24.00",
            "Hundredths of an hour × days": "-16800", "Records": "1"} in rows  # fmt: skip


def test_the_file_of_a_cause_has_its_records(changing: Any, as_user: Browse) -> None:
    changing.nurse.family_name = "=1+1"
    changing.nurse.save()
    [row] = rows_of(as_user(changing.viewer).get(f"{FILE}{ASKED}&cause=ENDED"))
    assert (row["Position"], row["Employee"], row["Name"]) == ("P1", "E1", "'=1+1, Lucía")
    assert row["Assigned hours"] == "-24.00"


def test_the_file_in_spanish_opens_in_a_spanish_spreadsheet(changing: Any, as_user: Browse) -> None:
    client = as_user(changing.admin)
    client.cookies["django_language"] = "es"
    told = text(client.get(FILE + ASKED))
    assert told.startswith("\ufeff")
    assert ";-24,00;" in told


def test_a_page_with_few_and_with_many_costs_the_same(changing: Any, as_user: Browse) -> None:
    client = as_user(changing.admin)
    addresses = [f"{PAGE}{ASKED}&cause=ENDED", f"{PAGE}{ASKED}&cause=LEAVE", f"{FILE}{ASKED}&cause=ENDED", TREND]

    def queries(address: str) -> int:
        with CaptureQueriesContext(connection) as asked:
            text(client.get(address))
        return len(asked)

    for address in addresses:
        text(client.get(address))
    few = [queries(address) for address in addresses]
    for _each in range(12):
        unit = OrgUnitFactory(parent=changing.h1)
        for ends_on in (NEXT - DAY, None):
            employee = EmployeeFactory(home_unit=unit, active=True)
            AssignmentFactory(employee=employee, position=PositionFactory(org_unit=unit), ends_on=ends_on,
                              accepted=True)  # fmt: skip
            if ends_on is None:
                LeaveFactory(employee=employee, starts_on=NEXT)
    assert len(client.get(addresses[0]).context["behind"]["rows"]) == 13
    assert [queries(address) for address in addresses] == few


# A large part of the house


@pytest.fixture
def huge(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is more than anybody waits for."""
    monkeypatch.setattr(comparing, "FEW_POSITIONS", 0)
    monkeypatch.setattr(comparing, "FEW_DATES", -1)


def test_what_takes_long_shows_how_far_it_is_and_then_the_answer(changing: Any, huge: None, as_user: Browse) -> None:
    client = as_user(changing.admin)
    page = text(client.get(PAGE + ASKED))
    assert "The answer is being looked for" in page
    assert 'http-equiv="refresh"' in page
    assert client.get(FILE + ASKED).headers["Location"] == PAGE + ASKED
    Comparison.objects.update(done=10_000, to_do=40_000)
    assert "10000 of 40000 positions" in text(client.get(PAGE + ASKED)).replace(",", "")
    compare_waiting()
    response = client.get(f"{PAGE}{ASKED}&cause=ENDED")
    page = text(response)
    assert lines(response, "assigned") == {"Assignments ended": "−24.00", "Leaves begun": "−30.00"}
    assert "As of" in page and "Gómez, Lucía" in page
    assert 'http-equiv="refresh"' not in page and "Records have changed since" not in page
    [row] = rows_of(client.get(f"{FILE}{ASKED}&cause=ENDED"))
    assert row["Assigned hours"] == "-24.00"
    Assignment.objects.filter(pk=changing.nurse_row.pk).update(effective_hours=20)
    assert "Records have changed since" in text(client.get(PAGE + ASKED))
    assert client.post(f"{PAGE}anew/{ASKED}").headers["Location"] == PAGE + ASKED
    assert "It is being looked for anew" in text(client.get(PAGE + ASKED))
    compare_waiting()
    assert lines(client.get(PAGE + ASKED), "assigned")["Assignments ended"] == "−20.00"


def test_a_kept_answer_is_of_the_reader_s_own_part(changing: Any, huge: None, as_user: Browse) -> None:
    for user in (changing.admin, changing.manager):
        as_user(user).get(PAGE + ASKED)
    compare_waiting()
    response = as_user(changing.manager).get(PAGE + ASKED)
    assert lines(response, "assigned") == {"Assignments ended": "−24.00"}
    assert as_user(changing.manager).post(f"{PAGE}anew/{ASKED}&unit=H2").status_code == 404
    assert as_user(UserFactory(role="EMPLOYEE", is_staff=True)).post(f"{PAGE}anew/{ASKED}").status_code == 403
    assert as_user(changing.admin).get(f"{PAGE}anew/{ASKED}").status_code == 403


def test_a_comparison_that_failed_says_so(changing: Any, huge: None, as_user: Browse) -> None:
    client = as_user(changing.admin)
    client.get(PAGE + ASKED)
    Comparison.objects.update(requested_at=None, started_at=timezone.now(), failure="no space left")
    page = text(client.get(PAGE + ASKED))
    assert "no space left" in page and "Look anew" in page and 'http-equiv="refresh"' not in page


def test_a_kept_answer_costs_no_more_queries_with_many(changing: Any, huge: None, as_user: Browse) -> None:
    client = as_user(changing.admin)
    address = f"{PAGE}{ASKED}&cause=ENDED"

    def queries() -> int:
        text(client.get(address))
        compare_waiting()
        with CaptureQueriesContext(connection) as asked:
            text(client.get(address))
        return len(asked)

    queries()
    few = queries()
    for _each in range(12):
        AssignmentFactory(employee=EmployeeFactory(home_unit=changing.h1, active=True),
                          position=PositionFactory(org_unit=changing.h1), ends_on=NEXT - DAY,
                          accepted=True)  # fmt: skip
    client.post(f"{PAGE}anew/{ASKED}")
    compare_waiting()
    assert len(client.get(address).context["behind"]["rows"]) == 13
    assert queries() == few <= 15


# The trend


def test_the_trend_has_closed_weeks_and_those_to_come(closed: Any, as_user: Browse) -> None:
    response = as_user(closed.admin).get(f"{TREND}?unit=H1")
    rows = response.context["rows"]
    assert len(rows) == 16
    assert [row["code"] for row in rows if row["week"].is_closed] == ["2026-W49", "2026-W48", "2026-W47"]
    page = text(response)
    assert page.count("coveris-trend-hit") == 16
    assert "required 36.00, filled 24.00, missing 12.00, 66.7 %" in page
    assert escape("?unit=H1&from=2026-W49&to=2026-W50") in page


def test_the_trend_is_what_is_kept(closed: Any) -> None:
    for place in (Place(root=closed.h1.pk), Place(position=closed.p1.pk), Place(scope=closed.h1.pk)):
        weeks = trend(place)
        assert [week.figures.assigned for week in weeks if week.figures] == [0] + [2400 * 7] * 15
        assert [week.figures.deficit for week in weeks if week.figures] == [3600 * 7] + [1200 * 7] * 15
    assert [week.figures and week.figures.required for week in trend(Place())] == [7200 * 7] * 16
    assert ClosedUnitWeek.objects.count() == 9
    kept = PositionCoverage.objects.get(position=closed.p1)
    assert [week.figures.filled for week in trend(Place(position=closed.p1.pk))[3:] if week.figures] == kept.assigned


def test_late_data_leaves_the_trend_of_closed_weeks_alone(closed: Any) -> None:
    Assignment.objects.update(effective_hours=10)
    Position.objects.filter(pk=closed.p1.pk).update(org_unit=closed.h2)
    drain()
    figures = [week.figures for week in trend(Place(root=closed.h1.pk))]
    assert [item and item.assigned for item in figures[:4]] == [0, 2400 * 7, 2400 * 7, 0]
    figures = [week.figures for week in trend(Place(position=closed.p1.pk))]
    assert [item and item.assigned for item in figures[:4]] == [0, 2400 * 7, 2400 * 7, 1000 * 7]


def test_weeks_before_a_position_moved_into_scope_are_out_of_it(closed: Any) -> None:
    Position.objects.filter(pk=closed.p1.pk).update(org_unit=closed.h2)
    drain()
    weeks = trend(Place(position=closed.p1.pk, scope=closed.h2.pk))
    assert not any(week.is_closed for week in weeks)
    assert weeks[0].figures is not None


def test_how_far_back_is_chosen(closed: Any, as_user: Browse) -> None:
    assert as_user(closed.admin).get(f"{TREND}?back=13").context["back"] == 13
    assert as_user(closed.admin).get(f"{TREND}?back=99999").context["back"] == 26
    assert len(trend(Place(), back=1)) == 14


def test_nothing_to_draw_says_so(clinic: Clinic, as_user: Browse) -> None:
    assert "No figures yet" in text(as_user(clinic.admin).get(TREND))
