"""What rules are about, known here by kind and id only; the apps that own the nouns register them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.apps import apps

_KINDS: dict[str, Kind] = {}


@dataclass(frozen=True)
class Kind:
    """A kind of subject: its model (looked up by label), the SQL of its code and of the unit whose overrides hold.

    `code_sql` and `unit_sql` are scalar SQL over the subject's id, written `{id}`.
    """

    name: str
    label: str
    code_sql: str
    unit_sql: str

    @property
    def model(self) -> Any:
        return apps.get_model(self.label)


def register_kind(kind: Kind) -> None:
    _KINDS[kind.name] = kind


def kinds() -> list[Kind]:
    return list(_KINDS.values())


def kind_named(name: str) -> Kind:
    return _KINDS[name]
