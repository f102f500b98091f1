"""What is asked of the rules."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from .enums import SubjectKind


@dataclass(frozen=True)
class Question:
    """What is asked of every rule alike: on which day, about whom, as if which proposals were accepted.

    `ids` = None asks about every subject of the kind; `unit` narrows that to a unit and all below it. `at_gate` says
    that a change is being judged rather than the day itself. `due` = None lets hours and coverage be computed anew;
    else the figures the workers keep are read, except of the subjects named here, which a waiting mark is about to
    change (apps.changes.due).
    """

    on: date
    ids: dict[str, list[int]] | None = None
    unit: int | None = None
    as_accepted: tuple[int, ...] = ()
    at_gate: bool = False
    due: Mapping[str, Collection[int]] | None = None

    @property
    def reads_kept(self) -> bool:
        """Say whether everybody (of a unit) is asked about and kept figures are read: they tell who is worth a look."""
        return self.ids is None and self.due is not None

    def asks_about(self, kind: str) -> bool:
        return self.ids is None or bool(self.ids.get(kind))

    def ids_of(self, kind: str) -> list[int] | None:
        """Return the ids asked about of one kind; None = all there are."""
        return None if self.ids is None else self.ids.get(kind, [])


def as_accepted_of(ids: Mapping[str, Collection[int]]) -> tuple[int, ...]:
    """Return the assignments among the subjects: a proposal is judged as if it were accepted."""
    return tuple(sorted(ids.get(SubjectKind.ASSIGNMENT, ())))
