"""What conditions may say about the hours employees can give, as the ledger has them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from apps.business_rules.language.reading import At
from apps.business_rules.language.vocabulary import Relation, Type, Word, register_relation, register_word
from apps.common.hours import HOUR_DAYS

from .asked import ledger_asked


def ledger(at: At) -> str:
    """Return SQL of the ledger, arrays of hour-days over the weeks of the horizon."""
    return f"SELECT employee_id AS id, pool, assigned, proposed FROM ({at.figures(ledger_asked)}) kept"


def this_week(*parts: str) -> Any:
    """Return what gives in SQL a column of the current week, less further ones, in hours."""

    def sql(at: At) -> str:
        row = at.beside("ledger")
        return f"(({' - '.join(f'{row}.{part}[1]' for part in parts)})::numeric / {HOUR_DAYS})"

    return sql


def of_each_week(at: At, what: str) -> list[str]:
    """Return SQL for each week of the horizon; `what` names the columns with {row} and {week}."""
    row = at.beside("ledger")
    return [what.format(row=row, week=week) for week in range(1, settings.COVERIS_HORIZON_WEEKS + 1)]


def lowest_balance(at: At) -> str:
    weeks = of_each_week(at, "{row}.pool[{week}] - {row}.assigned[{week}]")
    return f"(LEAST({', '.join(weeks)})::numeric / {HOUR_DAYS})"


def weeks_over(at: At) -> str:
    weeks = of_each_week(at, "COALESCE(({row}.pool[{week}] < {row}.assigned[{week}])::int, 0)")
    return f"({' + '.join(weeks)})"


register_relation(Relation("employee", "ledger", ledger))
for name, type_, label, description, sql in (
    ("pool", Type.HOURS, _("pool"), _("Hours the employee can give in the current week."), this_week("pool")),
    ("assigned", Type.HOURS, _("assigned"), _("Hours assigned in the current week."), this_week("assigned")),
    (
        "proposed", Type.HOURS, _("proposed"), _("Hours proposed and not yet accepted, in the current week."),
        this_week("proposed"),
    ),
    (
        "balance", Type.HOURS, _("balance"), _("Pool less assigned hours, in the current week."),
        this_week("pool", "assigned"),
    ),
    (
        "lowest_balance", Type.HOURS, _("lowest balance"),
        _("The lowest balance of the current week and the 12 to come."), lowest_balance,
    ),
    (
        "weeks_over", Type.NUMBER, _("weeks over the pool"),
        _("In how many weeks of the current one and the 12 to come the balance is negative."), weeks_over,
    ),
):  # fmt: skip
    register_word(
        Word(
            "employee", name, type_, label, description, sql,
            permission="offer.ledgerweek.view", scope=_("the account of hours, seen with its employee"),
        )
    )  # fmt: skip
