"""What the engine answers: which subject breaks which rule, with the records and numbers behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from .registry import Rule


@dataclass(frozen=True)
class Verdict:
    """One rule broken by one subject. `who` is the subject's name in a sentence, `definition` what speaks for it."""

    rule: str
    who: str
    observed: Decimal | None
    limit: Decimal | None
    facts: Mapping[str, Any] = field(default_factory=dict)
    definition: Rule | None = field(default=None, compare=False, repr=False)

    @property
    def message(self) -> str:
        """Return what is wrong, in the active language."""
        return self.definition.sentence(self) if self.definition else f"{self.rule}: {self.who}"

    @property
    def remedy(self) -> str:
        """Return what would make it pass, in the active language."""
        return self.definition.remedy(self) if self.definition else ""

    @property
    def records(self) -> tuple[str, ...]:
        """Return the codes of the records behind the verdict."""
        return tuple(record["code"] for record in self.facts.get("records", ()))


@dataclass(frozen=True)
class Finding(Verdict):
    """A verdict about a subject, with the severity its unit gives the rule; `waived` by a waiver in force."""

    rule_id: int = 0
    rule_version: int = 0
    severity: str = ""
    subject_kind: str = ""
    subject_id: int = 0
    subject_code: str = ""
    waived: bool = False

    @property
    def key(self) -> tuple[str, str, int]:
        return self.rule, self.subject_kind, self.subject_id

    def as_json(self) -> dict[str, Any]:
        """Return it as the commands and the API print it; hours are texts of two decimals."""
        return {
            "rule": self.rule,
            "severity": self.severity,
            "message": self.message,
            "subject_kind": self.subject_kind,
            "subject_code": self.subject_code,
            "observed": as_text(self.observed),
            "limit": as_text(self.limit),
            "records": list(self.records),
            "waived": self.waived,
        }


def as_text(value: Decimal | None) -> str | None:
    """Return a figure with two decimals for machines."""
    return None if value is None else f"{value:.2f}"


def hours(value: Decimal | str | None) -> str:
    """Return an hours figure for people, in the active language."""
    return number_format(Decimal(value or 0), decimal_pos=2, use_l10n=True)


def day(value: date | str) -> str:
    """Return a day for people, in the active language."""
    return date_format(date.fromisoformat(value) if isinstance(value, str) else value, "DATE_FORMAT")


def days(first: date | str | None, last: date | str | None) -> str:
    """Return the days from one to another for people; an open end is left open."""
    if first and last:
        return _("from %(first)s to %(last)s") % {"first": day(first), "last": day(last)}
    if first:
        return _("from %(first)s on") % {"first": day(first)}
    if last:
        return _("until %(last)s") % {"last": day(last)}
    return _("at all times")
