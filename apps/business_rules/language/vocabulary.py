"""The words a condition may use. Each app brings those about its nouns in words.py, found the way rules.py is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from django.utils.translation import gettext_lazy as _

from apps.users.enums import Role
from apps.users.permissions import rights_of, sees_sensitive

from ..subjects import kind_named

if TYPE_CHECKING:
    from apps.users.models import User


SENSITIVE = "sensitive"
# How many records away from the subject a word may be: `employee.unit.code` of an assignment.
FURTHEST = 2

_WORDS: dict[tuple[str, str], Word] = {}
_PATHS: dict[tuple[str, str], Path] = {}
_RELATIONS: dict[tuple[str, str], Relation] = {}


class Type(StrEnum):
    """What a word's value is. Hours, numbers and percents are figures, but are not compared with one another."""

    HOURS = "hours"
    NUMBER = "number"
    PERCENT = "percent"
    DATE = "date"
    TEXT = "text"
    BOOLEAN = "boolean"
    CHOICE = "choice"

    @property
    def is_figure(self) -> bool:
        return self in (Type.HOURS, Type.NUMBER, Type.PERCENT)

    @property
    def label(self) -> Any:
        return TYPE_LABELS[self]

    @property
    def operators(self) -> tuple[str, ...]:
        if self.is_figure or self == Type.DATE:
            return ("=", "!=", "<", "<=", ">", ">=")
        return ("=", "!=", "contains", "starts with") if self == Type.TEXT else ("=", "!=")


TYPE_LABELS = {
    Type.HOURS: _("hours"),
    Type.NUMBER: _("number"),
    Type.PERCENT: _("percent"),
    Type.DATE: _("date"),
    Type.TEXT: _("text"),
    Type.BOOLEAN: _("yes or no"),
    Type.CHOICE: _("choice"),
}


@dataclass(frozen=True)
class Argument:
    """What a word is asked for in brackets. `choices` gives (code, label) rows of what a person may name.

    None as the person means everything there is, for rules.
    """

    label: Any
    choices: Callable[[User | None], Any]
    required: bool = True


@dataclass(frozen=True)
class Word:
    """One entry of the vocabulary of a kind of subject.

    `sql` gives the value's SQL from the row it is read at and the placeholders of its arguments: a figure in hours,
    plain numbers or percents, a date, a text, a boolean. With `counts` the SQL gives a date and the word the days to
    it, or since it. `permission` is app.model.verb, or "sensitive"; empty = whoever may see the kind. Who lacks it
    does not know the word. `scope` says what the value depends on beyond the subject's own record; a list search reads
    only so much of that as the person may see. `suggests` offers codes while a text is written.
    `is_code` says that people and sheets call the record by it.
    """

    kind: str
    name: str
    type: Type
    label: Any
    description: Any
    sql: Callable[..., str]
    permission: str = ""
    scope: Any = ""
    choices: Iterable[tuple[str, Any]] = ()
    arguments: tuple[Argument, ...] = ()
    counts: Literal["", "to", "since"] = ""
    suggests: Argument | None = None
    is_code: bool = False

    @property
    def needs_argument(self) -> bool:
        return any(argument.required for argument in self.arguments)


@dataclass(frozen=True)
class Path:
    """The way from a row to one other row: `name` before the dot, `key` the column that holds the other's id."""

    kind: str
    name: str
    to: str
    key: str
    label: Any


@dataclass(frozen=True)
class Relation:
    """Rows beside those of a kind, joined once however many words read them: SQL with a column `id` of the kind."""

    kind: str
    name: str
    sql: Callable[..., str]


@dataclass(frozen=True)
class Sight:
    """What a condition may know: by whose rights it is read, and whether it is a rule's.

    A rule's verdicts are read by everybody in the back office, so a rule knows what the least of them may.
    """

    user: User | None = None
    in_rule: bool = False
    rights: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sensitive: bool = False

    @classmethod
    def of(cls, user: User) -> Sight:
        """Return the sight of a person who searches."""
        rights = rights_of(Role(user.role)) if user.is_active else {}
        return cls(user, False, rights, sees_sensitive(user))

    @classmethod
    def of_rules(cls) -> Sight:
        """Return the sight of a rule, which is over everyone and for every reader."""
        return cls(None, True, rights_of(Role.VIEWER))

    def knows(self, word: Word) -> bool:
        """Say whether the word exists for this sight."""
        label = kind_named(word.kind).label.lower()
        if "view" not in self.rights.get(label, ()):
            return False
        if word.permission == SENSITIVE:
            return self.sensitive
        if not word.permission:
            return True
        needed, _dot, verb = word.permission.rpartition(".")
        return verb in self.rights.get(needed, ())


@dataclass(frozen=True)
class Found:
    """A word as it is reached from a subject: through `paths`, by its full `name`."""

    word: Word
    paths: tuple[Path, ...] = ()

    @property
    def name(self) -> str:
        return ".".join([*(path.name for path in self.paths), self.word.name])

    @property
    def label(self) -> str:
        return ": ".join([*(str(path.label) for path in self.paths), str(self.word.label)])


def register_word(word: Word) -> Word:
    """Make a word known; compiled only where somebody uses it."""
    _WORDS[word.kind, word.name] = word
    return word


def words_of(kind: str) -> Callable[..., Word]:
    """Return what registers words of one kind: (name, type, label, description, sql, …)."""
    return lambda *given, **more: register_word(Word(kind, *given, **more))


def register_path(path: Path) -> Path:
    """Make the words of another kind known before a dot."""
    _PATHS[path.kind, path.name] = path
    return path


def register_relation(relation: Relation) -> Relation:
    """Make rows known that several words of a kind read."""
    _RELATIONS[relation.kind, relation.name] = relation
    return relation


def relation_named(kind: str, name: str) -> Relation:
    return _RELATIONS[kind, name]


def own_words(kind: str) -> list[Word]:
    """Return the words of a kind itself, whoever may know them."""
    return [word for (of, _name), word in _WORDS.items() if of == kind]


def paths_of(kind: str) -> list[Path]:
    return [path for (of, _name), path in _PATHS.items() if of == kind]


def find(kind: str, name: str, sight: Sight) -> Found | None:
    """Return the word of that full name; None if there is none, or not for this sight."""
    *steps, last = name.split(".")
    paths: list[Path] = []
    at = kind
    for step in steps[:FURTHEST]:
        path = _PATHS.get((at, step))
        if path is None:
            return None
        paths.append(path)
        at = path.to
    word = _WORDS.get((at, last)) if len(steps) <= FURTHEST else None
    if word is None or not sight.knows(word):
        return None
    return Found(word, tuple(paths))


def known_words(kind: str, sight: Sight) -> list[Found]:
    """Return every word a condition about the kind may use: its own first, then those through paths."""
    return [found for found in _reached(kind, (), FURTHEST) if sight.knows(found.word)]


def _reached(kind: str, paths: tuple[Path, ...], further: int) -> list[Found]:
    found = [Found(word, paths) for word in own_words(kind)]
    if further:
        for path in paths_of(kind):
            found += _reached(path.to, (*paths, path), further - 1)
    return found
