"""What rules are about, known here by kind and id only; the apps that own the nouns register them in their rules.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps

_KINDS: dict[str, Kind] = {}


@dataclass(frozen=True)
class Kind:
    """A kind of subject.

    `rows` is SQL: one row (id, code, name, unit_id) for each subject there is; `code` is what people and sheets call
    it, `name` what a sentence calls it, `unit_id` the unit whose overrides hold. `unit` is that unit's id as SQL over a
    row `s` of the table, after `unit_join`.
    `touches` maps another kind to SQL of pairs (id, other_id), of the ids in the parameter ids: changing the one
    changes what rules say about the other. `reached_from` is the way back: a kind to SQL of the ids of this kind on
    which rules may say something else once those of the other in the parameter ids changed. `enters` are the moves by
    which a subject itself begins to count, so that before them nothing is held for it. `proposed_beside` maps a kind to
    SQL of the ids of this kind that do not count yet and that rules about those in the parameter ids would read if
    they did; of a kind it does not name, they may read any. `stage` makes a subject that is
    not there from a pinned case and an actor, inside a what-if, and returns ids by kind of all it is about.
    """

    name: str
    label: str
    table: str
    rows: str
    unit: str
    unit_join: str = ""
    touches: Mapping[str, str] = field(default_factory=dict)
    reached_from: Mapping[str, str] = field(default_factory=dict)
    enters: tuple[str, ...] = ()
    proposed_beside: Mapping[str, str] = field(default_factory=dict)
    stage: Callable[[Mapping[str, Any], Any], dict[str, list[int]]] | None = None

    @property
    def model(self) -> Any:
        return apps.get_model(self.label)

    @property
    def ids_under(self) -> str:
        """Return SQL of the ids whose unit is one unit (its id the only parameter) or below it."""
        return f"""
            SELECT r.id FROM ({self.rows}) r JOIN org_orgunit u ON u.id = r.unit_id WHERE u.path @> ARRAY[%s::bigint]
        """


def register_kind(kind: Kind) -> None:
    _KINDS[kind.name] = kind


def kinds() -> list[Kind]:
    return list(_KINDS.values())


def kind_named(name: str) -> Kind:
    return _KINDS[name]


def kind_of(model: type) -> Kind | None:
    """Return the kind a model's rows are, if rules are about them."""
    label = model._meta.label_lower  # type: ignore[attr-defined]
    return next((kind for kind in _KINDS.values() if kind.label.lower() == label), None)
