"""What a deed under way opens and closes: asked inside its transaction, beside what is kept from before."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from apps.changes.due import due_subjects, reached_by
from apps.changes.models import Kind
from apps.common.clock import today

from ..enums import UNRESOLVED
from ..models import RuleViolation
from ..sql import settings_in_effect
from ..unjudged import Unjudged
from .evaluation import keys_found
from .what_if import Ids, large_steps, marked_since, question_about, subjects_of

# Of more subjects than this it is not asked: the sweep that follows the deed says it.
MOST_SUBJECTS = 250_000


@dataclass(frozen=True)
class Consequences:
    """Violations by rule code that the deed opens and closes; `units` are those whose figures hang on it.

    `asked` is false where it touches too many to be asked about beforehand. `unjudged` are rules that gave no answer.
    """

    units: set[int]
    opened: dict[str, int] = field(default_factory=dict)
    closed: dict[str, int] = field(default_factory=dict)
    asked: bool = True
    unjudged: tuple[str, ...] = ()


def consequences_since(mark: int) -> Consequences:
    """Return what everything written since a mark, in the transaction under way, leads to. Nothing is written."""
    touched = marked_since(mark)
    reached = reached_by(touched)
    units = reached.get(Kind.UNIT.value, set())
    subjects = subjects_of(touched, reached)
    if sum(map(len, subjects.values())) > MOST_SUBJECTS:
        return Consequences(units, asked=False)
    found, unjudged = _found(subjects)
    stored = {key for key in _stored(subjects) if key[0] not in unjudged}
    return Consequences(
        units,
        _by_rule(found - stored),
        _by_rule(stored - found),
        unjudged=tuple(sorted(unjudged)),
    )


Key = tuple[str, str, int]


def _found(subjects: Ids) -> tuple[set[Key], Unjudged]:
    unjudged: Unjudged = {}
    question = question_about(subjects, due_subjects())
    if question is None:
        return set(), unjudged
    with large_steps():
        return keys_found(settings_in_effect(today()), question, unjudged), unjudged


def _stored(subjects: Ids) -> set[Key]:
    keys: set[Key] = set()
    for kind, ids in subjects.items():
        open_still = RuleViolation.objects.filter(state__in=UNRESOLVED, subject_kind=kind, subject_id__in=sorted(ids))
        keys |= set(open_still.order_by().values_list("rule__code", "subject_kind", "subject_id"))
    return keys


def _by_rule(keys: set[Key]) -> dict[str, int]:
    return dict(sorted(Counter(rule for rule, _kind, _pk in keys).items()))
