"""By change: whatever the marks touch is judged anew by the pass that makes its figures fresh."""

from __future__ import annotations

from apps.changes.figures import Touched
from apps.changes.models import Kind as MarkKind
from apps.org.models import OrgUnit

from ..enums import SubjectKind
from ..subjects import kinds
from .sweeps import request_judging, sweep_subjects

# Above so many changed subtrees everybody is judged anew at once rather than one subtree after the other.
SUBTREES_AT_ONCE = 20


def rejudge(touched: Touched) -> dict[str, int]:
    """Judge anew what a pass of the drain was about, and what hangs on it; return the counts of the sweep.

    The figures of these subjects are fresh and their rows locked by the pass, so kept figures are read and two passes
    about one subject follow one another. What changes for everybody in a unit (its cap, its target, its place in the
    tree) is a sweep of the subtree: asked for here, run by a worker.
    """
    changed = {
        kind.value: touched.marked[kind.value] | touched.rewritten[kind.value]
        for kind in (MarkKind.EMPLOYEE, MarkKind.POSITION, MarkKind.UNIT)
    }
    subjects = {
        SubjectKind.EMPLOYEE.value: changed[MarkKind.EMPLOYEE.value],
        SubjectKind.POSITION.value: changed[MarkKind.POSITION.value],
    }
    reached = [
        (kind.name, (sql, {"ids": sorted(ids)}))
        for kind in kinds()
        for source, sql in kind.reached_from.items()
        if (ids := changed.get(source))
    ]
    _sweep_subtrees(touched.marked[MarkKind.SUBTREE.value])
    return sweep_subjects(subjects=subjects, actor=None, due={}, reached=reached)


def _sweep_subtrees(units: set[int]) -> None:
    """Ask for a sweep of what changed units hold; one that lies in another goes with it."""
    if not units:
        return
    tops = [row for row in OrgUnit.objects.filter(pk__in=units).inhabited() if not units.intersection(row.path[:-1])]
    if len(tops) > SUBTREES_AT_ONCE:
        request_judging()
        return
    for row in tops:
        request_judging(unit=row)
