"""The catalogue of tags: the administrator's, read by all."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.db.models import Count, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesDropdownFilter
from unfold.decorators import display

from apps.common.admin import BaseAdmin, HistoryMixin
from apps.common.admin.tabs import RecordTabs
from apps.common.badges import badge, two_lines
from apps.common.clock import today
from apps.common.walking import UpTo, number_or_more
from apps.imports.exporting import SheetExportMixin
from apps.org.querysets import is_walked_for, scope_of

from ..badges import type_badge
from ..models import EmployeeTag, TagCatalog
from ..services import save_catalogue

# A page shows the holders of twenty-five tags: so many of each are counted, fewer where each row is looked at.
COUNTED_OF_A_TAG, COUNTED_OF_A_TAG_WALKING = 1_000, 200


@admin.register(TagCatalog)
class TagCatalogAdmin(SheetExportMixin, RecordTabs, HistoryMixin, BaseAdmin):
    list_display = ("tag", "kind", "hours_delta", "end", "warnings", "holders_now", "offer")
    list_filter = (("type", ChoicesDropdownFilter), ("expires", BooleanRadioFilter), ("is_active", BooleanRadioFilter))
    search_fields = ("code", "name")
    search_help_text = gettext_lazy("Name or code")
    ordering = ("name",)
    in_palette = True
    icon = "sell"
    fieldsets = (
        (gettext_lazy("Tag"), {"fields": (("code", "name"), ("type", "hours_delta"))}),
        (gettext_lazy("Validity"), {"fields": ("expires", ("first_warning_days", "last_warning_days"), "is_active")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Add to the list how many the reader sees who hold each tag today; read for the rows of its page alone."""
        rows = super().get_queryset(request)
        user: Any = request.user
        if not _is_list(request) or not _is_counted_by_tag(user):
            return rows
        holding = EmployeeTag.objects.visible_to(user).in_force_on(today()).filter(tag=OuterRef("pk"))
        return rows.annotate(number_of_holders=UpTo(holding, _most(user)))

    def get_list_display(self, request: HttpRequest) -> Any:
        user: Any = request.user
        known: dict[int, int] = {}
        if _is_list(request) and not _is_counted_by_tag(user):
            known = request.__dict__.setdefault("_coveris_holders", {})
            if not known:
                held = EmployeeTag.objects.visible_to(user).in_force_on(today()).order_by().values_list("tag_id")
                known.update(held.annotate(Count("pk")))

        @display(description=gettext_lazy("holders today"))
        def holders_now(obj: Any) -> Any:
            if hasattr(obj, "number_of_holders"):
                return number_or_more(obj.number_of_holders, _most(user))
            return known.get(obj.pk, 0)

        return tuple(holders_now if name == "holders_now" else name for name in super().get_list_display(request))

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        rows: Any
        rows, distinct = super().get_search_results(request, queryset, search_term)
        view = getattr(request.resolver_match, "func", None)
        if getattr(view, "__name__", "") == "autocomplete_view" or isinstance(view, AutocompleteJsonView):
            rows = rows.offered()
        return rows, distinct

    def perform_save(self, request: HttpRequest, obj: TagCatalog, form: Any, change: bool) -> None:
        save_catalogue(tags=[obj], actor=request.user)  # type: ignore[arg-type]

    def record_facts(self, request: HttpRequest, obj: TagCatalog) -> list[Any]:
        return [type_badge(obj.type), *([] if obj.is_active else [badge(_("not offered"), "grey", "visibility_off")])]

    @display(description=gettext_lazy("tag"), ordering="name")
    def tag(self, obj: TagCatalog) -> str:
        return two_lines(obj.name, obj.code)

    @display(description=gettext_lazy("type"))
    def kind(self, obj: TagCatalog) -> str:
        return type_badge(obj.type)

    @display(description=gettext_lazy("must have an end"))
    def end(self, obj: TagCatalog) -> str:
        return badge(_("expires"), "yellow", "event_busy") if obj.expires else "–"

    @display(description=gettext_lazy("offered in choices"))
    def offer(self, obj: TagCatalog) -> str:
        return badge(_("offered"), "green") if obj.is_active else badge(_("not offered"), "grey", "visibility_off")

    @display(description=gettext_lazy("warns before"))
    def warnings(self, obj: TagCatalog) -> str:
        days = [str(number) for number in (obj.first_warning_days, obj.last_warning_days) if number is not None]
        return _("%(days)s days") % {"days": " / ".join(days)} if days else "–"

    @display(description=gettext_lazy("holders today"))
    def holders_now(self, obj: Any) -> str:
        """Stand for the column that knows the reader (get_list_display)."""
        return "–"


def _is_list(request: HttpRequest) -> bool:
    return request.resolver_match is not None and str(request.resolver_match.url_name).endswith("_changelist")


def _is_counted_by_tag(user: Any) -> bool:
    """Say whether each tag is counted by itself, up to a limit; of a small part the holders are found first."""
    return scope_of(user) is None or is_walked_for(user)


def _most(user: Any) -> int:
    return COUNTED_OF_A_TAG_WALKING if is_walked_for(user) else COUNTED_OF_A_TAG
