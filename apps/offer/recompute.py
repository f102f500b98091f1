"""Keeps the stored ledger fresh."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext_lazy as _

from apps.changes import storing
from apps.changes.correcting import ClosedTable
from apps.changes.figures import Figures, Touched
from apps.changes.marks import mark_by_query
from apps.changes.models import Kind
from apps.changes.span import Span
from apps.common import prepared
from apps.org.adding_up import refresh_units, units_above

from .giving import turning_sql
from .ledger import ledger_sql, lowest_balance
from .usage import OWN, WHOLE, usage_anew_sql, usage_sql, whole_usage_anew_sql

TABLE = storing.Table(
    "offer_ledgerweek", "employee_id", "org_employee", ("pool", "assigned", "proposed"), numbers=("engaged",),
    generated={"lowest": lowest_balance(settings.COVERIS_HORIZON_WEEKS)},
)  # fmt: skip
CLOSED = ClosedTable(
    "offer_closedledgerweek", "offer_correctedledgerweek", "employee_id", ("pool", "assigned", "proposed"),
    has_path=False,
)  # fmt: skip
HOLDERS = "SELECT DISTINCT employee_id FROM tags_employeetag WHERE tag_id = ANY (%(tags)s::bigint[])"

HOMES = "SELECT DISTINCT home_unit_id FROM org_employee WHERE id = ANY (%(employees)s::bigint[])"


# What people call the figures.
LABELS = {
    "pool": _("Pool"),
    "assigned": _("Assigned hours"),
    "proposed": _("Proposed hours"),
    "engaged": _("Hours of all active assignments"),
    "people": _("People with an account"),
    "over": _("People over their hours"),
    "under": _("People under their hours"),
    "over_hours": _("Hours over"),
    "under_hours": _("Hours under"),
    "most_over": _("Most hours over"),
    "most_under": _("Most hours under"),
}


class Ledger(Figures):
    """One row of offer.LedgerWeek an employee."""

    kind = Kind.EMPLOYEE
    rank = 10
    subjects = TABLE.subjects
    columns = TABLE.columns
    labels = LABELS

    def hand_on(self, touched: Touched) -> None:
        """A tag's hours changed: whoever holds it is marked, for the ledger alone."""
        if tags := touched.marked.pop(Kind.TAG.value, None):
            touched.spreading.pop(Kind.TAG.value, None)
            mark_by_query(Kind.EMPLOYEE, HOLDERS, {"tags": sorted(tags)}, alone=True)

    def reached_by(self, touched: Touched) -> set[int]:
        reached = set(touched.marked[Kind.EMPLOYEE.value])
        if tags := touched.marked[Kind.TAG.value]:
            with connection.cursor() as cursor:
                cursor.execute(HOLDERS, {"tags": sorted(tags)})
                reached.update(row[0] for row in cursor.fetchall())
        return reached

    def refresh(self, ids: Iterable[int], span: Span) -> set[int]:
        employees = sorted(ids)
        return storing.refresh(TABLE, employees, ledger_sql(span, employees=employees, engaged=True), span)

    def formula(
        self, ids: Sequence[int], span: Span, due: Mapping[str, set[int]] | None = None
    ) -> tuple[str, dict[str, Any]]:
        return ledger_sql(span, employees=ids)

    def close_weeks(self, span: Span) -> int:
        sql, params = ledger_sql(span)
        with connection.cursor() as cursor:
            cursor.execute(
                f"""INSERT INTO offer_closedledgerweek (employee_id, week, pool, assigned, proposed, closed_at)
                SELECT n.employee_id, %(span_first)s::date + 7 * (number - 1)::int,
                       n.pool[number], n.assigned[number], n.proposed[number], clock_timestamp()
                FROM ({sql}) AS n CROSS JOIN generate_series(1, {span.weeks}) AS number
                ON CONFLICT (employee_id, week) DO NOTHING""",
                params,
            )
            return cursor.rowcount

    def correct_week(self, span: Span, correction: int, unit: int | None) -> int:
        """What was proposed stays as it was kept: records do not say what stood then. `unit` is the home unit today."""
        sql, params = ledger_sql(span)
        with connection.cursor() as cursor:
            cursor.execute(
                f"""INSERT INTO {CLOSED.corrected} (correction_id, employee_id, week, pool, assigned, proposed)
                SELECT %(correction)s, employee_id, %(span_first)s, COALESCE(n.pool[1], 0), COALESCE(n.assigned[1], 0),
                       COALESCE(c.proposed, 0)
                FROM ({sql}) AS n
                FULL JOIN (SELECT * FROM {CLOSED.in_force} AS f WHERE f.week = %(span_first)s) AS c USING (employee_id)
                WHERE (COALESCE(n.pool[1], 0), COALESCE(n.assigned[1], 0))
                      <> (COALESCE(c.pool, 0), COALESCE(c.assigned, 0))
                  AND (%(unit)s::bigint IS NULL OR employee_id IN (
                      SELECT e.id FROM org_employee e JOIN org_orgunit u ON u.id = e.home_unit_id
                      WHERE u.path @> ARRAY[%(unit)s::bigint]
                  ))""",
                {**params, "correction": correction, "unit": unit},
            )
            return cursor.rowcount

    def drift(self, span: Span) -> list[dict[str, Any]]:
        return storing.differences(TABLE, *ledger_sql(span, engaged=True), span)

    def turned_by(self, after: date, until: date) -> tuple[str, dict[str, Any]]:
        return turning_sql(after, until)


class UsageFigures(Figures):
    """Two rows a unit: offer.UnitUsage over the people at home in it, offer.WholeUsage with everybody below it."""

    kind = Kind.HOME
    rank = 40
    subjects = f"{OWN.subjects} UNION SELECT {WHOLE.key} FROM {WHOLE.name}"
    columns = OWN.columns
    labels = LABELS
    foreseen = False  # a preview speaks of the accounts themselves
    adds_up = False

    def reached_by(self, touched: Touched) -> set[int]:
        # A unit that is new, moved or gone: those that held it are marked beside it.
        reached = touched.marked[Kind.HOME.value] | touched.marked[Kind.UNIT.value]
        if employees := touched.rewritten[Kind.EMPLOYEE.value]:
            homes = prepared.fetch(HOMES, {"employees": sorted(employees)})
            reached.update(row[0] for row in homes)
        return reached

    def refresh(self, ids: Iterable[int], span: Span) -> set[int]:
        units = sorted(ids)
        return refresh_units(OWN, usage_sql(span, units=units), WHOLE, units, span)

    def formula(
        self, ids: Sequence[int], span: Span, due: Mapping[str, set[int]] | None = None
    ) -> tuple[str, dict[str, Any]]:
        sql, params = usage_anew_sql(span)
        return (
            f"SELECT * FROM ({sql}) AS own WHERE org_unit_id = ANY (%(own_units)s::bigint[])",
            {**params, "own_units": list(ids)},
        )

    def seen_in(self, ids: Iterable[int]) -> set[int]:
        return units_above(ids)

    def close_weeks(self, span: Span) -> int:
        return 0  # a closed week keeps the accounts, not where their people were at home

    def correct_week(self, span: Span, correction: int, unit: int | None) -> int:
        return 0  # there is nothing closed to correct

    def drift(self, span: Span) -> list[dict[str, Any]]:
        return [
            *storing.differences(OWN, *usage_anew_sql(span), span),
            *storing.differences(WHOLE, *whole_usage_anew_sql(span), span),
        ]
