"""Who holds what: said once for the rules."""

from __future__ import annotations

from apps.business_rules.questions import Question
from apps.business_rules.verdicts import Verdict


def held_on(row: str, day: str) -> str:
    """Return the SQL condition that a tag of an employee is held on a day."""
    return f"{day} BETWEEN {row}.valid_from AND COALESCE({row}.valid_until, 'infinity'::date)"


def named(verdict: Verdict) -> str:
    """Return the names and codes of the tags behind a verdict."""
    return ", ".join(f"{record['name']} ({record['code']})" for record in verdict.facts["records"])


def same_holding(row: str, employee: str, tag: str, question: Question) -> str:
    """Return the SQL condition that a row of tags_employeetag is about this employee and this tag.

    Asked of everybody it is a range of pairs, which the ordinary index alone can answer: the planner takes the one
    that keeps runs of days apart for as quick, and it is five times slower.
    """
    if question.ids is not None:
        return f"{row}.employee_id = {employee} AND {row}.tag_id = {tag}"
    pair, wanted = f"({row}.employee_id, {row}.tag_id)", f"({employee}, {tag})"
    return f"{pair} >= {wanted} AND {pair} <= {wanted}"
