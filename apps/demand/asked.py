"""Coverage as a rule reads it: computed anew for a change, read from what is kept for everyone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apps.business_rules.enums import SubjectKind
from apps.business_rules.questions import Question
from apps.changes.models import Kind
from apps.changes.span import Span
from apps.changes.storing import are_of, fenced, stored_or_anew

from .coverage import FIGURES, coverage_sql
from .tables import POSITIONS
from .whole import whole_anew_sql, whole_figures_sql


def coverage_asked(question: Question, figures: Sequence[str] = FIGURES) -> tuple[str, dict[str, Any]]:
    """Return a query (position_id and these FIGURES) and its parameters.

    The arrays hold hour-days of the current week and the 12 to come. It covers at least the positions asked about;
    select from it in parentheses and join it to `subject`. %(span_first)s is the Monday of element 1.
    """
    span = Span.current(question.on)
    if question.due is None:
        asked = question.ids_of(SubjectKind.POSITION)
        return fenced(coverage_sql(span, positions=asked, accepted=question.as_accepted, figures=figures))
    return stored_or_anew(
        POSITIONS, span, lambda ids: coverage_sql(span, positions=ids), question.due.get(Kind.POSITION.value, ())
    )


def whole_coverage_asked(question: Question) -> tuple[str, dict[str, Any]]:
    """Return a query (org_unit_id and UNIT_FIGURES) of units with everything below them, and its parameters.

    It covers at least the units asked about and those right below them.
    """
    span = Span.current(question.on)
    if question.due is None:
        return fenced(whole_anew_sql(span, question.ids_of(SubjectKind.UNIT), question.as_accepted))
    return whole_figures_sql(span, question.due.get(Kind.UNIT.value, ()))


def short_of_tags(question: Question) -> tuple[str, dict[str, Any]]:
    """Return a query (position_id) for where somebody in force today may lack a required tag, and its parameters.

    At least those: from the unqualified hours kept for the current week, and all positions a waiting mark reaches.
    """
    span = Span.current(question.on)
    if not are_of(span):
        return "SELECT id AS position_id FROM org_position", {}
    due = sorted((question.due or {}).get(Kind.POSITION.value, ()))
    return (
        f"""
            SELECT kept.position_id FROM {POSITIONS.name} kept WHERE kept.unqualified[1] > 0
            UNION ALL SELECT unnest(%(short_due)s::bigint[])
        """,
        {"short_due": due},
    )
