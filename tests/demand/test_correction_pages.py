"""The pages around corrections: who may, what is shown first, what is marked, how much it costs."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from apps.changes.models import Correction
from apps.demand.models import CorrectedPositionWeek
from tests.factories import AssignmentFactory, EmployeeFactory, OrgUnitFactory, PositionFactory

from .test_corrections import LAST, WEEK, closed, correct, late

__all__ = ["closed"]
pytestmark = pytest.mark.django_db
BOARD = "/admin/demand/unitcoverage/"
PAGE = f"{BOARD}correct/"
TREND = f"{BOARD}trend/"
RECORDS = "/admin/changes/correction/"
CODE = "2026-W49"
REASON = "Parte entregado tarde"
Browse = Callable[[Any], Client]


def text(response: Any) -> str:
    assert response.status_code == 200, response.status_code
    return str(response.content.decode())


def confirm(client: Client, address: str, **changed: Any) -> Any:
    seen = client.get(address).context["form"]["seen"].value()
    return client.post(address, {"reason": REASON, "seen": seen} | changed)


def test_the_figures_as_kept_and_as_they_would_be_are_shown_first(closed: Any, as_user: Browse) -> None:
    late(closed)
    response = as_user(closed.manager).get(f"{PAGE}?week={CODE}&unit=H1")
    [row] = response.context["positions"]
    assert [(cell.was, cell.now, cell.change) for cell in row["cells"]][1:3] == [
        ("24.00", "30.00", "+6.00"), ("12.00", "6.00", "−6.00"),
    ]  # fmt: skip
    page = text(response)
    for said in ("Enfermería de guardia", "Gómez, Lucía", "66.7 %", "83.3 %"):
        assert said in page, said
    assert not Correction.objects.exists()


def test_confirmed_with_a_reason_it_is_on_record(closed: Any, as_user: Browse) -> None:
    late(closed)
    client = as_user(closed.manager)
    response = confirm(client, f"{PAGE}?week={CODE}")
    correction = Correction.objects.get()
    assert response["Location"] == f"{RECORDS}{correction.pk}/change/"
    assert (correction.actor_id, correction.unit_id, correction.reason) == (closed.manager.pk, closed.h1.pk, REASON)
    page = text(client.get(response["Location"]))
    for said in (REASON, str(closed.manager.given_name), "Enfermería de guardia", "24.00", "30.00"):
        assert said in page, said


def test_without_a_reason_nothing_is_written_and_what_lacks_is_said(closed: Any, as_user: Browse) -> None:
    late(closed)
    response = confirm(as_user(closed.admin), f"{PAGE}?week={CODE}", reason=" ")
    assert response.context["form"].errors["reason"]
    assert not Correction.objects.exists()


def test_whoever_confirms_old_figures_sees_the_new_ones_and_keeps_the_reason(closed: Any, as_user: Browse) -> None:
    late(closed, 30)
    client = as_user(closed.admin)
    seen = client.get(f"{PAGE}?week={CODE}").context["form"]["seen"].value()
    late(closed, 33)
    response = client.post(f"{PAGE}?week={CODE}", {"reason": REASON, "seen": seen})
    assert response.context["problems"] and response.context["form"]["reason"].value() == REASON
    assert response.context["positions"][0]["cells"][1].now == "33.00"
    assert not Correction.objects.exists()


def test_where_nothing_differs_it_says_so(closed: Any, as_user: Browse) -> None:
    response = as_user(closed.admin).get(f"{PAGE}?week={CODE}")
    assert response.context["problems"] and response.context["form"] is None


@pytest.mark.parametrize("who", ["supervisor", "viewer"])
def test_whoever_only_looks_is_not_offered_it_and_may_not(closed: Any, as_user: Browse, who: str) -> None:
    late(closed)
    client = as_user(getattr(closed, who))
    assert client.get(f"{PAGE}?week={CODE}").status_code == 403
    assert client.post(f"{PAGE}?week={CODE}", {"reason": REASON, "seen": ""}).status_code == 403
    for page in (f"{BOARD}?week={CODE}", TREND):
        assert "unitcoverage/correct/" not in text(client.get(page))


def test_a_manager_is_offered_it_on_the_board_and_in_the_trend(closed: Any, as_user: Browse) -> None:
    client = as_user(closed.manager)
    assert f"{PAGE}?week={CODE}" in text(client.get(f"{BOARD}?week={CODE}"))
    assert escape(f"{PAGE}?week={CODE}") in text(client.get(TREND))
    assert "unitcoverage/correct/" not in text(client.get(BOARD))


def test_a_unit_out_of_sight_is_not_found(closed: Any, as_user: Browse) -> None:
    assert as_user(closed.manager).get(f"{PAGE}?week={CODE}&unit=H2").status_code == 404
    assert as_user(closed.admin).get(f"{PAGE}?week=2026-W99").status_code == 404
    assert as_user(closed.admin).get(PAGE).status_code == 404


def test_the_board_of_the_week_says_who_corrected_it_and_what_it_was(closed: Any, as_user: Browse) -> None:
    late(closed)
    client = as_user(closed.admin)
    assert "coveris-was" not in text(client.get(f"{BOARD}?week={CODE}"))
    correction = correct(closed)
    response = client.get(f"{BOARD}?week={CODE}&unit=H1")
    page = text(response)
    for said in (REASON, f"{RECORDS}{correction.pk}/change/", "was 66.7 %, 12.00 h missing", "83.3 %"):
        assert said in page, said
    rows = {row.line.code: row.was for row in response.context["rows"]}
    assert rows["H1"].assigned == rows["P1"].assigned == 2400 * 7
    assert "coveris-was" not in text(client.get(f"{BOARD}?week={CODE}&unit=H2"))
    assert "coveris-was" not in text(client.get(f"{BOARD}?week=2026-W48"))
    assert REASON in text(client.get(f"{BOARD}print/?week={CODE}"))


def test_the_file_of_the_week_has_what_it_was_closed_with(closed: Any, as_user: Browse) -> None:
    late(closed)
    correct(closed)
    response = as_user(closed.admin).get(f"{BOARD}export/?week={CODE}&unit=H1&format=csv")
    head, *rows = csv.reader(io.StringIO(response.content.decode("utf-8-sig")))
    found = {row[3]: dict(zip(head, row, strict=True)) for row in rows}
    assert found["P1"]["Coverage %"].startswith("83.3")
    assert found["P1"]["Closed as: coverage %"].startswith("66.7")
    assert found["P1"]["Corrected on"]


def test_the_trend_and_the_waterfall_say_which_week_was_corrected(closed: Any, as_user: Browse) -> None:
    late(closed)
    correct(closed)
    client = as_user(closed.viewer)
    response = client.get(f"{TREND}?unit=H1")
    [row] = [row for row in response.context["rows"] if row["week"].stamp]
    assert (row["code"], row["percent"], row["was_percent"]) == (CODE, "83.3 %", "66.7 %")
    assert "was 66.7 %" in text(response)
    assert "corrected on" in text(client.get(f"{BOARD}waterfall/?from={CODE}&to=2026-W50"))


def test_records_of_other_parts_are_out_of_sight(closed: Any, as_user: Browse) -> None:
    AssignmentFactory(employee=closed.surgeon, position=closed.p2, effective_hours=12, starts_on=LAST, accepted=True)
    late(closed)
    other = correct(closed, unit=closed.h2)
    whole = correct(closed)
    client = as_user(closed.viewer)
    page = text(client.get(RECORDS))
    assert f"{RECORDS}{whole.pk}/change/" in page
    assert f"{RECORDS}{other.pk}/change/" not in page
    assert client.get(f"{RECORDS}{other.pk}/change/").status_code != 200
    seen = text(client.get(f"{RECORDS}{whole.pk}/change/"))
    assert "Enfermería de guardia" in seen


def test_of_a_correction_of_everything_only_the_own_part_is_shown(closed: Any, as_user: Browse) -> None:
    AssignmentFactory(employee=closed.surgeon, position=closed.p2, effective_hours=12, starts_on=LAST, accepted=True)
    late(closed)
    whole = correct(closed)
    assert CorrectedPositionWeek.objects.count() == 2
    page = text(as_user(closed.viewer).get(f"{RECORDS}{whole.pk}/change/"))
    assert "Enfermería de guardia" in page and "Instrumentación" not in page
    assert "Gómez" in page and "Díaz" not in page


def test_how_many_queries_it_takes_does_not_depend_on_how_much_was_corrected(closed: Any, as_user: Browse) -> None:
    client = as_user(closed.admin)
    late(closed)
    first = correct(closed)
    pages = [
        f"{BOARD}?week={CODE}", f"{TREND}?unit=H", f"{RECORDS}{first.pk}/change/", f"{PAGE}?week=2026-W48", RECORDS,
    ]  # fmt: skip

    def queries(address: str) -> int:
        with CaptureQueriesContext(
            connection,
        ) as found:
            text(client.get(address))
        return len(found)

    few = [queries(address) for address in pages]
    for _number in range(5):
        unit = OrgUnitFactory(parent=closed.h1)
        for _place in range(4):
            AssignmentFactory(
                position=PositionFactory(org_unit=unit), employee=EmployeeFactory(home_unit=unit, active=True),
                effective_hours=10, starts_on=LAST - WEEK, accepted=True,
            )  # fmt: skip
    second = correct(closed)
    pages[2] = f"{RECORDS}{second.pk}/change/"
    assert second.pk != first.pk and CorrectedPositionWeek.objects.count() > 20
    many = [queries(address) for address in pages]
    assert [number <= before for number, before in zip(many, few, strict=True)] == [True] * 5, (few, many)
    assert settings.COVERIS_HORIZON_WEEKS == 13
