"""When the demo is loaded, and when it is not."""

from __future__ import annotations

import io
from datetime import date
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.org.models import Employee, OrgUnit
from apps.users.models import User
from fixtures.demo.people import LOGINS
from fixtures.demo.sheets import day_of, end_of
from tests.factories import Clinic

TODAY = date(2026, 12, 9)


@pytest.mark.django_db
def test_a_database_with_another_clinic_is_refused(clinic: Clinic) -> None:
    call_command("load_reference", verbosity=0)
    with pytest.raises(CommandError, match="another clinic") as refusal:
        call_command("load_demo")
    assert refusal.value.returncode == 1
    assert OrgUnit.objects.count() == 3
    assert not User.objects.filter(email=LOGINS[0].email).exists()


@pytest.mark.django_db
def test_without_the_reference_data_nothing_is_loaded() -> None:
    with pytest.raises(CommandError, match="load_reference"):
        call_command("load_demo")
    assert not OrgUnit.objects.exists()


@pytest.mark.django_db
def test_nobody_is_printed_without_the_demo() -> None:
    out = io.StringIO()
    call_command("demo_people", stdout=out)
    assert out.getvalue() == ""


@pytest.mark.slow
@pytest.mark.django_db
def test_it_loads_on_a_sunday_and_across_a_year_as_on_any_other_day(settings: Any) -> None:
    settings.COVERIS_TODAY = date(2027, 2, 28)
    call_command("load_reference", verbosity=0)
    call_command("load_demo", verbosity=0)
    assert Employee.objects.count() == 180
    assert date(2027, 2, 28) == settings.COVERIS_TODAY


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("+0", TODAY),
        ("-45", date(2026, 10, 25)),
        ("+30", date(2027, 1, 8)),
        ("-2y", date(2024, 12, 9)),
        ("-2y-10", date(2024, 11, 29)),
    ],
)
def test_a_day_of_a_sheet_is_a_sum_of_steps_from_today(text: str, day: date) -> None:
    assert day_of(text, TODAY) == day


@pytest.mark.parametrize("text", ["", "45", "2026-12-09", "-2m", "+1 "])
def test_anything_else_is_no_day(text: str) -> None:
    with pytest.raises(ValueError, match="is no day"):
        day_of(text, TODAY)


def test_an_empty_cell_is_an_open_end() -> None:
    assert end_of("", TODAY) is None
    assert end_of("+1", TODAY) == date(2026, 12, 10)
