"""Pages of lists that may be very long."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Paginator
from django.db import connections
from django.db.models import QuerySet
from django.utils.functional import cached_property

COUNTED_EXACTLY = 10_000
REACHABLE_ROWS = 10_000


@dataclass(frozen=True)
class Counting:
    """How far a person's lists are counted and paged, and whether beyond that the planner is asked."""

    exactly: int
    estimates: bool


def _of_everybody(user: Any) -> Counting:
    return Counting(COUNTED_EXACTLY, estimates=True)


_counting: Callable[[Any], Counting] = _of_everybody


def count_as(said: Callable[[Any], Counting]) -> None:
    """Let an app that knows people's scopes say how far their lists are counted."""
    global _counting
    _counting = said


def counting_for(user: Any) -> Counting:
    """Return how far this person's lists are counted."""
    return _counting(user)


class CappedPaginator(Paginator):
    """Count exactly up to 10,000 rows; beyond, ask the planner and say so (`is_estimate`).

    Pages end at the 10,000th row: OFFSET reads all it skips, so that a far last page costs seconds. Whoever looks
    for a row further down searches, filters or sorts the other way round. Of who sees a part of the organisation the
    planner knows nothing: there a long list has `more_than` so many rows, fewer where the part is large.
    """

    is_estimate = False
    more_than: int | None = None

    def __init__(self, *args: Any, counting: Counting | None = None, **options: Any):
        super().__init__(*args, **options)
        self.counting = counting or _of_everybody(None)

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        if not isinstance(rows, QuerySet):
            return len(rows)
        exactly = self.counting.exactly
        # An ordering would make the database sort what is only counted.
        capped = rows.order_by()[: exactly + 1].count()
        if capped <= exactly:
            return capped
        if not self.counting.estimates:
            self.more_than = exactly
            return capped
        self.is_estimate = True
        return max(planned_rows(rows), capped)

    @cached_property
    def num_pages(self) -> int:
        reachable = min(REACHABLE_ROWS, self.counting.exactly)
        return min(super().num_pages, max(1, reachable // self.per_page))

    @property
    def has_hidden_pages(self) -> bool:
        """Say whether rows lie beyond the last page offered."""
        return self.num_pages * self.per_page < self.count

    @property
    def shown_count(self) -> int:
        """Return the count as shown: an estimate to two significant digits, for more would pretend."""
        if not self.is_estimate:
            return self.count
        step = 10 ** max(0, len(str(self.count)) - 2)
        return round(self.count / step) * step


def planned_rows(rows: QuerySet[Any]) -> int:
    """Return the planner's guess of how many rows a query gives. Reads statistics, never the rows."""
    sql, params = rows.order_by().values("pk").query.sql_with_params()
    with connections[rows.db].cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
        plan = cursor.fetchone()[0]
    plan = json.loads(plan) if isinstance(plan, str) else plan
    return int(plan[0]["Plan"]["Plan Rows"])


def page_asked(text: str, last: int) -> int:
    """Return the number of the page an address asks for, from 1 to `last`; what is no number asks for the first."""
    return min(max(int(text), 1), last) if text.isascii() and text.isdigit() and len(text) < 9 else 1
