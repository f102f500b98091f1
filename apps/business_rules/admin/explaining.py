"""Why a violation stands: where its limit comes from, by which version of the rule, and what changed it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db import connection
from django.db.models import Q
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from apps.audit_log.admin import prepare
from apps.audit_log.models import AuditEntry
from apps.audit_log.timeline import Shown, folded, shown
from apps.common.clock import today
from apps.org.models import OrgUnit

from ..enums import OverrideSeverity, SubjectKind, ViolationState
from ..models import BusinessRule, RuleOverride, RuleViolation, Waiver
from ..subjects import kind_named
from ..versions import differences, version_of
from .words import fact_value, measured

# How long before a violation opened or changed a change of its records may have been the cause, and how much is told.
SHORTLY = timedelta(days=7)
OWN_ENTRIES, MOMENTS, CAUSES = 20, 5, 20
ANCHORS = {
    SubjectKind.EMPLOYEE.value: "employee_id",
    SubjectKind.ASSIGNMENT.value: "assignment_id",
    SubjectKind.POSITION.value: "position_id",
    SubjectKind.UNIT.value: "unit_id",
}


@dataclass
class Origin:
    """Where the limit and the severity of a violation come from, in sentences, with links for whom they are."""

    limit: str = ""
    severity: str = ""
    link: str = ""


@dataclass
class Judged:
    """By which version a violation was judged, and what the rule says otherwise since: (label, before, after)."""

    version: int
    now: int
    link: str = ""
    since: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def has_changed(self) -> bool:
        return self.now != self.version


def origin_of(violation: RuleViolation, user: Any) -> Origin:
    """Say where limit and severity come from: the rule, the exception of a unit, or a cap or target of one."""
    found = Origin()
    path = unit_path(violation.subject_kind, violation.subject_id)
    rows = list(
        RuleOverride.objects.filter(rule=violation.rule, org_unit__in=path).select_related("org_unit")
    )  # fmt: skip
    nearest = sorted(rows, key=lambda row: path.index(row.org_unit_id), reverse=True)
    by_severity = next((row for row in nearest if row.severity not in ("", OverrideSeverity.OFF)), None)
    by_threshold = next((row for row in nearest if row.threshold is not None), None)
    cap, target = violation.facts.get("cap_unit"), violation.facts.get("target_unit")
    codes = [code for code in (cap, target) if code]
    seen = {row.code: row for row in OrgUnit.objects.visible_to(user).filter(Q(pk__in=path) | Q(code__in=codes))}
    pks = {row.pk: row for row in seen.values()}

    def named(unit: OrgUnit | None) -> str:
        return str(unit) if unit is not None else _("a unit above yours")

    if violation.limit is not None:
        if cap:
            found.limit, found.link = _("the cap of %(unit)s") % {"unit": named(seen.get(cap))}, _unit(seen.get(cap))
        elif target:
            found.limit = _("the target of %(unit)s") % {"unit": named(seen.get(target))}
            found.link = _unit(seen.get(target))
        elif by_threshold is not None:
            unit = pks.get(by_threshold.org_unit_id)
            found.limit, found.link = _("an exception of %(unit)s") % {"unit": named(unit)}, _unit(unit)
        else:
            found.limit = _("the catalogue of rules")
    if by_severity is not None:
        found.severity = _("an exception of %(unit)s") % {"unit": named(pks.get(by_severity.org_unit_id))}
    else:
        found.severity = _("the catalogue of rules")
    return found


def judged_by(violation: RuleViolation, user: Any) -> Judged:
    """Return the version it was judged by, a link to the rule, and what the rule says otherwise by now."""
    rule = violation.rule
    may = user.has_perm("business_rules.view_businessrule")
    link = reverse("admin:business_rules_businessrule_change", args=(rule.pk,)) if may else ""
    judged = Judged(violation.rule_version, rule.version, link)
    if judged.has_changed:
        for name, before, after in differences(version_of(rule, violation.rule_version), rule):
            column: Any = BusinessRule._meta.get_field(name)
            label = capfirst(str(column.verbose_name))
            judged.since.append((label, _content(name, before), _content(name, after)))
    return judged


def waivers_of(violation: RuleViolation, user: Any) -> list[Waiver]:
    """Return the waivers about it, of its unit too, that the reader may see, the latest to end first."""
    path = unit_path(violation.subject_kind, violation.subject_id)
    return list(
        Waiver.objects.visible_to(user)
        .about(violation.rule, violation.subject_kind, violation.subject_id, path)
        .select_related("granted_by", "org_unit", "rule")
        .order_by("-expires_on", "-id")[:OWN_ENTRIES]
    )


def story_of(violation: RuleViolation, user: Any) -> list[Shown]:
    """Return what happened to a violation and, shortly before it opened or changed, to the rule and the records behind.

    Newest first, only what the reader may see; a constant number of queries.
    """
    if not user.has_perm("audit_log.view_auditentry"):
        return []
    visible = AuditEntry.objects.visible_to(user)
    own = list(visible.about("business_rules.ruleviolation", violation.pk).newest_first()[:OWN_ENTRIES])
    moments = [entry.at for entry in own][:MOMENTS] or [violation.first_seen]
    if own and own[-1].at not in moments:
        moments.append(own[-1].at)
    near = Q(pk__in=[])
    for moment in moments:
        near |= Q(at__gt=moment - SHORTLY, at__lte=moment)
    behind = visible.filter(near, _about_records(violation)).exclude(
        source__in=["business_rules.ruleviolation", "business_rules.waiver"]
    )
    causes = list(behind.newest_first()[:CAUSES])
    items = folded(shown([*own, *causes], user))
    for item in items:
        prepare(item)
        if item.entry.source == "business_rules.ruleviolation":
            item.deed, item.is_own = _deed(item), True  # type: ignore[attr-defined]
            item.from_where = evaluated(item.entry.origin) or item.from_where  # type: ignore[attr-defined]
            item.url = ""  # type: ignore[attr-defined]
            item.subject, item.detail = item.detail, ""
    return sorted(items, key=lambda item: (item.entry.at, item.entry.key), reverse=True)


def evaluated(origin: str) -> str:
    """Return by which evaluation a violation was written, in words; empty for what a person did."""
    words = {
        "nightly": _("nightly evaluation"),
        "manual": _("evaluation asked for"),
        "change": _("evaluation after a change of rules or units"),
        "task": _("evaluation after a change of these records"),
        "command": _("evaluation by command"),
    }
    return words.get(origin, "")


def _deed(item: Shown) -> str:
    """Return what an entry of a violation's own history tells, by the state it led to."""
    row = next((change for change in item.changes if change.field == "state"), None)
    if item.entry.deed == "+":
        is_waived = row is not None and row.after == ViolationState.WAIVED.label
        return _("Opened, waived") if is_waived else pgettext("violation", "Opened")
    if row is None:
        return _("Values changed")
    return {
        str(ViolationState.OPEN.label): _("Reopened"),
        str(ViolationState.ACKNOWLEDGED.label): _("Acknowledged"),
        str(ViolationState.WAIVED.label): _("Waived"),
        str(ViolationState.RESOLVED.label): _("Resolved"),
    }.get(row.after, row.after)


def _about_records(violation: RuleViolation) -> Q:
    """Return the condition for entries of the timeline about the rule, the subject, or a record behind the verdict.

    Of an employee also tags and leaves, not each assignment: those that count are among the records.
    """
    ids: dict[str, set[int]] = defaultdict(set)
    ids[violation.subject_kind].add(violation.subject_id)
    for record in _records(violation):
        ids[record["kind"]].add(record["id"])
    about = Q(source="business_rules.businessrule", record_id=violation.rule_id)
    for kind, pks in ids.items():
        condition = Q(**{f"{ANCHORS[kind]}__in": sorted(pks)})
        if kind in (SubjectKind.EMPLOYEE, SubjectKind.POSITION):
            condition &= Q(assignment_id__isnull=True)
        about |= condition
    return about


def _records(violation: RuleViolation) -> Iterable[dict[str, Any]]:
    for record in violation.facts.get("records", ()):
        if isinstance(record, dict) and record.get("kind") in ANCHORS and isinstance(record.get("id"), int):
            yield record


def unit_path(kind: str, pk: int) -> list[int]:
    """Return the ids of the units whose exceptions hold for a subject, the root first; empty for one that is gone."""
    rows = kind_named(kind).rows
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT u.path FROM ({rows}) r JOIN org_orgunit u ON u.id = r.unit_id WHERE r.id = %(id)s",
            {"id": pk, "today": today()},
        )
        row = cursor.fetchone()
    return list(row[0]) if row else []


def _unit(unit: OrgUnit | None) -> str:
    if unit is None or OrgUnit not in admin.site._registry:
        return ""
    return reverse("admin:org_orgunit_change", args=(unit.pk,))


def _content(name: str, value: Any) -> str:
    column: Any = BusinessRule._meta.get_field(name)
    if value in (None, ""):
        return "–"
    if column.flatchoices:
        return str(dict(column.flatchoices).get(value, value))
    if name == "threshold":
        return measured(value)
    if hasattr(value, "isoformat"):
        return date_format(value, "SHORT_DATE_FORMAT")
    return fact_value(value)
