"""Rules that cannot be judged: told and logged, harmless to the others, and never a verdict."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.db import connection

from .language.errors import ConditionError
from .own_rules import check_own

if TYPE_CHECKING:
    from .models import BusinessRule

logger = logging.getLogger(__name__)

# Codes of rules that gave no answer, and what kind of error kept them from it.
Unjudged = dict[str, str]


def note(unjudged: Unjudged, code: str, error: Exception) -> None:
    """Note a rule that gave no answer, and log why."""
    logger.error("rule %s could not be judged: %s: %s", code, type(error).__name__, str(error).strip())
    unjudged[code] = type(error).__name__


def failed_lately(codes: Iterable[str]) -> Unjudged:
    """Return those of the rules that gave no answer in the last evaluation that asked them."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
                SELECT asked.code, last.failed FROM unnest(%s::text[]) AS asked (code) CROSS JOIN LATERAL (
                    SELECT e.results -> asked.code ->> 'failed' AS failed FROM business_rules_evaluationrun e
                    WHERE e.results ? asked.code ORDER BY e.id DESC LIMIT 1
                ) last
                WHERE last.failed IS NOT NULL
            """,
            [sorted(set(codes))],
        )
        return dict(cursor.fetchall())


def unjudged(rules: Iterable[BusinessRule]) -> Unjudged:
    """Return those of the rules staff wrote that cannot be read, or failed when they were last asked about everybody.

    Rules that are switched off are left out: nobody asks them.
    """
    found: Unjudged = {}
    own = [rule for rule in rules if rule.is_own and rule.enabled]
    for rule in own:
        try:
            check_own(rule)
        except ConditionError as error:
            found[rule.code] = type(error).__name__
    return {**failed_lately(rule.code for rule in own), **found} if own else {}
