"""Conditions on screens: the field they are written in, what answers while somebody writes, the search in lists."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.urls import path, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from unfold.widgets import UnfoldAdminTextareaWidget

from apps.common.admin.changelist import CappedChangeList

from ..language.bounds import in_time_for_a_list
from ..language.compiling import check
from ..language.completion import codes, complete, operator_labels
from ..language.errors import ConditionError
from ..language.grammar import LONGEST, parse
from ..language.rows import WITHOUT_VALUE, Row, as_rows, from_rows
from ..language.search import search
from ..language.vocabulary import Found, Sight, Type, known_words
from ..language.writing import in_words, unparse
from ..subjects import kind_of, kinds

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin as Screen
else:
    Screen = object

WHERE = "where"
LONGEST_ROWS = 20_000
LOOKS = forms.Media(js=["coveris/js/condition.js"], css={"all": ["coveris/css/condition.css"]})


class ConditionWidget(UnfoldAdminTextareaWidget):
    """A text area for a condition about a kind of subject: completion, errors at their place, and a form of rows.

    Without script it is a plain text area. `address` leads to what answers while somebody writes; by default that of
    rules.
    """

    template_name = "business_rules/condition_widget.html"

    def __init__(self, kind: str, address: str = "", attrs: dict[str, Any] | None = None):
        self.kind, self.address = kind, address
        plain = {"rows": 2, "maxlength": LONGEST, "spellcheck": "false", "autocapitalize": "off"}
        super().__init__({**plain, "autocomplete": "off", **(attrs or {})})

    @property
    def media(self) -> forms.Media:
        return LOOKS

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        address = self.address or reverse("admin:business_rules_businessrule_condition", args=(self.kind,))
        return {**context, "kind": self.kind, "address": address}


def answer(request: HttpRequest, kind: str, sight: Sight) -> HttpResponse:
    """Answer what somebody who writes a condition asks: `ask` = complete, check or words."""
    if request.method != "GET":
        return HttpResponseNotAllowed(["GET"])
    answers: dict[str, Callable[[], dict[str, Any]]] = {
        "complete": lambda: complete(text, _whole(request, "cursor", len(text)), kind, sight).as_json(),
        "check": lambda: checked(text, kind, sight),
        "rows": lambda: joined(request.GET.get("rows", "")[:LONGEST_ROWS], kind, sight),
        "words": lambda: {"words": [described(found, sight) for found in known_words(kind, sight)]},
    }
    # One character more than fits, so that a text too long is still told apart.
    text = request.GET.get("text", "")[: LONGEST + 1]
    found = answers.get(request.GET.get("ask", ""))
    if found is None:
        return JsonResponse({"error": _("Ask for complete, check, rows or words.")}, status=400)
    response = JsonResponse(found())
    response["Cache-Control"] = "no-store"
    return response


def _whole(request: HttpRequest, name: str, default: int) -> int:
    given = request.GET.get(name, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 7 else default


def checked(text: str, kind: str, sight: Sight) -> dict[str, Any]:
    """Return whether a text is a condition, how people say it, and its rows (null where it is more than rows)."""
    try:
        condition = parse(text)
        check(condition, kind, sight, text)
    except ConditionError as error:
        return {"error": error.as_json()}
    rows = as_rows(condition)
    return {
        "text": unparse(condition),
        "words": in_words(condition, kind),
        "rows": None if rows is None else [row.as_json() for row in rows],
    }


def joined(rows: str, kind: str, sight: Sight) -> dict[str, Any]:
    """Return the text that rows say together, or what is wrong with them."""
    try:
        given = [
            Row(
                str(row["word"]),
                str(row["operator"]),
                tuple(str(value) for value in row.get("values", ())),
                str(row.get("argument", "")),
                row.get("is_word") is True,
            )
            for row in json.loads(rows)
        ]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {"error": ConditionError(_("These are no rows."), code="syntax").as_json()}
    try:
        condition = from_rows(given, kind, sight)
        text = unparse(condition)
        check(condition, kind, sight, text)
    except ConditionError as error:
        return {"error": error.as_json()}
    return {"text": text, "words": in_words(condition, kind)}


def described(found: Found, sight: Sight) -> dict[str, Any]:
    """Return what a form of rows has to know about a word."""
    word, labels = found.word, operator_labels()
    operators = ["is true", "is not true"] if word.type == Type.BOOLEAN else [*word.type.operators, "in", "not in"]
    if word.type != Type.BOOLEAN:
        operators += ["is empty", "is not empty"]
    argument = word.arguments[0] if word.arguments else None
    return {
        "name": found.name,
        "label": found.label,
        "description": str(word.description),
        "type": word.type.value,
        "operators": [
            {"value": one, "label": labels[one], "needs_value": one not in WITHOUT_VALUE} for one in operators
        ],
        "choices": [{"value": code, "label": str(label)} for code, label in word.choices],
        "argument": argument
        and {
            "label": str(argument.label),
            "required": argument.required,
            "choices": [
                {"value": item.insert[1:-1], "label": item.label} for item in _known_codes(argument, sight)
            ],
        },
    }  # fmt: skip


def _known_codes(argument: Any, sight: Sight) -> list[Any]:
    return list(codes(argument, sight))


# The search in lists


class ConditionChangeList(CappedChangeList):
    """A list that also takes `?where=` and a condition. One that cannot be read finds nothing and says why."""

    where = ""
    where_error: ConditionError | None = None
    queryset: Any

    def get_filters_params(self, params: Any = None) -> Any:
        # Emptied and not left out: Django takes no parameters at all for “those of the address”.
        found = super().get_filters_params({**(params or self.filter_params), WHERE: [""]})
        del found[WHERE]
        return found

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> Any:
        rows = super().get_queryset(request, exclude_parameters)
        self.where = request.GET.get(WHERE, "").strip()
        if not self.where:
            return rows
        rows, self.where_error = self.model_admin.meeting(request, rows)
        return rows

    def get_results(self, request: HttpRequest) -> None:
        """Read the page here, where it is bounded: what shows it finds it read."""
        if self.where and self.where_error is None:
            try:
                with in_time_for_a_list(self.where):
                    super().get_results(request)
                    len(self.result_list)
            except ConditionError as error:
                self.where_error, self.queryset = error, self.queryset.none()
            else:
                return
        super().get_results(request)

    @property
    def where_form(self) -> dict[str, Any]:
        """Return what business_rules/condition_search.html shows."""
        kept = [(name, value) for name, values in self.filter_params.items() if name != WHERE for value in values]
        return self.model_admin.where_form(self.where, self.where_error, kept)


class ConditionSearchMixin(Screen):
    """Lets a list of a kind of subject be searched in the rule language. Put it before BaseAdmin."""

    list_before_template = "business_rules/condition_search.html"

    @property
    def media(self) -> forms.Media:
        return super().media + LOOKS

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ConditionChangeList]:
        return ConditionChangeList

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_condition"
        return [path("condition/", self.admin_site.admin_view(self.condition_view), name=name), *super().get_urls()]

    @property
    def searched_kind(self) -> str:
        kind = kind_of(self.model)
        if kind is None:
            raise LookupError(self.model)
        return kind.name

    def condition_view(self, request: HttpRequest) -> HttpResponse:
        """Answer whoever may see the list, by that person's rights."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return answer(request, self.searched_kind, Sight.of(request.user))  # type: ignore[arg-type]

    def meeting(self, request: HttpRequest, rows: Any) -> tuple[Any, ConditionError | None]:
        """Return the rows that meet the condition of the address; none, and why, where it cannot be read."""
        try:
            return search(rows, self.searched_kind, request.GET[WHERE].strip(), request.user), None  # type: ignore[arg-type]
        except ConditionError as error:
            return rows.none(), error

    def where_form(self, text: str, error: ConditionError | None, kept: list[tuple[str, str]]) -> dict[str, Any]:
        """Return what the form of the search shows; `kept` are the list's other parameters."""
        address = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_condition")
        attrs: dict[str, Any] = {"id": "id_where", "aria-describedby": "id_where_error"}
        if error is not None:
            attrs |= {"aria-invalid": "true", "data-start": error.start, "data-length": error.length}
        widget = ConditionWidget(self.searched_kind, address, attrs)
        return {
            "text": text,
            "error": error,
            "kept": kept,
            "without": f"?{urlencode(kept)}",
            "widget": widget.render(WHERE, text),
        }


class RuleConditionMixin(Screen):
    """Answers whoever writes the condition of a rule; only who may change rules."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.condition_view)
        name = "business_rules_businessrule_condition"
        return [path("condition/<str:kind>/", view, name=name), *super().get_urls()]

    def condition_view(self, request: HttpRequest, kind: str) -> HttpResponse:
        if not request.user.has_perm("business_rules.change_businessrule"):
            raise PermissionDenied
        if kind not in {known.name for known in kinds()}:
            return JsonResponse({"error": _("There is no such kind.")}, status=404)
        return answer(request, kind, Sight.of_rules())
