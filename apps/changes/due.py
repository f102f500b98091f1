"""Whose stored figures a waiting mark is about to change."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection

from .figures import Figures, Touched, foreseen


def due_subjects(among: Iterable[Figures] | None = None) -> dict[str, set[int]]:
    """Return ids by kind of figures: who is reached by a mark that waits. A superset where figures hang on others.

    Looked at are `among`; without, the figures that rules and previews read.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT kind, subject_id, alone FROM changes_mark")
        return reached_by(Touched.by(cursor.fetchall()), among)


def reached_by(touched: Touched, among: Iterable[Figures] | None = None) -> dict[str, set[int]]:
    """Return ids by kind of figures: whose hang on what was touched. A superset where figures hang on others."""
    due: dict[str, set[int]] = {}
    for figures in foreseen() if among is None else among:
        due[figures.kind.value] = figures.reached_by(touched)
        touched.rewritten[figures.kind] |= due[figures.kind.value]
    return due
