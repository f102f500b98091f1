"""The language in lists: which records of a list meet a condition, as far as the person may see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from apps.common.clock import today

from ..questions import Question
from .compiling import check, matching
from .grammar import parse
from .reading import Reading, positional
from .vocabulary import Sight

if TYPE_CHECKING:
    from apps.users.models import User


def search(rows: QuerySet[Any], kind: str, text: str, user: User) -> QuerySet[Any]:
    """Return those of the rows (records of the kind) that meet the condition; raise ConditionError.

    Figures are the kept ones, as the lists show them. The rows stay what they were limited to, and what the
    condition reads of other records is limited to what the person may see.
    """
    sight = Sight.of(user)
    condition = parse(text)
    check(condition, kind, sight, text)
    reading = Reading(kind, Question(today(), due={}), user=user)
    sql, values = positional(*matching(condition, reading, sight, text))
    return rows.filter(pk__in=RawSQL(sql, values))  # noqa: S611 (composed of the vocabulary, values bound)
