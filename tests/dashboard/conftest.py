"""Stored figures for the pages that show them, written as the workers write them."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.changes.span import Span
from apps.common.hours import HOUR_DAYS
from apps.demand.coverage import UNIT_FIGURES
from apps.demand.models import PositionCoverage, UnitCoverage
from apps.demand.tables import UNITS, WHOLES
from apps.org.adding_up import refresh_wholes

MONDAY = date(2026, 12, 7)
WEEKS = 13


def store_unit(unit: Any, first_week: date = MONDAY, **sums: float) -> UnitCoverage:
    """Store the same figures for each week: hours as such, positions by state as numbers."""
    counted = {"vacant", "partial", "covered", "over_covered", "no_demand"}
    values = {name: [round(sums.get(name, 0) * (1 if name in counted else HOUR_DAYS))] * WEEKS for name in UNIT_FIGURES}
    row, _created = UnitCoverage.objects.update_or_create(
        org_unit=unit, defaults={"first_week": first_week, "computed_at": timezone.now(), **values}
    )
    with transaction.atomic():
        refresh_wholes(WHOLES, {unit.pk}, Span(MONDAY, WEEKS, MONDAY), own=UNITS.name)
    return row


def store_position(position: Any, first_week: date = MONDAY, **sums: float) -> PositionCoverage:
    names = ("required", "assigned", "reinforcement", "proposed", "unqualified")
    values = {name: [round(sums.get(name, 0) * HOUR_DAYS)] * WEEKS for name in names}
    row, _created = PositionCoverage.objects.update_or_create(
        position=position, defaults={"first_week": first_week, "computed_at": timezone.now(), **values}
    )
    return row
