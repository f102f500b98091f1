"""The hours ledger as a rule reads it: computed anew for a change, read from what is kept for everyone."""

from __future__ import annotations

from typing import Any

from apps.business_rules.enums import SubjectKind
from apps.business_rules.questions import Question
from apps.changes.models import Kind
from apps.changes.span import Span
from apps.changes.storing import fenced, stored_or_anew

from .ledger import ledger_sql
from .recompute import TABLE


def ledger_asked(question: Question, *, where: str = "") -> tuple[str, dict[str, Any]]:
    """Return a query (employee_id, pool, assigned, proposed) over the current week and the 12 to come, and parameters.

    The arrays hold hour-days a week. It covers at least the employees asked about; select from it in parentheses and
    join it to `subject`. %(span_first)s is the Monday of element 1. `where` leaves out kept accounts by a condition on
    their row. Where kept accounts are read (`question.due`), it has `engaged` (see `ledger_sql`)
    and `lowest`, the lowest balance, too.
    """
    span = Span.current(question.on)
    if question.due is None:
        return fenced(ledger_sql(span, employees=question.ids_of(SubjectKind.EMPLOYEE), accepted=question.as_accepted))
    return stored_or_anew(
        TABLE,
        span,
        lambda ids: ledger_sql(span, employees=ids, engaged=True),
        question.due.get(Kind.EMPLOYEE.value, ()),
        where,
    )
