"""What is written to be read on the timeline alone."""

from __future__ import annotations

from typing import Any

from .models import ExportRecord


def record_export(
    *, actor: Any, what: str, format: str, rows: int, page: str = "", filters: str = "", origin: str = "admin"
) -> None:
    """Put on record that somebody (None = the system) took rows out. One insert."""
    ExportRecord.objects.create(
        actor=actor, what=what[:80], format=format, rows=rows, page=page[:200], filters=filters[:1_000], origin=origin
    )
