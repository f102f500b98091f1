"""Rule by rule: what each rule in effect says about a change, those that pass with their numbers too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from django.db import connection

from apps.common.clock import today
from apps.org.models import OrgUnit

from ..enums import RANKS, OverrideSeverity, Severity
from ..models import RuleOverride, Waiver
from ..questions import Question, as_accepted_of
from ..sql import Setting
from ..subjects import kind_named
from ..verdicts import Finding
from .evaluation import ask

if TYPE_CHECKING:
    from .gate import Judgement

Subject = tuple[str, int]


class Outcome(StrEnum):
    """What a rule says about a change, the gravest first; STANDS = broken before, no worse; UNJUDGED = no answer."""

    BLOCKS = "blocks"
    WARNS = "warns"
    INFORMS = "informs"
    WAIVED = "waived"
    UNJUDGED = "unjudged"
    STANDS = "stands"
    OFF = "off"
    PASSES = "passes"


BY_SEVERITY = {
    Severity.BLOCKING.value: Outcome.BLOCKS,
    Severity.WARNING.value: Outcome.WARNS,
    Severity.INFO.value: Outcome.INFORMS,
}
ORDER = list(Outcome)


@dataclass(frozen=True)
class RuleLine:
    """One rule and what it says. `observed` and `limit` are None where it measures nothing; `waiver` lets it pass."""

    code: str
    name: Any
    description: Any
    outcome: Outcome
    fixable: int
    finding: Finding | None = None
    observed: Decimal | None = None
    limit: Decimal | None = None
    waiver: Waiver | None = None
    unit: OrgUnit | None = None


@dataclass(frozen=True)
class _Place:
    """The unit a subject hangs on, with what the units above it and itself set."""

    path: list[int]
    units: Mapping[int, OrgUnit]
    overrides: Mapping[int, list[RuleOverride]]

    def threshold(self, setting: Setting) -> Decimal | None:
        near = next((row.threshold for row in self._of(setting) if row.threshold is not None), setting.threshold)
        if setting.rule.rival is None:
            return near
        return setting.rule.rival.holds(near, [getattr(self.units[pk], setting.rule.rival.field) for pk in self.path])

    def off_in(self, setting: Setting) -> OrgUnit | None:
        decides = next((row for row in self._of(setting) if row.severity), None)
        if decides is None or decides.severity != OverrideSeverity.OFF:
            return None
        return self.units[decides.org_unit_id]

    def _of(self, setting: Setting) -> list[RuleOverride]:
        rows = self.overrides.get(setting.pk, [])
        return sorted((row for row in rows if row.org_unit_id in self.path), key=self._depth, reverse=True)

    def _depth(self, row: RuleOverride) -> int:
        return self.path.index(row.org_unit_id)


def rule_by_rule(judgement: Judgement) -> list[RuleLine]:
    """Return what each rule the gate asks says about a judged change, the gravest first, then the easiest to fix.

    Called where the change still stands, after `look_after`. A rule that measures is asked once more with the strictest
    threshold, so that a pass has its number as well. Five queries, however many rules.
    """
    settings = [
        setting for setting in judgement.settings if setting.rule.gated and judgement.subjects.get(setting.rule.kind)
    ]
    ids = {kind: sorted(pks) for kind, pks in judgement.subjects.items() if pks}
    places = _places({(kind, pk) for kind, pks in ids.items() for pk in pks}, settings)
    measured = _measured(settings, Question(judgement.on, ids, as_accepted=as_accepted_of(ids), at_gate=True))
    found: dict[str, Finding] = {}
    for finding in judgement.found:
        held = found.get(finding.rule)
        if held is None or _gravity(finding, judgement) < _gravity(held, judgement):
            found[finding.rule] = finding
    waivers = _waivers([finding for finding in found.values() if finding.waived], places)
    lines = []
    for setting in settings:
        rule, finding_of = setting.rule, found.get(setting.rule.code)
        own = [places[rule.kind, pk] for pk in ids[rule.kind] if (rule.kind, pk) in places]
        off = [place.off_in(setting) for place in own]
        if rule.code in judgement.unjudged:
            outcome, unit, finding_of = Outcome.UNJUDGED, None, None
        elif finding_of is not None:
            outcome, unit = _outcome(finding_of, judgement), None
        elif off and all(off):
            outcome, unit = Outcome.OFF, off[0]
        else:
            outcome, unit = Outcome.PASSES, None
        number, sign = measured.get(rule.code, (None, 1))
        limits = [limit for place in own if (limit := place.threshold(setting)) is not None]
        lines.append(
            RuleLine(
                rule.code,
                rule.name,
                rule.description,
                outcome,
                rule.fixable,
                finding_of,
                finding_of.observed if finding_of else number,
                finding_of.limit if finding_of else sign * limits[0] if limits and number is not None else None,
                waivers.get(rule.code),
                unit,
            )
        )
    return sorted(lines, key=lambda line: (ORDER.index(line.outcome), line.fixable, line.code))


def _outcome(finding: Finding, judgement: Judgement) -> Outcome:
    if finding.waived:
        return Outcome.WAIVED
    return BY_SEVERITY[finding.severity] if finding in judgement.added else Outcome.STANDS


def _gravity(finding: Finding, judgement: Judgement) -> int:
    return ORDER.index(_outcome(finding, judgement))


def _measured(settings: Iterable[Setting], question: Question) -> dict[str, tuple[Decimal, int]]:
    """Return the worst number each rule that measures finds, and −1 where its limit is minus the threshold."""
    strict = [
        replace(
            setting,
            threshold=setting.rule.strictest,
            least=setting.rule.strictest,
            most=setting.rule.strictest,
            has_overrides=False,
            has_unit_waivers=False,
        )
        for setting in settings
        if setting.rule.strictest is not None
    ]
    worst: dict[str, tuple[Decimal, int]] = {}
    for finding in ask(strict, question):
        held, rule = worst.get(finding.rule), finding.definition
        if finding.observed is not None and (held is None or (rule and rule.is_worse(finding.observed, held[0]))):
            strictest = rule.strictest if rule else None
            is_turned = bool(strictest) and strictest is not None and finding.limit == -strictest
            worst[finding.rule] = finding.observed, -1 if is_turned else 1
    return worst


def _places(subjects: set[Subject], settings: list[Setting]) -> dict[Subject, _Place]:
    parts, params = [], {"today": today()}
    for kind in sorted({kind for kind, _pk in subjects}):
        parts.append(
            f"SELECT '{kind}', r.id, u.path FROM ({kind_named(kind).rows}) r JOIN org_orgunit u ON u.id = r.unit_id "
            f"WHERE r.id = ANY (%({kind})s)"
        )
        params[kind] = [pk for name, pk in subjects if name == kind]  # type: ignore[assignment]
    if not parts:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), params)
        paths = {(kind, pk): list(path) for kind, pk, path in cursor.fetchall()}
    above = {pk for path in paths.values() for pk in path}
    units = OrgUnit.objects.in_bulk(above)
    overrides: dict[int, list[RuleOverride]] = {}
    for row in RuleOverride.objects.filter(rule__in=[setting.pk for setting in settings], org_unit__in=above):
        overrides.setdefault(row.rule_id, []).append(row)
    return {subject: _Place(path, units, overrides) for subject, path in paths.items()}


def _waivers(findings: list[Finding], places: Mapping[Subject, _Place]) -> dict[str, Waiver]:
    """Return by rule the waiver that lets it pass, the one that ends last."""
    found: dict[str, Waiver] = {}
    if not findings:
        return found
    rows = (
        Waiver.objects.in_force_on(today())
        .filter(rule__in=[finding.rule_id for finding in findings])
        .select_related("granted_by")
        .order_by("-expires_on", "id")
    )
    held = list(rows)
    for finding in findings:
        place = places.get((finding.subject_kind, finding.subject_id))
        for row in held:
            of_it = (row.subject_kind, row.subject_id) == (finding.subject_kind, finding.subject_id)
            of_unit = place is not None and row.org_unit_id in place.path
            covers = RANKS[Severity(row.severity)] >= RANKS[Severity(finding.severity)]
            if row.rule_id == finding.rule_id and covers and (of_it or of_unit):
                found.setdefault(finding.rule, row)
    return found
