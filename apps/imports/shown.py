"""What a job keeps, as its page shows it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import ngettext, override

from apps.business_rules.models import BusinessRule
from apps.business_rules.registry import rule_with_code

from .enums import JobState, Stage
from .models import ImportJob, ImportProgress


def impact_shown(impact: dict[str, Any]) -> dict[str, Any] | None:
    """Return what the page says of an impact; None where a sheet has none."""
    coverage, rules = impact.get("coverage"), impact.get("rules", {})
    if not coverage:
        return None
    names = {code: _name(code, name) for code, name in BusinessRule.objects.values_list("code", "name")}
    opened, closed = rules.get("opened", {}), rules.get("closed", {})
    return {
        "looked": True,
        "asked": rules.get("asked", True),
        "weeks": coverage["weeks"],
        "changed": coverage["changed"],
        "units": [
            {"code": unit["code"], "name": unit["name"], "now": _missing(unit["now"]), "ahead": _missing(unit["ahead"])}
            for unit in coverage["units"]
        ],
        "total_now": _missing(coverage["total"]["now"]),
        "total_ahead": _missing(coverage["total"]["ahead"]),
        "rules": [
            {
                "name": names.get(code, code),
                "opened": opened.get(code, 0),
                "closed": closed.get(code, 0),
                "opened_text": _counted(
                    ngettext("%(count)s opened", "%(count)s opened", opened.get(code, 0)), opened, code
                ),
                "closed_text": _counted(
                    ngettext("%(count)s closed", "%(count)s closed", closed.get(code, 0)), closed, code
                ),
            }
            for code in sorted({*opened, *closed})
        ],
    }


def progress_shown(job: ImportJob) -> dict[str, Any]:
    """Return how far a worker is: the stages that are over, the one it is at, and the rows read."""
    found = ImportProgress.objects.filter(job_id=job.pk).first()
    stages = [Stage.READING, Stage.CHECKING, Stage.WRITING]
    if job.state == JobState.READING:
        stages = [Stage.LOOKING, *stages, Stage.IMPACT]
    at = stages.index(Stage(found.stage)) if found is not None and found.stage in stages else -1
    return {
        "is_begun": found is not None,
        "rows": found.rows if found is not None else 0,
        "part": found.part if found is not None and found.parts > 1 else 0,
        "parts": found.parts if found is not None else 0,
        "percent": _percent(found, max(at, 0), len(stages)),
        "over": [stage.label for stage in stages[: max(at, 0)]],
        "now": stages[at].label if at >= 0 else "",
        "to_come": [stage.label for stage in stages[max(at, 0) + (at >= 0) :]],
        "may_cancel": (found is None or not found.cancelled) and (at < 0 or stages[at] != Stage.WRITING),
    }


def _percent(found: ImportProgress | None, at: int, stages: int) -> int:
    """Return how much is over; of several sheets each counts alike."""
    if found is None or found.parts < 2 or not found.part:
        return 100 * at // stages
    return int(100 * (found.part - 1 + at / stages) / found.parts)


def _name(code: str, stored: str) -> str:
    """Return what a rule is called: in the reader's language unless staff gave it a name of their own."""
    rule = rule_with_code(code)
    if rule is None:
        return stored
    with override("en"):
        is_own = str(rule.name) != stored
    return stored if is_own else str(rule.name)


def _counted(text: str, counts: dict[str, int], code: str) -> str:
    return text % {"count": counts.get(code, 0)}


def _missing(figures: dict[str, dict[str, str]]) -> dict[str, Any]:
    before, after = (Decimal(figures["deficit_hours"][side]) for side in ("before", "after"))
    return {
        "before": number_format(before, 2, use_l10n=True, force_grouping=True),
        "after": number_format(after, 2, use_l10n=True, force_grouping=True),
        "worse": after > before,
        "better": after < before,
    }
