"""Which assignments are live: said once for the rules."""

from __future__ import annotations


def live(row: str) -> str:
    """Return the SQL condition that an assignment is live: proposed or active, and not past its end (%(today)s)."""
    return f"{row}.status IN ('PROPOSED', 'ACTIVE') AND ({row}.ends_on IS NULL OR {row}.ends_on >= %(today)s)"
