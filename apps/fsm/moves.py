"""How a state machine is written down: its moves, what they need, and what a refused one says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.common.errors import Reason


@dataclass(frozen=True)
class Need:
    """Something a transition asks for. `kind` is text, date or choice; it becomes a field of the dialog."""

    name: str
    kind: str
    label: Any
    required: bool = True
    choices: tuple[tuple[str, Any], ...] = ()
    help: Any = ""


REASON = Need("reason", "text", _("reason"))

# A guard looks at the subject and the inputs and returns why not, or None. No database beyond the subject.
Guard = Callable[[Any, Mapping[str, Any], date], Reason | None]


@dataclass(frozen=True)
class Move:
    """One transition: from where, to where, what it needs. `system` ones belong to scheduled jobs alone."""

    name: str
    sources: tuple[str, ...]
    target: str
    label: Any
    needs: tuple[Need, ...] = ()
    guards: tuple[Guard, ...] = ()
    system: bool = False
    ends: bool = False  # takes something away for good: shown in a warning colour
    gated: bool = False  # commits capacity: the business rules judge it
    help: Any = ""


# From any state to the one before a deed that is undone (apps.fsm.taking_back). It has no sources and no target of its
# own, so that no machine offers it and the door opens for it to nobody.
TAKE_BACK = Move("take_back", (), "", _("Take back"), system=True, help=_("An import was undone."))


@dataclass(frozen=True)
class Machine:
    """The whole machine of one model: states with labels, badge colours and shapes, and the moves between them."""

    label: str
    states: Any  # a TextChoices
    colours: Mapping[str, str]
    icons: Mapping[str, str]
    moves: tuple[Move, ...]
    by_name: Mapping[str, Move] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {move.name: move for move in self.moves})

    def told(self, name: str) -> Move | None:
        """Return the move of an entry of the log: one of the machine's own, or the way back out of them."""
        return TAKE_BACK if name == TAKE_BACK.name else self.by_name.get(name)

    @property
    def inputs(self) -> dict[str, set[str]]:
        """Return the names of what each move asks for."""
        return {move.name: {need.name for need in move.needs} for move in self.moves}

    def moves_from(self, state: str) -> list[Move]:
        """Return the moves that start in a state, system ones included."""
        return [move for move in self.moves if state in move.sources]
