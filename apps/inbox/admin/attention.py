"""What people decided about items: the list behind the inbox, with its history."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from apps.common.admin import HistoryMixin, ReadOnlyAdmin
from apps.common.admin.dialogs import Dialogs
from apps.common.badges import badge
from apps.common.columns import day_column, moment_column
from apps.imports.exporting import ListExportMixin

from ..models import Attention
from .chosen import ChosenDeeds
from .deeds import DeedDialogs
from .inbox import InboxPage
from .looks import LOOKS


@admin.register(Attention)
class AttentionAdmin(InboxPage, ChosenDeeds, DeedDialogs, ListExportMixin, Dialogs, HistoryMixin, ReadOnlyAdmin):
    """The inbox itself is a page of this screen; the list shows who looks after what."""

    icon = "inbox"
    export_name = "list_export"
    list_display = ("kind_shown", "about", "assigned_to", "sleeps", "noted", "note")
    list_filter = (("kind", ChoicesDropdownFilter),)
    list_select_related = ("assigned_to", "rule")
    fields = (
        "kind", "rule", "subject_kind", "subject_id", "assigned_to", "snoozed_until", "acknowledged_by",
        "acknowledged_at", "note", "created_at", "updated_at",
    )  # fmt: skip

    sleeps = day_column("snoozed_until", _("sleeps until"))
    noted = moment_column("acknowledged_at", _("acknowledged"))

    @display(description=_("kind"))
    def kind_shown(self, row: Attention) -> Any:
        return badge(row.get_kind_display(), *LOOKS[row.kind])

    @display(description=_("about"))
    def about(self, row: Attention) -> str:
        return f"{row.get_subject_kind_display()} {row.subject_id}"
