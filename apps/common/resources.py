"""How a kind of sheet is declared: one django-import-export resource a kind, read by pages, exports and commands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.apps import apps
from django.db.models import Model, QuerySet
from django.utils.crypto import salted_hmac
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import get_language
from import_export.fields import Field
from import_export.resources import ModelResource

from .cells import BLANKS, MASK, CellError, Choice, Codes, SheetWidget, Text, as_shown, fold, neutralise

VERSION = "row_version"
VERSION_SPANISH = "versión de la fila"


class Column(Field):
    """One column: its name is the attribute it is declared under, `spanish` the header people may use instead.

    `required` = a row cannot be created or saved without it. `sensitive` = masked for roles below MANAGER.
    `only_with` = changes only as input of one of these transitions.
    """

    def __init__(
        self,
        attribute: str | None = None,
        *,
        spanish: str,
        widget: SheetWidget | None = None,
        key: bool = False,
        required: bool = False,
        sensitive: bool = False,
        only_with: tuple[str, ...] = (),
        help: str = "",
    ):
        super().__init__(attribute=attribute, widget=widget or Text())
        self.spanish = spanish
        self.key = key
        self.required = required or key
        self.sensitive = sensitive
        self.only_with = only_with
        self.help = help

    @property
    def name(self) -> str:
        return self.column_name

    @property
    def label(self) -> str:
        """Return the header people know it by: the Spanish one to who reads Spanish."""
        return self.spanish if (get_language() or "").startswith("es") else self.name

    def read(self, instance: Any) -> Any:
        """Return the stored value, in the type that `widget.clean` gives."""
        value = self.get_value(instance)
        return self.widget.empty if value is None else value

    def write(self, instance: Any, value: Any) -> None:
        """Put a cleaned value on the instance; empty means the field's default, or nothing."""
        target = instance._meta.get_field(self.attribute)
        if value is None and target.has_default():
            value = target.get_default()
        setattr(instance, self.attribute, value)

    def meaning(self, value: Any, instance: Any) -> Any:
        """Return what `write` would store for a cleaned value, to compare with `read`."""
        if value is None and self.attribute:
            target = instance._meta.get_field(self.attribute)
            if target.has_default():
                return target.get_default()
        return value

    def same(self, stored: Any, value: Any) -> bool:
        if isinstance(stored, str) and isinstance(value, str):
            return stored == value or stored.strip(BLANKS) == value
        return stored == value

    def check(self, value: Any, instance: Any) -> None:
        """Apply the model field's own validators (length, digits, form of an e-mail)."""
        if self.attribute and value not in (None, ""):
            instance._meta.get_field(self.attribute).clean(value, instance)


class Reference(Column):
    """A record named by its business key. Only what the importer may see (`within` visible) or edit is known."""

    def __init__(self, attribute: str, *, target: str, within: str = "visible", **options: Any):
        super().__init__(attribute, **options)
        self.target = target
        self.within = within
        self.relation, self.lookup = attribute.rsplit("__", 1)

    @property
    def model(self) -> type[Model]:
        return apps.get_model(self.target)

    def known(self, codes: Iterable[str], actor: Any) -> dict[str, Any]:
        """Return code → record for the codes the actor may use; the system may use all. One query."""
        rows: Any = self.model._default_manager.all()
        if actor is not None:
            rows = rows.visible_to(actor) if self.within == "visible" else rows.editable_by(actor)
        return {getattr(row, self.lookup): row for row in rows.filter(**{f"{self.lookup}__in": list(codes)})}

    def write(self, instance: Any, value: Any) -> None:
        setattr(instance, self.relation, value)

    def meaning(self, value: Any, instance: Any) -> Any:
        return value

    def check(self, value: Any, instance: Any) -> None:
        return None


class References(Column):
    """Several records named in one cell; where they are kept is the resource's business."""

    def __init__(self, *, target: str, lookup: str, **options: Any):
        super().__init__(None, widget=Codes(), **options)
        self.target = target
        self.lookup = lookup
        self.within = "visible"

    model = Reference.model
    known = Reference.known

    def read(self, instance: Any) -> tuple[str, ...]:
        return tuple(sorted(getattr(instance, f"_{self.name}", ())))

    def same(self, stored: Any, value: Any) -> bool:
        return set(stored) == set(value)

    def meaning(self, value: Any, instance: Any) -> Any:
        return tuple(sorted(value))

    def write(self, instance: Any, value: Any) -> None:
        setattr(instance, f"_{self.name}", tuple(value))

    def check(self, value: Any, instance: Any) -> None:
        return None


class TransitionColumn(Column):
    """Names the one transition a row goes through; exports leave it empty."""

    def __init__(self, machine: Any):
        moves = [(move.name, move.label) for move in machine.moves if not move.system]
        super().__init__(None, spanish="transición", widget=Choice(moves))
        self.machine = machine


class ReasonColumn(Column):
    """Why the transition is made; exports leave it empty."""

    def __init__(self) -> None:
        super().__init__(None, spanish="motivo")


@dataclass(frozen=True)
class Invariant:
    """A check constraint of the model, asked before the database would; the sentence is the constraint's."""

    constraint: str
    column: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True)
class Disjoint:
    """An exclusion constraint: within a group no two rows share a day."""

    constraint: str
    group: tuple[str, ...]
    start: str
    end: str
    counts: Callable[[Any], bool] = lambda instance: True


@dataclass
class Row:
    """One row of a sheet on its way in."""

    line: int
    values: dict[str, Any] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict)
    doubts: dict[str, CellError] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)
    key: tuple[Any, ...] = ()
    instance: Any = None
    is_new: bool = False
    changes: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    move: Any = None
    inputs: dict[str, Any] = field(default_factory=dict)
    version: str = ""

    def fail(self, column: str, code: str, message: str, value: Any = None) -> None:
        """Refuse the row: where, what stood there, and what to do."""
        raw = self.raw.get(column) if value is None else value
        self.errors.append(
            {"line": self.line, "column": column, "value": as_shown(raw), "code": code, "message": str(message)}
        )

    @property
    def refused(self) -> bool:
        return bool(self.errors)

    @property
    def outcome(self) -> str:
        if self.errors:
            return "refused"
        if self.is_new:
            return "created"
        return "updated" if self.changes or self.move is not None else "unchanged"

    @property
    def reason(self) -> str:
        return self.values.get("reason") or "" if "transition" in self.values else ""


class SheetResource(ModelResource):
    """A kind of sheet. Subclasses declare the columns and say which service saves; nothing here writes.

    `import_data` of the library is closed: every sheet goes through apps.imports, where scope, rules, history and
    the one door are.
    """

    sheet: ClassVar[str]  # the kind's name
    spanish: ClassVar[str]
    machine: ClassVar[Any] = None
    invariants: ClassVar[tuple[Invariant, ...]] = ()
    disjoint: ClassVar[Disjoint | None] = None
    unique: ClassVar[tuple[str, ...]] = ()  # unique columns beside the key
    select_related: ClassVar[tuple[str, ...]] = ()
    fields: ClassVar[Mapping[str, Column]]

    class Meta:
        fields: tuple[str, ...] = ()

    def import_data(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("Sheets come in through apps.imports.services, not through the library's own import.")

    # What the declaration says

    @classmethod
    def model(cls) -> Any:
        return cls._meta.model

    @classmethod
    def columns(cls) -> dict[str, Column]:
        """Return name → column in the order of the sheet."""
        return {name: cls.fields[name] for name in cls._meta.fields}  # type: ignore[misc]

    @classmethod
    def key_columns(cls) -> list[Column]:
        return [column for column in cls.columns().values() if column.key]

    @classmethod
    def headers(cls) -> dict[str, str]:
        """Return folded header → column name, for both spellings."""
        known: dict[str, str] = {fold(VERSION): VERSION, fold(VERSION_SPANISH): VERSION}
        for name, column in cls.columns().items():
            known[fold(name)] = name
            known[fold(column.spanish)] = name
        return known

    @classmethod
    def permission(cls, verb: str) -> tuple[str, str]:
        """Return the model label and the verb of the permission table that bringing in or taking out needs."""
        return cls._meta.model._meta.label_lower, verb

    # What is stored

    def queryset(self) -> QuerySet[Any]:
        """Return all rows with what their columns read, in the order of the key."""
        rows = self._meta.model._default_manager.select_related(*self.select_related)
        return rows.order_by(*[column.attribute for column in self.key_columns()], "pk")

    def complete(self, instances: Sequence[Any]) -> None:
        """Add to loaded rows what their columns read from other tables; one query whatever the number."""

    def candidates(self, rows: Sequence[Row], known: Mapping[str, Mapping[str, Any]]) -> list[Any]:
        """Return the stored rows that may have the keys of these rows, whatever their scope; one query."""
        first = self.key_columns()[0]
        stored = self._meta.model._base_manager.select_related(*self.select_related)
        if isinstance(first, Reference):
            targets = {known[first.name][row.values[first.name]].pk for row in rows}
            stored = stored.filter(**{f"{first.relation}__in": targets})
        else:
            stored = stored.filter(**{f"{first.attribute}__in": {row.values[first.name] for row in rows}})
        found = list(stored.order_by("pk"))
        self.complete(found)
        return found

    def matches(self, instance: Any) -> bool:
        """Say whether a stored row can be meant by its key at all."""
        return True

    def lock(self, instances: Sequence[Any]) -> None:
        """Lock stored rows that are about to change, in the house order (docs/locking.md)."""
        model = self._meta.model
        pks = [instance.pk for instance in instances]
        len(model._base_manager.select_for_update(of=("self",), no_key=True).filter(pk__in=pks).order_by("pk")
            .values_list("pk"))  # fmt: skip

    def changed_since(self, instances: Sequence[Any]) -> set[int]:
        """Return the keys of rows that now read differently than when they were loaded. Call after `lock`."""
        model = self._meta.model
        fresh = {
            row.pk: row
            for row in model._base_manager.select_related(*self.select_related).filter(
                pk__in=[instance.pk for instance in instances]
            )
        }
        self.complete(list(fresh.values()))
        return {
            instance.pk
            for instance in instances
            if instance.pk not in fresh or self.version_of(fresh[instance.pk]) != self.version_of(instance)
        }

    # What a row says

    def inspect(self, rows: Sequence[Row]) -> None:
        """Refuse rows for what only this kind knows, once all values are on the instances; a query or two at most."""

    def save(self, rows: Sequence[Row], *, actor: Any, confirmed: bool) -> None:
        """Save the instances of these rows through the service."""
        raise NotImplementedError

    # Out

    def cells(self, instance: Any, *, masked: bool = False) -> list[Any]:
        """Return the values of a row's columns."""
        return [
            MASK if masked and column.sensitive and column.read(instance) else column.read(instance)
            for column in self.columns().values()
        ]

    def texts(self, instance: Any, *, masked: bool = False) -> list[str]:
        """Return a row as texts ready for CSV: no cell of it is run by a spreadsheet."""
        found = []
        for column, value in zip(self.columns().values(), self.cells(instance, masked=masked), strict=True):
            text = value if value == MASK else column.widget.render(value)
            found.append(neutralise(text) if isinstance(column.widget, Text | Codes) else text)
        return found

    def version_of(self, instance: Any) -> str:
        """Return a short keyed hash of the row's content; without the key of the installation it tells nothing."""
        content = "\x1f".join(column.widget.render(column.read(instance)) for column in self.columns().values())
        return salted_hmac("coveris.row_version", f"{self.sheet}\x1e{content}", algorithm="sha256").hexdigest()[:16]


_KINDS: dict[str, type[SheetResource]] = {}


def register(resource: type[SheetResource]) -> type[SheetResource]:
    """Make a kind of sheet known."""
    _KINDS[resource.sheet] = resource
    return resource


def resources() -> dict[str, type[SheetResource]]:
    """Return every kind of sheet, found in each app's resources.py the way the admin finds admin.py."""
    autodiscover_modules("resources")
    return dict(_KINDS)
