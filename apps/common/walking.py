"""Reading long lists from their own order, looking at each row by itself, no further than what is asked for.

The way for somebody who sees a large part of a long list: it costs the rows it passes, however many there are.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, IntegerField, Subquery
from django.utils.formats import number_format
from django.utils.translation import gettext as _


class OneByOne(Exists):
    """Ask of each row by itself whether such rows are there.

    The planner answers EXISTS under OR by reading everything that could be there before the first row is looked at:
    seconds for a large scope. What it sees as a value it asks for row by row.
    """

    template = "((%(subquery)s) IS NOT NULL)"


class UpTo(Subquery):
    """Count rows until there are more than so many: the answer is at most one more, and then means “more”."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()

    def __init__(self, rows: Any, most: int):
        super().__init__(rows.order_by().values("pk")[: most + 1])


def number_or_more(number: int, most: int | None) -> Any:
    """Return a count as shown: the number, or “more than” so many where counting ended there (None: nowhere)."""
    if most is None or number <= most:
        return number
    return _("more than %(number)s") % {"number": number_format(most, use_l10n=True, force_grouping=True)}
