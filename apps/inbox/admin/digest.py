"""The digests that went out, and those that did not."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from apps.common.admin import ReadOnlyAdmin
from apps.common.badges import Tone, badge
from apps.common.columns import day_column, moment_column
from apps.imports.exporting import ListExportMixin

from ..enums import DigestOutcome
from ..models import Digest

TONES = {
    DigestOutcome.SENT: (Tone.GREEN, "mark_email_read"),
    DigestOutcome.NOTHING: (Tone.GREY, "drafts"),
    DigestOutcome.FAILED: (Tone.RED, "error"),
    DigestOutcome.CLAIMED: (Tone.YELLOW, "hourglass_top"),
}


@admin.register(Digest)
class DigestAdmin(ListExportMixin, ReadOnlyAdmin):
    """One row a person and day; what was told is in the mail, and here only how much it was."""

    scoped = False
    icon = "mail"
    list_display = ("when", "user", "outcome_shown", "told", "begun")
    list_filter = (("outcome", ChoicesDropdownFilter),)
    list_select_related = ("user",)
    fields = ("day", "user", "outcome_shown", "told", "claimed_at", "failure")

    when = day_column("day", _("day"))
    begun = moment_column("claimed_at", _("begun"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("snapshot")

    @display(description=_("outcome"))
    def outcome_shown(self, digest: Digest) -> Any:
        outcome = DigestOutcome(digest.outcome)
        return badge(outcome.label, *TONES[outcome])
