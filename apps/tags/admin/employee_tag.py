"""The tags employees hold: grant, change, end, revoke."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter
from unfold.decorators import display

from apps.common.admin import BaseAdmin, HistoryMixin
from apps.common.admin.dialogs import Dialog, Dialogs, date_field, text_field
from apps.common.badges import two_lines
from apps.common.clock import today
from apps.common.columns import day_column, short_day
from apps.common.errors import Reason, Refusal
from apps.common.filters import AutocompleteSelectFilter
from apps.imports.exporting import SheetExportMixin

from ..badges import tag_state, type_badge
from ..models import EmployeeTag
from ..services import revoke_tag, save_employee_tags


class ExpiryFilter(DropdownFilter):
    """What is in force, what ends soon, what is over."""

    title = gettext_lazy("validity")
    parameter_name = "validity"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("now", _("In force today")),
            ("7", _("Ends within %(days)d days") % {"days": 7}),
            ("30", _("Ends within %(days)d days") % {"days": 30}),
            ("90", _("Ends within %(days)d days") % {"days": 90}),
            ("over", _("Over")),
            ("later", _("To come")),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Any]:
        value, day = self.value(), today()
        if value == "now":
            return queryset.in_force_on(day)
        if value in ("7", "30", "90"):
            return queryset.filter(valid_until__gte=day, valid_until__lte=day + timedelta(days=int(value)))
        if value == "over":
            return queryset.filter(valid_until__lt=day)
        return queryset.filter(valid_from__gt=day) if value == "later" else queryset


@admin.register(EmployeeTag)
class EmployeeTagAdmin(SheetExportMixin, Dialogs, HistoryMixin, BaseAdmin):
    list_display = ("person", "tag_name", "kind", "valid_since", "valid_to", "state", "note")
    list_filter = (
        ExpiryFilter,
        ("tag", AutocompleteSelectFilter),
        ("tag__type", ChoicesDropdownFilter),
        ("employee", AutocompleteSelectFilter),
    )
    list_select_related = ("employee", "tag")
    search_fields = ("employee__family_name", "employee__given_name", "employee__employee_number")
    search_help_text = gettext_lazy("Name or employee number")
    # The model's own order, by the employee's name, would sort a whole table.
    ordering = ("-id",)
    fields = ("employee", "tag", ("valid_from", "valid_until"), "note")
    change_form_template = "common/deed_form.html"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        # Another holder or another tag is another record.
        named = list(super().get_readonly_fields(request, obj))
        return named if obj is None else ["employee", "tag", *named]

    def perform_save(self, request: HttpRequest, obj: EmployeeTag, form: Any, change: bool) -> None:
        save_employee_tags(employee_tags=[obj], actor=request.user)  # type: ignore[arg-type]

    def lock(self, request: HttpRequest, obj: Any) -> None:
        # The employee stands before the tag in the house order.
        len(type(obj.employee).objects.locked([obj.employee_id]).values_list("pk"))
        super().lock(request, obj)

    @display(description=gettext_lazy("employee"))
    def person(self, obj: EmployeeTag) -> str:
        return two_lines(f"{obj.employee.family_name}, {obj.employee.given_name}", obj.employee.employee_number)

    @display(description=gettext_lazy("tag"))
    def tag_name(self, obj: EmployeeTag) -> str:
        return obj.tag.name

    @display(description=gettext_lazy("type"))
    def kind(self, obj: EmployeeTag) -> str:
        return type_badge(obj.tag.type)

    valid_since = day_column("valid_from", gettext_lazy("valid from"))
    valid_to = day_column("valid_until", gettext_lazy("valid until"))

    @display(description=gettext_lazy("state"))
    def state(self, obj: EmployeeTag) -> str:
        return tag_state(obj, today())

    # Ending and revoking

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("<path:object_id>/end/", view(self.end_view), name="tags_employeetag_end"),
            path("<path:object_id>/revoke/", view(self.revoke_view), name="tags_employeetag_revoke"),
            *super().get_urls(),
        ]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        obj = kwargs.get("obj")
        if obj is not None and obj.pk:
            context["side_buttons"] = [
                {"url": reverse(f"admin:tags_employeetag_{name}", args=(obj.pk,)), "label": label, "danger": danger}
                for name, label, danger, allowed in (
                    ("end", _("End this tag"), False, self.has_change_permission(request, obj)),
                    ("revoke", _("Revoke this tag"), True, self._may_revoke(request, obj)),
                )
                if allowed
            ]
        return super().render_change_form(request, context, *args, **kwargs)

    def _may_revoke(self, request: HttpRequest, obj: EmployeeTag) -> bool:
        return bool(request.user.has_perm("tags.delete_employeetag") and self.may_edit(request, obj))

    def _held(self, request: HttpRequest, object_id: str) -> EmployeeTag:
        obj = self.get_object(request, unquote(object_id))
        if obj is None:
            raise Http404
        return obj

    def _back(self, request: HttpRequest, obj: EmployeeTag) -> str:
        return self.back_from(request, reverse("admin:org_employee_tags", args=(obj.employee_id,)))

    def end_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Say until when a tag holds."""
        obj = self._held(request, object_id)
        if not self.has_change_permission(request, obj):
            raise PermissionDenied
        dialog = Dialog(
            title=_("End this tag"),
            submit=_("End the tag"),
            back=self._back(request, obj),
            fields={
                "valid_until": date_field(label=_("Last valid day"), initial=today()),
                "reason": text_field(label=_("Reason"), required=False),
            },
            about=format_html("{} · {}", obj.employee, obj.tag.name),
            lines=self._consequences(obj),
        )

        def deed(values: dict[str, Any], confirmed: bool) -> str:
            if values["valid_until"] < obj.valid_from:
                raise Refusal(
                    Reason(
                        _("It is valid from %(day)s: to undo it altogether, revoke it.")
                        % {"day": short_day(obj.valid_from)},
                        field="valid_until",
                        fixable=1,
                    )
                )
            held = EmployeeTag.objects.get(pk=obj.pk)
            held.valid_until = values["valid_until"]
            save_employee_tags(employee_tags=[held], actor=request.user, reason=values["reason"])  # type: ignore[arg-type]
            return _("“%(tag)s” of %(who)s ends on %(day)s.") % {
                "tag": obj.tag.name, "who": obj.employee, "day": short_day(held.valid_until),
            }  # fmt: skip

        return self.run_dialog(request, dialog, deed)

    def revoke_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Take a tag away as if it had never been held."""
        obj = self._held(request, object_id)
        if not self._may_revoke(request, obj):
            raise PermissionDenied
        dialog = Dialog(
            title=_("Revoke this tag"),
            submit=_("Revoke the tag"),
            back=self._back(request, obj),
            fields={"reason": text_field(label=_("Reason"))},
            about=format_html("{} · {}", obj.employee, obj.tag.name),
            help=_("As if it had never been held: days gone by lose it too. To end it from a day on, use “End”."),
            lines=self._consequences(obj),
            danger=True,
        )

        def deed(values: dict[str, Any], confirmed: bool) -> str:
            said = _("“%(tag)s” of %(who)s is revoked.") % {"tag": obj.tag.name, "who": obj.employee}
            revoke_tag(employee_tag=obj, actor=request.user, reason=values["reason"])  # type: ignore[arg-type]
            return said

        return self.run_dialog(request, dialog, deed)

    def _consequences(self, obj: EmployeeTag) -> list[str]:
        if not obj.tag.hours_delta:
            return []
        return [_("The pool changes by %(hours)s hours a week.") % {"hours": number_format(-obj.tag.hours_delta, 2)}]
