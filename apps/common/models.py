"""Bases every table shares; no table of its own."""

from django.contrib.postgres.fields import ArrayField, RangeBoundary
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Recorded(models.Model):
    """A row people edit: when it was made and last touched. Its history is declared by each model."""

    created_at = models.DateTimeField(_("created"), auto_now_add=True, db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("last change"), auto_now=True, db_default=Now(), editable=False)

    class Meta:
        abstract = True


def week_figures() -> ArrayField:
    """Return an array with one integer a week, in hour-days (apps.common.hours)."""
    return ArrayField(models.BigIntegerField(), default=list)


class DateRange(models.Func):
    """The days from one column to another, both included, an open end where the column is empty."""

    function = "DATERANGE"

    def __init__(self, first: str, last: str):
        super().__init__(first, last, RangeBoundary(inclusive_lower=True, inclusive_upper=True))
