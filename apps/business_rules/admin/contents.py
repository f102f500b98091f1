"""What a rule says, in words, and what two contents of it have different."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.text import capfirst
from django.utils.translation import gettext as _

from apps.common.admin.conflicts import shown

from ..language.errors import ConditionError
from ..language.writing import in_words
from ..models import RuleDraft
from ..models.rule_content import CONTENT
from ..own_rules import condition_of
from ..versions import differences

if TYPE_CHECKING:
    from ..models.rule_content import RuleContent


def condition_in_words(content: RuleContent) -> str:
    """Return the condition of an own rule as people say it; its text where this product cannot read it."""
    try:
        return in_words(condition_of(content), content.subject_kind)
    except ConditionError:
        return content.condition


def told_content(content: RuleContent) -> list[tuple[str, str, str]]:
    """Return (label, value, the condition in words) of each part that says something."""
    return [(label(name), shown(content, name), _words(content, name)) for name in CONTENT if _says(content, name)]


def told_differences(before: RuleContent, after: RuleContent) -> list[dict[str, str]]:
    """Return label, old and new of each part that is not the same, and of a condition also the words for both."""
    return [
        {
            "label": label(name),
            "old": shown(before, name),
            "new": shown(after, name),
            "old_words": _words(before, name),
            "new_words": _words(after, name),
        }
        for name, _old, _new in differences(before, after)
    ]


def difference_lines(before: RuleContent, after: RuleContent) -> list[str]:
    """Return the differences as sentences for a dialog."""
    return [
        _("%(field)s: %(old)s → %(new)s") % {"field": one["label"], "old": one["old"], "new": one["new"]}
        for one in told_differences(before, after)
    ]


def label(name: str) -> str:
    return capfirst(str(RuleDraft._meta.get_field(name).verbose_name))  # type: ignore[union-attr]


def _words(content: Any, name: str) -> str:
    return condition_in_words(content) if name == "condition" and content.is_own else ""


def _says(content: RuleContent, name: str) -> bool:
    return name != "language" and getattr(content, name) not in (None, "")
