"""How a kind of sheet is declared: one django-import-export resource a kind, read by pages, exports and commands."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from django.apps import apps
from django.db.models import Model, Q, QuerySet
from django.utils.crypto import salted_hmac
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import get_language
from import_export.fields import Field
from import_export.resources import ModelResource

from .cells import MASK, Choice, Codes, SheetWidget, Text, fold, neutralise

if TYPE_CHECKING:
    from .staging import StagedSheet

VERSION = "row_version"
VERSION_SPANISH = "versión de la fila"
VERSION_LENGTH = 16
# Beside the rows that come back refused; on the way in it is left aside.
REFUSED_BECAUSE = "refused_because"
REFUSED_BECAUSE_SPANISH = "rechazada porque"
SEPARATES = "\x1f"


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

    def meaning(self, value: Any, model: Any) -> Any:
        """Return what is stored for a cleaned value: empty means the field's default, or nothing."""
        if value is None and self.attribute:
            target = model._meta.get_field(self.attribute)
            if target.has_default():
                return target.get_default()
        return value

    def check(self, value: Any, model: Any) -> None:
        """Apply the model field's own validators (length, digits, form of an e-mail)."""
        if self.attribute and value not in (None, ""):
            model._meta.get_field(self.attribute).clean(value, None)


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

    def usable_by(self, actor: Any) -> QuerySet[Any]:
        """Return the records the actor may name here; the system may name all."""
        rows: Any = self.model._base_manager.all() if actor is None else self.model._default_manager.all()
        if actor is not None:
            rows = rows.visible_to(actor) if self.within == "visible" else rows.editable_by(actor)
        found: QuerySet[Any] = rows.order_by()
        return found

    def meaning(self, value: Any, model: Any) -> Any:
        return value

    def check(self, value: Any, model: Any) -> None:
        return None


class References(Column):
    """Several records named in one cell; where they are kept is the resource's business."""

    def __init__(self, *, target: str, lookup: str, **options: Any):
        super().__init__(None, widget=Codes(), **options)
        self.target = target
        self.lookup = lookup
        self.within = "visible"

    model = Reference.model
    usable_by = Reference.usable_by

    def read(self, instance: Any) -> tuple[str, ...]:
        return tuple(sorted(getattr(instance, f"_{self.name}", ())))

    def meaning(self, value: Any, model: Any) -> Any:
        return tuple(sorted(value))

    def check(self, value: Any, model: Any) -> None:
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


@dataclass(frozen=True)
class Disjoint:
    """An exclusion constraint: within a group no two rows share a day. `where` are the rows it holds for."""

    constraint: str
    group: tuple[str, ...]
    start: str
    end: str
    where: Q = field(default_factory=Q)


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
    meant: ClassVar[Q] = Q()  # the stored rows a key can mean at all
    # Transitions that find a row past being meant as they would leave it: nothing to do.
    dead_ends: ClassVar[Mapping[str, Q]] = {}
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

    def list_sql(self, name: str) -> str:
        """Return SQL for the stored codes of a `References` column of the model's row, sorted and joined by |."""
        raise NotImplementedError

    # What rows say, once they are matched with what is stored (apps.common.staging)

    def inspect(self, sheet: StagedSheet) -> None:
        """Refuse rows for what only this kind knows; a statement or two."""

    def fixed(self, actor: Any) -> Mapping[str, Any]:
        """Return attname → value that new rows get beside their columns."""
        return {}

    def lock(self, sheet: StagedSheet) -> None:
        """Lock, in the house order (docs/locking.md), what comes before the rows themselves."""

    def save(self, sheet: StagedSheet) -> None:
        """Write the rows whose turn it is."""
        sheet.write()

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
        content = SEPARATES.join(column.widget.render(column.read(instance)) for column in self.columns().values())
        return hashlib.sha256(f"{self.version_key()}{content}".encode()).hexdigest()[:VERSION_LENGTH]

    @classmethod
    def version_key(cls) -> str:
        """Return what comes before a row's content when it is hashed (in the database too: apps.imports)."""
        return salted_hmac("coveris.row_version", cls.sheet, algorithm="sha256").hexdigest() + SEPARATES


_KINDS: dict[str, type[SheetResource]] = {}


def register(resource: type[SheetResource]) -> type[SheetResource]:
    """Make a kind of sheet known."""
    _KINDS[resource.sheet] = resource
    return resource


def resources() -> dict[str, type[SheetResource]]:
    """Return every kind of sheet, found in each app's resources.py the way the admin finds admin.py."""
    _discover()
    return dict(_KINDS)


@cache
def _discover() -> None:
    # Once: looking for the modules anew takes as long as bringing in a small sheet.
    autodiscover_modules("resources")
