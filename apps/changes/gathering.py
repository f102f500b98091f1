"""Subjects that change all the time: their changes gather for a moment, so that a thousand edits are a few recomputes.

The first two passes about a subject come at once, so nobody who edits a record and looks waits. Each further one
within `QUIET` seconds of the last keeps the next away for longer. What waits is a mark like any other: nothing here
can be missed, only later.
"""

from __future__ import annotations

from collections.abc import Iterable

from apps.common.prepared import Statement

# After so many passes in a row the next waits so many seconds.
PAUSES = {1: 0.0, 2: 2.0}
LONGEST_PAUSE = 4.0
# Whoever was left alone for so many seconds begins anew.
QUIET = 10.0
# A pass about more than so many is a change of many, and no subject that changes all the time.
FEW = 200

NOTE = """
    INSERT INTO changes_recent AS r (kind, subject_id, times, at)
    SELECT kind, subject, 1, clock_timestamp()
    FROM (SELECT DISTINCT * FROM unnest(%(kinds)s::text[], %(subjects)s::bigint[]) AS done (kind, subject)) AS done
    ORDER BY kind, subject
    ON CONFLICT (kind, subject_id) DO UPDATE SET at = EXCLUDED.at,
        times = CASE WHEN r.at < EXCLUDED.at - make_interval(secs => %(quiet)s) THEN 1 ELSE LEAST(r.times + 1, 9) END
"""
FORGET = "DELETE FROM changes_recent WHERE at < clock_timestamp() - make_interval(secs => %(forgotten)s)"

_pauses = " ".join(f"WHEN {times} THEN {pause}" for times, pause in PAUSES.items())
# The condition that the subject of a mark `m` is to gather for now.
IS_GATHERING = f"""EXISTS (
    SELECT FROM changes_recent r WHERE r.kind = m.kind AND r.subject_id = m.subject_id
        AND r.at > clock_timestamp() - make_interval(secs => CASE r.times {_pauses} ELSE {LONGEST_PAUSE} END)
)"""


def noting(subjects: Iterable[tuple[str, int]]) -> list[Statement]:
    """Return what notes at the end of a pass that these subjects, kind and id, were worked off; nothing of many."""
    done = sorted(set(subjects))
    if not 0 < len(done) <= FEW:
        return []
    return [(NOTE, {"kinds": [kind for kind, _id in done], "subjects": [pk for _kind, pk in done], "quiet": QUIET})]


def forgetting() -> Statement:
    """Return what forgets who was left alone for long."""
    return FORGET, {"forgotten": 2 * QUIET}
