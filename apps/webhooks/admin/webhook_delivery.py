"""The outbox of webhooks: what was posted, what waits, what was given up."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import action, display

from apps.common.admin import ReadOnlyAdmin
from apps.common.badges import badge, two_lines
from apps.common.columns import moment_column, short_moment
from apps.common.filters import AutocompleteSelectFilter
from apps.imports.exporting import ListExportMixin

from ..enums import STATE_TONES, DeliveryState, Topic
from ..models import WebhookDelivery
from ..services import send_again
from .looks import LOOKS

MAY_SEND = "webhooks.change_webhookdelivery"


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ListExportMixin, ReadOnlyAdmin):
    """Each event for each endpoint. Dead letters are sent again once the cause is gone."""

    icon = "outbox"
    actions = ("send_again",)  # type: ignore[assignment]
    list_display = ("what", "endpoint", "state_shown", "happened", "attempts", "next_attempt", "outcome")
    list_select_related = ("endpoint",)
    list_filter = (
        ("endpoint", AutocompleteSelectFilter),
        ("state", ChoicesDropdownFilter),
        ("topic", ChoicesDropdownFilter),
        ("created_at", RangeDateTimeFilter),
    )
    ordering = ("-id",)

    happened = moment_column("created_at", _("when"))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        # The list itself is read only; the one deed here is an action, and the list posts it.
        links = self.sheet_links(request)
        return super(ReadOnlyAdmin, self).changelist_view(request, {**links, **(extra_context or {})})

    def has_send_again_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(MAY_SEND))

    @action(description=_("Send again"), permissions=["send_again"])
    def send_again(self, request: HttpRequest, queryset: Any) -> None:
        number = send_again(deliveries=queryset, actor=request.user)  # type: ignore[arg-type]
        sentence = ngettext(
            "%(n)d delivery is on its way again.", "%(n)d deliveries are on their way again.", number
        ) % {"n": number}  # fmt: skip
        messages.success(request, sentence)

    @display(description=_("event"))
    def what(self, delivery: WebhookDelivery) -> Any:
        return two_lines(Topic(delivery.topic).label, delivery.event)

    @display(description=_("state"))
    def state_shown(self, delivery: WebhookDelivery) -> Any:
        state = DeliveryState(delivery.state)
        return badge(state.label, STATE_TONES[state], "schedule" if state is DeliveryState.WAITING else None)

    @display(description=_("next attempt"))
    def next_attempt(self, delivery: WebhookDelivery) -> Any:
        if delivery.state != DeliveryState.WAITING or delivery.not_before <= timezone.now():
            return "–"
        return format_html('<span class="coveris-nowrap">{}</span>', short_moment(delivery.not_before))

    @display(description=_("outcome"))
    def outcome(self, delivery: WebhookDelivery) -> Any:
        return delivery.last_error or (str(delivery.last_status) if delivery.last_status else "–")

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show one delivery: what is posted, what came of it. A trial's page renews itself until it was answered."""
        delivery = self.looked_at(request, object_id)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": LOOKS,
            "title": Topic(delivery.topic).label,
            "subtitle": None,
            "delivery": delivery,
            "state": self.state_shown(delivery),
            "data": json.dumps(delivery.data, ensure_ascii=False, indent=2, sort_keys=True),
            "waits": delivery.state == DeliveryState.WAITING,
            "renews": delivery.topic == Topic.TRIAL and delivery.state == DeliveryState.WAITING,
            "endpoint_url": reverse("admin:webhooks_webhookendpoint_change", args=(delivery.endpoint_id,)),
            "back": reverse("admin:webhooks_webhookdelivery_changelist"),
            "answer_title": _now("What the receiver answered"),
        }
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        return TemplateResponse(request, "webhooks/delivery.html", context)
