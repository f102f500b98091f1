"""The fields a rule is written in: its condition, what it says, what it measures."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.html import format_html, format_html_join
from django.utils.text import slugify
from django.utils.translation import gettext as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from apps.common.errors import Refusal

from ..enums import SubjectKind
from ..language.messages import ALWAYS
from ..language.vocabulary import Sight, known_words
from ..subjects import kinds
from .conditions import ConditionWidget

OWN = ("condition", "message", "measure")


def known_kind(name: str) -> str:
    """Return the name of a kind of subject, empty if there is none so called."""
    return name if name in {kind.name for kind in kinds()} else ""


def code_from(name: str) -> str:
    """Return a code made from a name: “Semana larga” is SEMANA_LARGA."""
    return slugify(name).upper().replace("-", "_")[:60].strip("_")


def write_fields(form: Any, kind: str, measured: str, refusal: Refusal | None) -> None:
    """Give the form of an own rule its fields; `measured` is the measure it has."""
    fields = form.base_fields
    if "code" in fields:
        fields["code"].required = False
        fields["code"].help_text = _("Short and for good. Left empty it is made from the name.")
    if "condition" in fields:
        fields["condition"].required = True
        fields["condition"].widget = ConditionWidget(kind, attrs=_place(refusal))
        fields["condition"].help_text = _("Whoever meets it breaks the rule. “threshold” stands for the threshold.")
    if "message" in fields:
        fields["message"].required = True
        fields["message"].widget = UnfoldAdminTextareaWidget({"rows": 2})
        fields["message"].help_text = words_hint(kind)
    if "measure" in fields:
        fields["measure"] = forms.ChoiceField(
            choices=_measures(kind, measured), required=False, label=_("Measure"), widget=UnfoldAdminSelectWidget(),
            help_text=_("The figure a violation shows as observed, beside the threshold."),
        )  # fmt: skip


def ask_why(form: Any) -> None:
    """Make the texts of the form's end small, and say what becomes of them."""
    if "description" in form.base_fields:
        form.base_fields["description"].widget = UnfoldAdminTextareaWidget({"rows": 3})
        form.base_fields["description"].help_text = _("For whoever reads the catalogue.")
    if "note" in form.base_fields:
        form.base_fields["note"].widget = UnfoldAdminTextareaWidget({"rows": 2})
        form.base_fields["note"].help_text = _("Kept with the version it becomes.")


def words_hint(kind: str) -> Any:
    """Return the words a message may name, folded away."""
    always = {"who": _("who it is about"), "observed": _("what was measured"), "threshold": _("the threshold")}
    known = known_words(kind, Sight.of_rules())
    named = [(name, always[name]) for name in ALWAYS]
    named += [(found.name, found.label) for found in known if not found.word.needs_argument]
    return format_html(
        '<span>{}</span> <details class="coveris-words"><summary>{}</summary><ul>{}</ul></details>',
        _("Words in braces are filled in for each violation, such as {who} or {observed}."),
        _("All words"),
        format_html_join("", "<li><code>{{{}}}</code> {}</li>", named),
    )


def _measures(kind: str, current: str) -> list[tuple[str, str]]:
    words = known_words(kind, Sight.of_rules())
    figures = [
        (found.name, f"{found.label} ({found.name})")
        for found in words
        if found.word.type.is_figure and not found.word.needs_argument
    ]
    if current and current not in dict(figures):
        figures.insert(0, (current, current))
    return [("", _("– nothing –")), *figures]


def _place(refusal: Refusal | None) -> dict[str, Any]:
    for reason in refusal.reasons if refusal is not None else ():
        if reason.field == "condition" and "start" in reason.facts:
            return {"aria-invalid": "true", "data-start": reason.facts["start"], "data-length": reason.facts["length"]}
    return {}


def kind_choices() -> list[dict[str, Any]]:
    """Return what a new rule can be about, each with an example of what is asked of it."""
    examples: dict[str, tuple[str, str]] = {
        SubjectKind.EMPLOYEE: (
            "badge",
            _("A person: hours, balance, tags, leave. “Nobody works above the contract.”"),
        ),
        SubjectKind.ASSIGNMENT: (
            "assignment_ind",
            _("Who works where, how much, and from when. “No single assignment above 40 hours.”"),
        ),
        SubjectKind.POSITION: ("work", _("A post and its coverage. “Night posts are filled two weeks ahead.”")),
        SubjectKind.UNIT: ("account_tree", _("A service with all below it. “The shortage stays under 10 percent.”")),
    }
    return [
        {
            "name": kind.name,
            "label": SubjectKind(kind.name).label,
            "icon": examples[kind.name][0],
            "text": examples[kind.name][1],
        }
        for kind in kinds()
        if kind.name in examples
    ]
