"""Whose stored figures a waiting mark is about to change."""

from __future__ import annotations

from django.db import connection

from .figures import Touched, kept


def due_subjects() -> dict[str, set[int]]:
    """Return ids by kind of figures: who is reached by a mark that waits. A superset where figures hang on others."""
    touched = Touched()
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT kind, subject_id, alone FROM changes_mark")
        for kind, subject, alone in cursor.fetchall():
            touched.marked[kind].add(subject)
            if not alone:
                touched.spreading[kind].add(subject)
    due: dict[str, set[int]] = {}
    for figures in kept():
        due[figures.kind.value] = figures.reached_by(touched)
        touched.rewritten[figures.kind] |= due[figures.kind.value]
    return due
