"""What a page says of an answer that workers look for: how far they are, of when it is, whether anything changed."""

from __future__ import annotations

from typing import Any

from django.utils.formats import number_format

from ..kept_answers import has_changed_since
from ..models.kept_answer import KeptAnswer


def told(kept: KeptAnswer | None) -> dict[str, Any] | None:
    """Return what demand/kept_answer.html tells; None where nobody waits for workers."""
    if kept is None:
        return None
    return {
        "computed_at": kept.computed_at,
        "is_asked": kept.is_asked,
        "is_begun": kept.is_asked and kept.to_do > 0,
        "done": number_format(kept.done, force_grouping=True),
        "to_do": number_format(kept.to_do, force_grouping=True),
        "percent": kept.percent,
        "failure": "" if kept.is_asked else kept.failure,
        "has_changed": kept.computed_at is not None and not kept.is_asked and has_changed_since(kept),
    }
