"""How dates are written and read."""

from datetime import date

from django import forms
from django.utils import formats, translation


def test_english_dates_name_the_month_and_never_put_it_first() -> None:
    with translation.override("en"):
        assert formats.date_format(date(2026, 12, 9), "SHORT_DATE_FORMAT") == "9 Dec 2026"
        assert forms.DateField().clean("09/12/2026") == date(2026, 12, 9)
        assert forms.DateField().clean("2026-12-09") == date(2026, 12, 9)


def test_spanish_dates_are_day_month_year() -> None:
    with translation.override("es"):
        assert formats.date_format(date(2026, 12, 9), "SHORT_DATE_FORMAT") == "09/12/2026"
        assert forms.DateField().clean("09/12/2026") == date(2026, 12, 9)
