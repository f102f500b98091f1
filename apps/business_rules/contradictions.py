"""Settings of a rule that contradict themselves, one another, or what units set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from .enums import OverrideSeverity, Severity

if TYPE_CHECKING:
    from apps.org.models import OrgUnit

    from .models import BusinessRule, RuleOverride
    from .registry import Rule


@dataclass(frozen=True)
class Contradiction:
    """What makes no sense, in the active language; `unit` is where, None for the rule itself."""

    code: str
    sentence: str
    unit: OrgUnit | None = None


def contradictions(
    rule: BusinessRule,
    definition: Rule | None,
    overrides: Sequence[RuleOverride],
    units: Sequence[OrgUnit],
    day: date,
) -> list[Contradiction]:
    """Return what in the settings of a rule can hardly be meant.

    `overrides` are all exceptions of the rule, `units` those that set a cap or target of their own.
    """
    found = _of_rule(rule, definition, day)
    known = {row.org_unit_id: row for row in overrides}
    rivals = {unit.pk: unit for unit in units}
    for row in sorted(overrides, key=lambda row: row.org_unit.code):
        found += _of_override(rule, definition, row, known, rivals)
    if definition is not None and definition.rival is not None:
        for unit in sorted(units, key=lambda unit: unit.code):
            found += _of_unit(rule, definition, unit, known)
    return found


def _of_rule(rule: BusinessRule, definition: Rule | None, day: date) -> list[Contradiction]:
    found: list[Contradiction] = []
    if not rule.enabled:
        return found
    if definition is None:
        found.append(Contradiction("no_code", _("It is on, but nothing in this version judges it.")))
        return found
    if rule.effective_until is not None and rule.effective_until < day:
        words = {"day": date_format(rule.effective_until, "SHORT_DATE_FORMAT")}
        found.append(Contradiction("over", _("It is on, but was in effect until %(day)s only.") % words))
    if rule.severity == Severity.BLOCKING and not definition.gated:
        found.append(
            Contradiction(
                "never_asked", _("It is blocking, but no change is ever asked about it: it can only be listed.")
            )
        )
    if sentence := _senseless(definition, rule.threshold):
        found.append(Contradiction("senseless", sentence))
    return found


def _senseless(definition: Rule, threshold: Decimal | None) -> str:
    lowest, highest = definition.sensible
    if threshold is None:
        return ""
    if lowest is not None and threshold < lowest:
        return _("A threshold of %(threshold)s is below %(limit)s, the lowest that makes sense for it.") % {
            "threshold": number_format(threshold), "limit": number_format(lowest),
        }  # fmt: skip
    if highest is not None and threshold > highest:
        return _("A threshold of %(threshold)s is above %(limit)s, the highest that makes sense for it.") % {
            "threshold": number_format(threshold), "limit": number_format(highest),
        }  # fmt: skip
    return ""


def _of_override(
    rule: BusinessRule,
    definition: Rule | None,
    row: RuleOverride,
    known: Mapping[int, RuleOverride],
    rivals: Mapping[int, OrgUnit],
) -> list[Contradiction]:
    unit = row.org_unit
    severity, threshold = holds_above(rule, unit, known)
    if not rule.enabled:
        return [Contradiction("of_a_rule_off", _("An exception of a rule that is off."), unit)]
    says_the_same = (not row.severity or row.severity == severity) and (
        row.threshold is None or row.threshold == threshold
    )
    if says_the_same:
        return [Contradiction("same", _("The exception says what holds there anyway."), unit)]
    found = []
    if severity == OverrideSeverity.OFF and not row.severity:
        found.append(Contradiction("never_reached", _("Its threshold is never reached: the rule is off above."), unit))
    elif row.severity == OverrideSeverity.OFF and row.threshold is not None:
        found.append(Contradiction("never_reached", _("It switches the rule off: its threshold is never used."), unit))
    elif row.threshold is not None and definition is not None:
        if sentence := _senseless(definition, row.threshold):
            found.append(Contradiction("senseless", sentence, unit))
        elif definition.rival is not None:
            chain = [getattr(rivals[pk], definition.rival.field) for pk in unit.path if pk in rivals]
            limit = definition.rival.holds(row.threshold, chain)
            if limit != row.threshold:
                found.append(
                    Contradiction(
                        "never_reached",
                        _("Its threshold of %(threshold)s is never reached: %(field)s is %(limit)s there.") % {
                            "threshold": number_format(row.threshold),
                            "field": _name_of(unit, definition.rival.field),
                            "limit": number_format(limit or 0),
                        },
                        unit,
                    )
                )  # fmt: skip
    if row.severity == Severity.BLOCKING and definition is not None and not definition.gated:
        found.append(
            Contradiction(
                "never_asked", _("It is blocking, but no change is ever asked about it: it can only be listed."), unit
            )
        )
    return found


def _of_unit(
    rule: BusinessRule, definition: Rule, unit: OrgUnit, known: Mapping[int, RuleOverride]
) -> list[Contradiction]:
    """Compare what a unit sets for itself with the threshold that holds in it."""
    rival = definition.rival
    own = getattr(unit, rival.field) if rival else None
    severity, threshold = holds_above(rule, unit, known, inclusive=True)
    if rival is None or own is None or threshold is None or severity == OverrideSeverity.OFF or not rule.enabled:
        return []
    words = {
        "field": _name_of(unit, rival.field),
        "own": number_format(own),
        "threshold": number_format(threshold),
    }
    if rival.counts == "lowest" and own > threshold:
        sentence = _("%(field)s is %(own)s, above the threshold of %(threshold)s: it is never reached.") % words
        return [Contradiction("cap_above", sentence, unit)]
    if rival.counts == "nearest" and own < threshold:
        sentence = _("%(field)s is %(own)s, laxer than the threshold of %(threshold)s, which it replaces.") % words
        return [Contradiction("target_under", sentence, unit)]
    return []


def holds_above(
    rule: BusinessRule, unit: OrgUnit, known: Mapping[int, RuleOverride], *, inclusive: bool = False
) -> tuple[str, Decimal | None]:
    """Return the severity and threshold that hold in a unit without (or with) what it says itself."""
    severity: str | None = None
    threshold: Decimal | None = None
    for pk in reversed(unit.path if inclusive else unit.path[:-1]):
        row = known.get(pk)
        if row is not None:
            severity = severity or row.severity or None
            threshold = row.threshold if threshold is None else threshold
    return severity or rule.severity, rule.threshold if threshold is None else threshold


def _name_of(unit: OrgUnit, field: str) -> str:
    column: Any = unit._meta.get_field(field)
    name = str(column.verbose_name)
    return name[:1].upper() + name[1:]
