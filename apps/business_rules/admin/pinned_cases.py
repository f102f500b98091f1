"""Pinned cases on the pages of a rule and of the draft of a new one: shown, added and removed."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.formats import number_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from unfold.widgets import UnfoldAdminTextInputWidget

from apps.assignments.models import Assignment
from apps.common.admin.dialogs import PAGE_MEDIA, Dialog, Dialogs, choice_field, text_field
from apps.common.errors import Reason, Refusal
from apps.org.models import Employee, Position

from ..enums import Expectation, SubjectKind
from ..models import RuleDraft, RuleExample
from ..services.drafts import pin_example, unpin_example
from ..subjects import kind_named
from .words import page_of, subject_link

if TYPE_CHECKING:
    from ..models import BusinessRule

# Nobody is asked about a unit when an assignment is proposed, so that no proposal can break a rule about units.
WITHOUT_PROPOSALS = (SubjectKind.UNIT,)
LONGEST_AHEAD = 3_660


class NumberInput(UnfoldAdminTextInputWidget):
    """The browser's own field for figures: posts a point whatever the language."""

    input_type = "number"


class PinnedCases(Dialogs):
    """Adds the deeds of pinned cases to the screen of a rule or of drafts. Put it before RecordTabs."""

    def get_urls(self) -> list[Any]:
        wrap, base = self.admin_site.admin_view, f"{self.opts.app_label}_{self.opts.model_name}"
        return [
            path("<int:object_id>/cases/record/", wrap(self.pin_record_view), name=f"{base}_pin_record"),
            path("<int:object_id>/cases/proposal/", wrap(self.pin_proposal_view), name=f"{base}_pin_proposal"),
            path("<int:object_id>/cases/<int:example>/remove/", wrap(self.unpin_view), name=f"{base}_unpin"),
            *super().get_urls(),
        ]

    def cases_of(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """Return what business_rules/pinned_cases.html shows."""
        examples = list(RuleExample.objects.visible_to(request.user).filter(**_holder(obj)))  # type: ignore[arg-type]
        about = _told(examples)
        may = request.user.has_perm("business_rules.add_ruleexample") and _stands(obj)
        base = f"admin:{self.opts.app_label}_{self.opts.model_name}"
        return {
            "cases": [
                {
                    "example": example,
                    "expects": Expectation(example.expects).label,
                    "blocked": example.expects == Expectation.BLOCKED,
                    "about": about[example.pk],
                    "remove": reverse(f"{base}_unpin", args=(obj.pk, example.pk)) if may else "",
                }
                for example in examples
            ],
            "pin_record": reverse(f"{base}_pin_record", args=(obj.pk,)) if may else "",
            "pin_proposal": reverse(f"{base}_pin_proposal", args=(obj.pk,))
            if may and obj.subject_kind not in WITHOUT_PROPOSALS
            else "",
        }

    # Deeds

    def pin_record_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        obj = self._pinnable(request, object_id, "add")
        kind = kind_named(obj.subject_kind)
        dialog = self._dialog(request, obj, _("Pin a record as it stands"), {
            "title": _title_field(),
            "subject": forms.CharField(
                label=_("Code"), max_length=200, widget=UnfoldAdminTextInputWidget(),
                help_text=_("Of the %(kind)s, as in its list.") % {"kind": SubjectKind(obj.subject_kind).label},
            ),
            "expects": choice_field(Expectation.choices, label=_("Expected"), required=True),
        })  # fmt: skip

        def deed(values: dict[str, Any], confirmed: bool) -> Any:
            example = RuleExample(
                **_holder(obj),
                title=values["title"],
                expects=values["expects"],
                subject_kind=kind.name,
                subject_id=_id_of(kind, values["subject"]),
            )
            pin_example(example=example, actor=request.user)  # type: ignore[arg-type]
            return _("Pinned: from now on the rule is held to it.")

        return self.run_dialog(request, dialog, deed)

    def pin_proposal_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        obj = self._pinnable(request, object_id, "add")
        if obj.subject_kind in WITHOUT_PROPOSALS:
            raise Http404
        whole = {"min": 0, "max": LONGEST_AHEAD}
        dialog = self._dialog(request, obj, _("Pin a proposal"), {
            "title": _title_field(),
            "employee": _chosen(request, Employee, "employee", _("Employee")),
            "position": _chosen(request, Position, "position", _("Position")),
            "hours": forms.DecimalField(
                label=_("Hours a week"), min_value=Decimal("0.25"), max_value=Decimal("168"), decimal_places=2,
                widget=NumberInput({"step": "0.25"}),
            ),
            "starts_in_days": forms.IntegerField(
                label=_("Starts in … days"), initial=7, min_value=0, max_value=LONGEST_AHEAD, widget=NumberInput(whole),
                help_text=_("0 is today: the case moves on with the calendar."),
            ),
            "days": forms.IntegerField(
                label=_("Lasts … days"), required=False, min_value=1, max_value=LONGEST_AHEAD,
                widget=NumberInput(whole), help_text=_("Empty: it goes on without an end."),
            ),
            "expects": choice_field(Expectation.choices, label=_("Expected"), required=True),
        })  # fmt: skip
        dialog.extra = {"media": PAGE_MEDIA + forms.Media(css={"all": ["coveris/css/rules.css"]}) + dialog.form().media}

        def deed(values: dict[str, Any], confirmed: bool) -> Any:
            proposal = {
                "employee": values["employee"].pk,
                "position": values["position"].pk,
                "hours": f"{values['hours']:f}",
                "starts_in_days": values["starts_in_days"],
                "days": values["days"],
            }
            example = RuleExample(**_holder(obj), title=values["title"], expects=values["expects"], proposal=proposal)
            pin_example(example=example, actor=request.user)  # type: ignore[arg-type]
            return _("Pinned: from now on the rule is held to it.")

        return self.run_dialog(request, dialog, deed)

    def unpin_view(self, request: HttpRequest, object_id: int, example: int) -> HttpResponse:
        obj = self._pinnable(request, object_id, "delete")
        pinned = RuleExample.objects.visible_to(request.user).filter(**_holder(obj), pk=example).first()  # type: ignore[arg-type]
        if pinned is None:
            raise Http404
        reason = {"reason": text_field(label=_("Why"), required=False)}
        dialog = self._dialog(request, obj, _("Remove a pinned case"), reason)
        dialog.about, dialog.submit, dialog.danger = pinned.title, _("Remove"), True
        dialog.help = _("From then on the rule may decide it either way.")

        def deed(values: dict[str, Any], confirmed: bool) -> Any:
            unpin_example(example=pinned, actor=request.user, reason=values["reason"])  # type: ignore[arg-type]
            return _("No longer pinned.")

        return self.run_dialog(request, dialog, deed)

    def _pinnable(self, request: HttpRequest, pk: int, verb: str) -> Any:
        obj = self.get_object(request, str(pk))
        if obj is None:
            raise Http404
        if not request.user.has_perm(f"business_rules.{verb}_ruleexample"):
            raise PermissionDenied
        return obj

    def _dialog(self, request: HttpRequest, obj: Any, title: str, fields: Mapping[str, forms.Field]) -> Dialog:
        cases = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_cases", args=(obj.pk,))
        return Dialog(
            title=title, about=obj.label, submit=_("Pin"), back=self.back_from(request, cases), fields=fields,
            help=_("A draft that decides it otherwise is not published."),
        )  # fmt: skip


def _holder(obj: BusinessRule | RuleDraft) -> dict[str, Any]:
    """Return whose the cases are: the rule's, or those of the draft of a rule that is yet to be."""
    if not isinstance(obj, RuleDraft):
        return {"rule": obj}
    return {"rule": obj.rule} if obj.rule is not None else {"draft": obj}


def _stands(obj: Any) -> bool:
    return not isinstance(obj, RuleDraft) or obj.rule is not None or obj.is_open


def _title_field() -> forms.CharField:
    return forms.CharField(
        label=_("Case"), max_length=200, widget=UnfoldAdminTextInputWidget(),
        help_text=_("In a few words: what must stay so, and why."),
    )  # fmt: skip


def _chosen(request: HttpRequest, model: Any, name: str, label: str) -> forms.ModelChoiceField[Any]:
    field: Any = Assignment._meta.get_field(name)
    rows = model.objects.visible_to(request.user)
    return forms.ModelChoiceField(rows, label=label, widget=AutocompleteSelect(field, admin.site))


def _id_of(kind: Any, code: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT r.id FROM ({kind.rows}) r WHERE r.code = %s ORDER BY r.id DESC LIMIT 1", [code.strip()])
        found = cursor.fetchone()
    if found is None:
        raise Refusal(
            Reason(_("There is nothing with the code “%(code)s”.") % {"code": code}, field="subject", code="unknown")
        )
    pk: int = found[0]
    return pk


def _told(examples: list[RuleExample]) -> dict[int, dict[str, Any]]:
    """Return text and links of each case, with one query for each kind of record."""
    named = {kind: _names(kind, ids) for kind, ids in _subjects(examples).items()}
    proposals = [example.proposal for example in examples if example.proposal is not None]
    employees = Employee.objects.in_bulk([case["employee"] for case in proposals])
    positions = Position.objects.in_bulk([case["position"] for case in proposals])
    told: dict[int, dict[str, Any]] = {}
    for example in examples:
        if example.proposal is None:
            name = named[example.subject_kind].get(example.subject_id or 0)
            link = subject_link(example.subject_kind, example.subject_id or 0) if name else ""
            told[example.pk] = {
                "what": capfirst(str(SubjectKind(example.subject_kind).label)),
                "links": [(link, name or _("gone"))],
                "rest": _("as it stands"),
            }
            continue
        case = example.proposal
        ends = (employees.get(case["employee"]), Employee), (positions.get(case["position"]), Position)
        told[example.pk] = {
            "what": _("Proposal"),
            "links": [(page_of(model, row.pk), str(row)) if row else ("", _("gone")) for row, model in ends],
            "rest": _when(case),
        }
    return told


def _subjects(examples: list[RuleExample]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for example in examples:
        if example.subject_id is not None:
            found.setdefault(example.subject_kind, []).append(example.subject_id)
    return found


def _names(kind: str, ids: list[int]) -> dict[int, str]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT r.id, r.name FROM ({kind_named(kind).rows}) r WHERE r.id = ANY (%s)", [ids])
        return dict(cursor.fetchall())


def _when(case: dict[str, Any]) -> str:
    begins, lasts = int(case.get("starts_in_days") or 0), case.get("days")
    starts = (
        _("from today on")
        if not begins
        else ngettext("starting in %(count)d day", "starting in %(count)d days", begins) % {"count": begins}
    )
    ends = (
        ngettext("for %(count)d day", "for %(count)d days", int(lasts)) % {"count": int(lasts)}
        if lasts
        else _("without an end")
    )
    hours = _("%(hours)s h a week") % {"hours": number_format(Decimal(case["hours"]), decimal_pos=2)}
    return f"{hours}, {starts}, {ends}"
