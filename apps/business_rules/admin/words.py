"""Violations in words, and links to what they are about."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.urls import NoReverseMatch, reverse
from django.utils import formats
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from apps.common.badges import badge
from apps.fsm.employee_fsm import EmployeeStatus

from ..enums import SEVERITY_COLOURS, STATE_COLOURS, Severity, SubjectKind, ViolationState
from ..models import RuleViolation
from ..own_rules import told_values
from ..subjects import kinds
from ..verdicts import Verdict

SEVERITY_SHAPES = {Severity.BLOCKING: "block", Severity.WARNING: "warning", Severity.INFO: "info"}
# Figures stand in facts as text of two decimals.
FIGURE = re.compile(r"-?\d+\.\d\d")
STATE_SHAPES = {
    ViolationState.OPEN: "error",
    ViolationState.ACKNOWLEDGED: "visibility",
    ViolationState.WAIVED: "verified_user",
    ViolationState.RESOLVED: "check_circle",
}


def severity_badge(severity: str) -> Any:
    known = Severity(severity)
    return badge(known.label, SEVERITY_COLOURS[known], SEVERITY_SHAPES[known])


def state_badge(state: str) -> Any:
    known = ViolationState(state)
    return badge(known.label, STATE_COLOURS[known], STATE_SHAPES[known])


def measured(value: Decimal | None) -> str:
    """Show what a rule measured, in the reader's language."""
    return "–" if value is None else formats.number_format(value, decimal_pos=2)


def verdict_of(violation: RuleViolation, who: str = "") -> Verdict:
    """Return the stored violation as the engine speaks of it."""
    return replace(violation.verdict, who=who or violation.subject_code)


def sentence_of(violation: RuleViolation, who: str = "") -> str:
    """Return what is wrong, in a sentence."""
    return verdict_of(violation, who).message


def subject_link(kind: str, pk: int) -> str:
    """Return the address of the page of a rule's subject, empty without one."""
    known = next((item for item in kinds() if item.name == kind), None)
    return page_of(known.model, pk) if known else ""


def page_of(model: Any, pk: Any) -> str:
    if model not in admin.site._registry:
        return ""
    try:
        return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=(pk,))
    except NoReverseMatch:
        return ""


def records_behind(violation: RuleViolation, user: Any) -> list[dict[str, Any]]:
    """Return the records a verdict names, those in the reader's sight with a link; the others by code alone.

    One query for each kind of record.
    """
    records = [record for record in violation.facts.get("records", ()) if isinstance(record, dict)]
    models = {kind.name: kind.model for kind in kinds()}
    seen: dict[str, set[int]] = {}
    for kind, model in models.items():
        ids = [record.get("id") for record in records if record.get("kind") == kind and record.get("id")]
        if ids:
            seen[kind] = set(model.objects.visible_to(user).filter(pk__in=ids).values_list("pk", flat=True))
    found = []
    for record in records:
        kind, pk = record.get("kind", ""), record.get("id")
        in_sight = pk in seen.get(kind, ())
        found.append(
            {
                "kind": capfirst(str(SubjectKind(kind).label)) if kind in SubjectKind else kind,
                "code": record.get("code", ""),
                "link": page_of(models[kind], pk) if in_sight else "",
                "rest": [
                    (fact_label(name), fact_value(value, name))
                    for name, value in record.items()
                    if name not in ("kind", "id", "code") and value not in (None, "", [])
                ],
            }
        )
    return found


def facts_of(violation: RuleViolation | Verdict) -> list[tuple[str, str]]:
    """Return the numbers and days behind a verdict, apart from its records; of a rule staff wrote, its words."""
    stored = isinstance(violation, RuleViolation) and violation.rule.is_own
    own = told_values(violation.verdict, violation.subject_kind) if stored else []  # type: ignore[union-attr]
    return own + [
        (fact_label(name), fact_value(value, name))
        for name, value in violation.facts.items()
        if name not in ("records", "values") and value not in (None, "", [])
    ]


def fact_label(name: str) -> str:
    """Return what a fact is called."""
    known = {
        "since": _("since"),
        "hours": _("hours a week"),
        "cap_unit": _("cap of the unit"),
        "status": _("status"),
        "last_day": _("last day"),
        "starts_on": _("from"),
        "ends_on": _("until"),
        "opens_on": _("opens on"),
        "closes_on": _("closes on"),
        "week": _("week"),
        "weeks": _("weeks"),
        "pool": _("pool"),
        "assigned": _("assigned"),
        "balance": _("balance"),
        "missing": _("missing"),
        "required": _("required"),
        "filled": _("filled"),
        "regular": _("regular hours"),
        "over": _("too many"),
        "target_unit": _("target of the unit"),
        "goes_on_until": _("goes on until"),
        "contract_hours": _("hours of the contract"),
        "tags": _("tags"),
        "day": _("day"),
    }
    return capfirst(str(known.get(name, name.replace("_", " "))))


def fact_value(value: Any, name: str = "") -> str:
    if name == "status" and value in EmployeeStatus:
        return str(EmployeeStatus(value).label)
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, int | float | Decimal):
        return str(formats.localize(value))
    if isinstance(value, str) and FIGURE.fullmatch(value):
        return measured(Decimal(value))
    if isinstance(value, str) and len(value) == 10 and value[4:5] == "-":
        try:
            return formats.date_format(date.fromisoformat(value), "SHORT_DATE_FORMAT")
        except ValueError:
            return value
    if isinstance(value, list):
        return ", ".join(fact_value(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(
            f"{fact_label(str(key))}: {fact_value(item, str(key))}" for key, item in value.items() if key != "id"
        )
    return str(value)
