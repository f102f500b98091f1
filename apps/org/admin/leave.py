"""Leaves: plan, change, cancel."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter, RangeDateFilter
from unfold.decorators import display

from apps.common.admin import BaseAdmin, HistoryMixin
from apps.common.admin.dialogs import Dialog, Dialogs, text_field
from apps.common.badges import two_lines
from apps.common.clock import today
from apps.common.columns import day_column
from apps.common.filters import AutocompleteSelectFilter
from apps.imports.exporting import SheetExportMixin

from ..badges import leave_state
from ..models import Leave
from ..services.leaves import cancel_leave, save_leaves


class WhenFilter(DropdownFilter):
    """Running, to come, or over."""

    title = gettext_lazy("when")
    parameter_name = "when"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("running", _("Running today")), ("planned", _("To come")), ("over", _("Over"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        day = today()
        if self.value() == "running":
            return queryset.filter(starts_on__lte=day).exclude(ends_on__lt=day)
        if self.value() == "planned":
            return queryset.filter(starts_on__gt=day)
        return queryset.filter(ends_on__lt=day) if self.value() == "over" else queryset


@admin.register(Leave)
class LeaveAdmin(SheetExportMixin, Dialogs, HistoryMixin, BaseAdmin):
    list_display = ("person", "kind", "starts", "ends", "state", "reason")
    list_filter = (
        ("kind", ChoicesDropdownFilter),
        WhenFilter,
        ("employee", AutocompleteSelectFilter),
        ("starts_on", RangeDateFilter),
    )
    list_select_related = ("employee",)
    search_fields = ("employee__family_name", "employee__given_name", "employee__employee_number")
    search_help_text = gettext_lazy("Name or employee number")
    fields = ("employee", "kind", ("starts_on", "ends_on"), "reason")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        # A leave of somebody else is another leave.
        named = list(super().get_readonly_fields(request, obj))
        return named if obj is None else ["employee", *named]

    def perform_save(self, request: HttpRequest, obj: Leave, form: Any, change: bool) -> None:
        save_leaves(leaves=[obj], actor=request.user)  # type: ignore[arg-type]

    def lock(self, request: HttpRequest, obj: Any) -> None:
        # The employee stands before the leave in the house order.
        len(type(obj.employee).objects.locked([obj.employee_id]).values_list("pk"))
        super().lock(request, obj)

    @display(description=gettext_lazy("employee"))
    def person(self, obj: Leave) -> str:
        return two_lines(f"{obj.employee.family_name}, {obj.employee.given_name}", obj.employee.employee_number)

    starts = day_column("starts_on", gettext_lazy("from"))
    ends = day_column("ends_on", gettext_lazy("until"))

    @display(description=gettext_lazy("when"))
    def state(self, obj: Leave) -> str:
        return leave_state(obj, today())

    # Cancelling

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.cancel_view)
        return [path("<path:object_id>/cancel/", view, name="org_leave_cancel"), *super().get_urls()]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        obj = kwargs.get("obj")
        if obj is not None and obj.pk and self._may_cancel(request, obj):
            url = reverse("admin:org_leave_cancel", args=(obj.pk,))
            context["side_buttons"] = [{"url": url, "label": _("Cancel this leave"), "danger": True}]
        return super().render_change_form(request, context, *args, **kwargs)

    change_form_template = "common/deed_form.html"

    def _may_cancel(self, request: HttpRequest, obj: Leave) -> bool:
        return bool(request.user.has_perm("org.delete_leave") and self.may_edit(request, obj))

    def cancel_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Take a leave back as if it had never been planned."""
        obj = self.get_object(request, unquote(object_id))
        if obj is None:
            raise Http404
        if not self._may_cancel(request, obj):
            raise PermissionDenied
        employee = obj.employee
        lines = []
        if obj.starts_on <= today():
            lines.append(_("It has begun: its days gone by count as worked again. To end it, change its last day."))
        dialog = Dialog(
            title=_("Cancel this leave"),
            submit=_("Cancel the leave"),
            back=self.back_from(request, reverse("admin:org_employee_leaves", args=(employee.pk,))),
            fields={"reason": text_field(label=_("Reason"), required=False)},
            about=format_html("{} · {}", employee, obj),
            lines=lines,
            danger=True,
        )

        def deed(values: dict[str, Any], confirmed: bool) -> str:
            said = _("The leave of %(who)s is cancelled.") % {"who": employee}
            cancel_leave(leave=obj, actor=request.user, reason=values["reason"])  # type: ignore[arg-type]
            return said

        return self.run_dialog(request, dialog, deed)
