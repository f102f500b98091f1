"""Refusals: the answer “no”, told so that a person can do something about it."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Reason:
    """One sentence of a refusal.

    `fixable` orders reasons (lower is easier to fix by the person); `field` names the input it belongs to.
    """

    message: str
    code: str = "refused"
    field: str = ""
    fixable: int = 50
    records: tuple[str, ...] = ()
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class Refusal(Exception):
    """A service said no. Nothing was written; `reasons` come most fixable first."""

    def __init__(self, reasons: Iterable[Reason] | Reason | str):
        if isinstance(reasons, str):
            reasons = [Reason(reasons)]
        elif isinstance(reasons, Reason):
            reasons = [reasons]
        self.reasons = sorted(reasons, key=lambda reason: reason.fixable)
        super().__init__(" ".join(self.explain()))

    def explain(self) -> list[str]:
        """Return the sentences to show, most fixable first."""
        return [str(reason.message) for reason in self.reasons]


class ConfirmationNeeded(Refusal):
    """Only warnings stand in the way: the same call with `confirmed=True` goes on and records who confirmed."""
