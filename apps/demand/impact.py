"""What a deed would do, shown before it is done: verdicts, hours and coverage before → after, week by week."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.formats import date_format, number_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext_lazy

from apps.business_rules.enums import SEVERITY_COLOURS, Severity
from apps.business_rules.services import NoAnswer, WhatIf
from apps.business_rules.services.rule_by_rule import Outcome, RuleLine
from apps.business_rules.subjects import kind_named
from apps.business_rules.verdicts import Finding
from apps.common.badges import Tone, badge
from apps.common.hours import to_percent
from apps.common.weekbars import MISSING, PROPOSED, Part, WeekBar, draw, hours_text
from apps.common.weeks import week_code
from apps.fsm.buttons import field_for
from apps.fsm.moves import Move
from apps.fsm.services import allowed_moves, has_moved_on
from apps.org.models import Position

from .coverage import state_of
from .enums import COVERAGE_COLOURS
from .preview import CoverageChange, LedgerChange, coverage_weeks

if TYPE_CHECKING:
    from apps.fsm.buttons import TransitionButtons as Screen
else:
    Screen = object

SHOWN = 8  # findings and positions told one by one


def panel(url: str, fields: Iterable[str]) -> SafeString:
    """Return the place where a preview appears; the script asks `url` with these fields of the form around it."""
    return render_to_string("demand/impact_panel.html", {"url": url, "fields": " ".join(fields)})


def show(request: HttpRequest, context: Mapping[str, Any]) -> HttpResponse:
    """Return the content of a panel."""
    response = TemplateResponse(request, "demand/impact.html", dict(context))
    response["Cache-Control"] = "no-store"
    return response


def hint(*sentences: Any) -> dict[str, Any]:
    """Return a panel that says what is still needed."""
    return {"hints": sentences}


def impact(
    answer: WhatIf,
    *,
    user: Any,
    ledger: Sequence[LedgerChange] = (),
    coverage: Sequence[tuple[str, Sequence[CoverageChange]]] = (),
    gated: bool = True,
    **more: Any,
) -> dict[str, Any]:
    """Return what demand/impact.html shows. `gated` deeds are allowed or not, the others open and close violations."""
    if answer.refusal is not None and {reason.code for reason in answer.refusal.reasons} == {"needed"}:
        return hint(*answer.refusal.explain())
    opened, closed = visible_findings(user, answer.opened), visible_findings(user, answer.closed)
    judged = {finding.key for finding in answer.verdicts}
    opened = [finding for finding in opened if finding.key not in judged]
    tone, headline = _headline(answer) if gated else _openings(answer, opened)
    return {
        "tone": tone,
        "headline": headline,
        "badge": badge(headline, tone),
        "rules": each_rule(answer.rules),
        "reasons": answer.refusal.explain() if answer.refusal else (),
        "verdicts": [_told(finding) for finding in answer.verdicts],
        "opened": [_told(finding) for finding in opened[:SHOWN]],
        "more_opened": max(0, len(opened) - SHOWN),
        "closed": [_told(finding) for finding in closed[:SHOWN]],
        "more_closed": max(0, len(closed) - SHOWN),
        "ledger": _ledger(ledger) if ledger else None,
        "coverage": [_coverage(label, lines) for label, lines in coverage if lines],
        **more,
    }


OUTCOMES = {
    Outcome.BLOCKS: (Tone.RED, "block", pgettext_lazy("rule", "Blocks")),
    Outcome.WARNS: (Tone.YELLOW, "warning", pgettext_lazy("rule", "Warns")),
    Outcome.INFORMS: (Tone.BLUE, "info", pgettext_lazy("rule", "Informs")),
    Outcome.WAIVED: (Tone.GREY, "verified_user", pgettext_lazy("rule", "Waived")),
    Outcome.UNJUDGED: (Tone.RED, "error", pgettext_lazy("rule", "Could not be judged")),
    Outcome.STANDS: (Tone.GREY, "history", pgettext_lazy("rule", "Broken before")),
    Outcome.OFF: (Tone.GREY, "toggle_off", pgettext_lazy("rule", "Switched off")),
    Outcome.PASSES: (Tone.GREEN, "check_circle", pgettext_lazy("rule", "Passes")),
}


def each_rule(lines: Sequence[RuleLine]) -> dict[str, Any] | None:
    """Return the list rule by rule: those that say something first, those that pass apart; None if it was not asked."""
    if not lines:
        return None
    told = [_rule_told(line) for line in lines if line.outcome != Outcome.PASSES]
    passed = [_rule_told(line) for line in lines if line.outcome == Outcome.PASSES]
    return {"told": told, "passed": passed}


def _rule_told(line: RuleLine) -> dict[str, Any]:
    tone, icon, label = OUTCOMES[line.outcome]
    by = ""
    if line.waiver is not None:
        by = _("Waived by %(who)s until %(day)s: %(reason)s") % {
            "who": line.waiver.granted_by,
            "day": date_format(line.waiver.expires_on, "SHORT_DATE_FORMAT"),
            "reason": line.waiver.reason,
        }
    if line.outcome == Outcome.OFF:
        by = _("A unit switched it off here.")
    finding = line.finding
    return {
        "name": line.name,
        "badge": badge(label, tone, icon),
        "message": finding.message if finding else "",
        "remedy": finding.remedy if finding and line.outcome in (Outcome.BLOCKS, Outcome.WARNS) else "",
        "note": by,
        "description": "" if finding else line.description,
        "numbers": _numbers(line),
    }


def _numbers(line: RuleLine) -> str:
    # A rule that is broken tells its numbers in its sentence.
    if line.observed is None or line.finding is not None:
        return ""
    observed = number_format(line.observed, 2)
    if line.limit is None:
        return observed
    return _("%(observed)s, limit %(limit)s") % {"observed": observed, "limit": number_format(line.limit, 2)}


def visible_findings(user: Any, findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings about subjects the user may see: of a unit above one's own nothing is told."""
    ids: defaultdict[str, set[int]] = defaultdict(set)
    for finding in findings:
        ids[finding.subject_kind].add(finding.subject_id)
    seen = {
        kind: set(kind_named(kind).model.objects.visible_to(user).filter(pk__in=pks).values_list("pk", flat=True))
        for kind, pks in ids.items()
    }
    return [finding for finding in findings if finding.subject_id in seen[finding.subject_kind]]


def positions_losing(answer: WhatIf, user: Any) -> list[tuple[str, list[CoverageChange]]]:
    """Return the positions a deed takes hours from, those that lose most first, as far as the user may see them."""
    losses = {
        pk: sum(weeks.before["assigned"]) - sum(weeks.after["assigned"])
        for pk, weeks in answer.positions.changed.items()
        if sum(weeks.before["assigned"]) != sum(weeks.after["assigned"])
    }
    worst = sorted(losses, key=lambda pk: (-losses[pk], pk))[:SHOWN]
    rows = Position.objects.visible_to(user).in_bulk(worst)
    return [(str(rows[pk]), coverage_weeks(answer, pk)) for pk in worst if pk in rows]


def _headline(answer: WhatIf) -> tuple[str, str]:
    if not answer.allowed:
        return Tone.RED, _("Not possible as it stands")
    if answer.to_confirm:
        return Tone.YELLOW, _("Possible once the warnings are confirmed")
    return Tone.GREEN, _("No rule stands in the way")


def _openings(answer: WhatIf, opened: Sequence[Finding]) -> tuple[str, str]:
    if answer.refusal is not None:
        return Tone.RED, _("Not possible as it stands")
    if not opened:
        return Tone.GREEN, _("It opens no violation")
    said = ngettext("It opens %(count)d violation", "It opens %(count)d violations", len(opened))
    return Tone.YELLOW, said % {"count": len(opened)}


def _told(finding: Finding) -> dict[str, Any]:
    tone = Tone.GREY if finding.waived else SEVERITY_COLOURS[Severity(finding.severity)]
    label = _("Waived") if finding.waived else Severity(finding.severity).label
    return {"badge": badge(label, tone), "message": finding.message,
            "remedy": "" if finding.waived else finding.remedy}  # fmt: skip


def _ledger(lines: Sequence[LedgerChange]) -> dict[str, Any]:
    bars, rows = [], []
    for line in lines:
        stays = min(line.assigned_before, line.assigned_after)
        more = max(0, line.assigned_after - line.assigned_before)
        within = min(more, max(0, line.pool - stays))
        parts = [
            Part(stays, Tone.PETROL),
            Part(within, Tone.PETROL, PROPOSED),
            Part(more - within, Tone.RED, PROPOSED),
            Part(max(0, line.assigned_before - line.assigned_after), Tone.GREY, PROPOSED),
        ]
        before, after = hours_text(line.before), hours_text(line.after)
        bars.append(
            WeekBar(line.week, line.pool, parts, line.assigned_after,
                    note=_("balance %(before)s → %(after)s h") % {"before": before, "after": after})
        )  # fmt: skip
        rows.append(
            {"code": week_code(line.week), "monday": line.week, "before": before, "after": after,
             "negative": line.after < 0, "differs": line.before != line.after}
        )  # fmt: skip
    return {"drawing": draw(bars), "rows": rows, "key": _key(lines, rows), "differs": any(r["differs"] for r in rows)}


def _coverage(label: str, lines: Sequence[CoverageChange]) -> dict[str, Any]:
    bars, rows = [], []
    for line in lines:
        stays = min(line.before, line.after)
        tone = COVERAGE_COLOURS[state_of(line.required, line.after)]
        # Blue is kept for reinforcement, and green for hours of people who hold what is required.
        tone = Tone.GREEN if tone in (Tone.GREEN, Tone.BLUE) and not line.unqualified else Tone.YELLOW
        parts = [
            Part(stays, tone),
            Part(max(0, line.after - line.before), Tone.PETROL, PROPOSED),
            Part(max(0, line.before - line.after), Tone.GREY, PROPOSED),
            Part(max(0, line.required - max(line.before, line.after)), Tone.RED, MISSING),
        ]
        before, after = _percent(line.before, line.required), _percent(line.after, line.required)
        bars.append(WeekBar(line.week, line.required, parts, line.after, note=f"{before} → {after}"))
        rows.append(
            {"code": week_code(line.week), "monday": line.week, "before": hours_text(line.before),
             "after": hours_text(line.after), "required": hours_text(line.required), "percent_before": before,
             "percent_after": after, "differs": line.before != line.after}
        )  # fmt: skip
    return {"label": label, "drawing": draw(bars), "rows": rows, "key": _key(lines, rows),
            "differs": any(row["differs"] for row in rows)}  # fmt: skip


def _percent(part: int, whole: int) -> str:
    percent = to_percent(part, whole)
    if percent is None:
        return _("no demand")
    return f"{number_format(percent, 1)} %"


def _key(lines: Sequence[Any], rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the first of the weeks that change most; None if none does."""
    place = max(range(len(lines)), key=lambda n: (abs(lines[n].after - lines[n].before), -n), default=None)
    return rows[place] if place is not None and rows[place]["differs"] else None


class ImpactPreview(Screen):
    """Shows what a transition would do in its dialog, before it is made. Put it before TransitionButtons.

    A subclass names the moves and says in `transition_impact_of` what is shown of one.
    """

    impact_moves: ClassVar[frozenset[str]] = frozenset()

    def transition_impact_of(
        self, request: HttpRequest, obj: Any, move: Move, reason: str, inputs: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the context of demand/impact.html."""
        raise NotImplementedError

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_impact"
        view = self.admin_site.admin_view(self.impact_view)
        return [path("<path:object_id>/transitions/<slug:transition>/impact/", view, name=name), *super().get_urls()]

    def transition_panel(self, request: HttpRequest, rows: Sequence[Any], move: Move) -> SafeString | str:
        if len(rows) != 1 or move.name not in self.impact_moves:
            return ""
        name = f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_impact"
        url = reverse(name, args=(quote(rows[0].pk), move.name))
        return panel(url, [need.name for need in move.needs if need.name != "reason"])

    def impact_view(self, request: HttpRequest, object_id: str, transition: str) -> HttpResponse:
        """Answer what the transition would do, with what has been filled in so far; nothing is written."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        move = self.model.machine.by_name.get(transition)
        obj = self.get_object(request, unquote(object_id)) if move and move.name in self.impact_moves else None
        if move is None or obj is None:
            raise Http404
        user: Any = request.user
        if move not in allowed_moves(obj, user):
            if not has_moved_on(obj, move, user):
                raise PermissionDenied
            said = _("%(subject)s is “%(state)s”: “%(move)s” is not possible from there.")
            return show(request, hint(said % {"subject": obj, "state": obj.get_status_display(), "move": move.label}))
        inputs, lacking = _inputs(move, request.GET)
        if lacking:
            return show(request, hint(_("Fill in %(fields)s to see what it does.") % {"fields": ", ".join(lacking)}))
        try:
            context = self.transition_impact_of(request, obj, move, str(_("what if")), inputs)
        except NoAnswer as no_answer:
            context = hint(*no_answer.explain())
        return show(request, context)


def _inputs(move: Move, given: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Return a move's inputs as typed so far, and the labels of those that lack or make no sense yet."""
    inputs: dict[str, Any] = {}
    lacking: list[str] = []
    for need in move.needs:
        if need.name == "reason":
            continue
        try:
            value = field_for(need).clean(given.get(need.name, ""))
        except ValidationError:
            lacking.append(str(need.label))
            continue
        if value not in (None, ""):
            inputs[need.name] = value
    return inputs, lacking
