"""Whose stored figures a waiting mark is about to change."""

from __future__ import annotations

from django.db import connection

from .figures import Touched, kept


def due_subjects() -> dict[str, set[int]]:
    """Return ids by kind of figures: who is reached by a mark that waits. A superset where figures hang on others."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT kind, subject_id, alone FROM changes_mark")
        return reached_by(Touched.by(cursor.fetchall()))


def reached_by(touched: Touched) -> dict[str, set[int]]:
    """Return ids by kind of figures: whose hang on what was touched. A superset where figures hang on others."""
    due: dict[str, set[int]] = {}
    for figures in kept():
        due[figures.kind.value] = figures.reached_by(touched)
        touched.rewritten[figures.kind] |= due[figures.kind.value]
    return due
