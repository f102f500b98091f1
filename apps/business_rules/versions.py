"""What a rule said before, and what two contents have different."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from apps.common.errors import Reason, Refusal

from .models import BusinessRule, RuleExample
from .models.rule_content import CONTENT

if TYPE_CHECKING:
    from .models import RuleDraft
    from .models.rule_content import RuleContent


def version_of(rule: BusinessRule, version: int) -> BusinessRule:
    """Return what a rule said in a version, as a row that is not to be saved; refuse one it never had."""
    history: Any = rule.history
    row = history.filter(version=version).order_by("history_id").last()
    if row is None:
        raise Refusal(Reason(_("There is no version %(version)s of this rule.") % {"version": version}, code="missing"))
    return said_in(row)


def said_in(row: Any) -> BusinessRule:
    """Return what a row of the history holds as a rule that is not to be saved; the library's own asks once a row."""
    fields = BusinessRule._meta.concrete_fields
    return BusinessRule(**{f.attname: getattr(row, f.attname) for f in fields if hasattr(row, f.attname)})


def versions_of(rule: BusinessRule) -> list[Any]:
    """Return the rows of the history that began a version, the newest first: content, when, by whom and why."""
    history: Any = rule.history
    begun: dict[int, Any] = {}
    for row in history.select_related("history_user").order_by("history_id"):
        begun.setdefault(row.version, row)
    return [begun[number] for number in sorted(begun, reverse=True)]


def differences(before: RuleContent, after: RuleContent) -> list[tuple[str, Any, Any]]:
    """Return (name of the field, before, after) for each part of the content that is not the same."""
    pairs = ((name, getattr(before, name), getattr(after, name)) for name in CONTENT)
    return [(name, old, new) for name, old, new in pairs if old != new]


def examples_of(draft: RuleDraft) -> list[RuleExample]:
    """Return the pinned cases a draft has to stand up to: the rule's, or its own if the rule is yet to be."""
    of = {"rule": draft.rule} if draft.rule is not None else {"draft": draft}
    return list(RuleExample.objects.filter(**of))
