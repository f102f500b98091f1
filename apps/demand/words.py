"""What conditions may say about coverage: of positions, and of units with everything below them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from apps.business_rules.language.reading import At
from apps.business_rules.language.vocabulary import Relation, Type, Word, register_relation, register_word
from apps.common.hours import HOUR_DAYS

from .asked import coverage_asked, whole_coverage_asked
from .coverage import states_sql
from .enums import CoverageState

OF_POSITION, OF_UNIT = "demand.positioncoverage.view", "demand.unitcoverage.view"
SUMS = ("required", "assigned", "filled", "deficit", "surplus", "unqualified", "vacant")


def coverage(at: At) -> str:
    """Return SQL of a position's figures, arrays of hour-days over the weeks of the horizon."""
    return f"""SELECT position_id AS id, required, assigned, proposed, unqualified
        FROM ({at.figures(coverage_asked)}) kept"""


def whole(at: At) -> str:
    """Return SQL of a unit's figures of the current week, everything below it included."""
    figures = ", ".join(f"kept.{name}[1] AS {name}" for name in SUMS)
    return f"""SELECT kept.org_unit_id AS id, {figures}
        FROM ({at.figures(whole_coverage_asked)}) kept WHERE {at.only("kept.org_unit_id")}"""


register_relation(Relation("position", "coverage", coverage))
register_relation(Relation("unit", "coverage", whole))


def hours(what: str) -> Any:
    """Return what gives an expression over hour-days in hours."""
    return lambda at: f"({what.format(c=at.beside('coverage'))}::numeric / {HOUR_DAYS})"


def plainly(what: str) -> Any:
    return lambda at: what.format(c=at.beside("coverage"))


def worst_percent(at: At) -> str:
    row = at.beside("coverage")
    weeks = range(1, settings.COVERIS_HORIZON_WEEKS + 1)
    return f"LEAST({', '.join(f'{row}.assigned[{n}] * 100.0 / NULLIF({row}.required[{n}], 0)' for n in weeks)})"


STATE = f"(CASE WHEN {{c}}.id IS NULL THEN NULL {states_sql('{c}.required[1]', '{c}.assigned[1]')} END)"

for name, type_, label, description, sql, more in (
    ("required", Type.HOURS, _("required"), _("Hours needed in the current week, adjustments included."),
     hours("{c}.required[1]"), {}),
    ("assigned", Type.HOURS, _("assigned"), _("Hours assigned in the current week."), hours("{c}.assigned[1]"), {}),
    ("proposed", Type.HOURS, _("proposed"), _("Hours proposed and not yet accepted, in the current week."),
     hours("{c}.proposed[1]"), {}),
    ("unqualified_hours", Type.HOURS, _("unqualified hours"),
     _("Assigned hours of people who lack a required tag, in the current week."), hours("{c}.unqualified[1]"), {}),
    ("deficit_hours", Type.HOURS, _("deficit"), _("Hours missing in the current week."),
     hours("GREATEST({c}.required[1] - {c}.assigned[1], 0)"), {}),
    ("surplus_hours", Type.HOURS, _("surplus"), _("Hours beyond what is needed in the current week."),
     hours("GREATEST({c}.assigned[1] - {c}.required[1], 0)"), {}),
    ("coverage_percent", Type.PERCENT, _("coverage"),
     _("Assigned ÷ required hours of the current week, in percent; empty without demand."),
     plainly("({c}.assigned[1] * 100.0 / NULLIF({c}.required[1], 0))"), {}),
    ("worst_coverage_percent", Type.PERCENT, _("worst coverage"),
     _("The lowest coverage of the current week and the 12 to come; empty without demand."), worst_percent, {}),
    ("state", Type.CHOICE, _("state"), _("How far the position is covered in the current week."), plainly(STATE),
     {"choices": tuple(CoverageState.choices)}),
):  # fmt: skip
    register_word(
        Word(
            "position", name, type_, label, description, sql,
            permission=OF_POSITION, scope=_("coverage, seen with its position"), **more,  # type: ignore[arg-type]
        )
    )  # fmt: skip

for name, type_, label, description, sql in (
    ("required", Type.HOURS, _("required"), _("Hours needed in the current week, everything below included."),
     hours("{c}.required")),
    ("assigned", Type.HOURS, _("assigned"), _("Hours assigned in the current week, everything below included."),
     hours("{c}.assigned")),
    ("deficit_hours", Type.HOURS, _("deficit"),
     _("Hours missing in the current week, position by position; everything below included."), hours("{c}.deficit")),
    ("surplus_hours", Type.HOURS, _("surplus"),
     _("Hours beyond what is needed, position by position; everything below included."), hours("{c}.surplus")),
    ("unqualified_hours", Type.HOURS, _("unqualified hours"),
     _("Assigned hours of people who lack a required tag; everything below included."), hours("{c}.unqualified")),
    ("coverage_percent", Type.PERCENT, _("coverage"),
     _("Filled ÷ required hours of the current week, total over total, in percent; empty without demand."),
     plainly("({c}.filled * 100.0 / NULLIF({c}.required, 0))")),
    ("vacant_positions", Type.NUMBER, _("vacant positions"),
     _("Positions with demand and nobody assigned in the current week, everything below included."),
     plainly("{c}.vacant")),
):  # fmt: skip
    register_word(
        Word(
            "unit", name, type_, label, description, sql,
            permission=OF_UNIT, scope=_("coverage of all positions below, which are seen with the unit"),
        )
    )  # fmt: skip
