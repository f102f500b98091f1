"""The receivers: who is told, how they fare, a new secret, a trial."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.forms import Media
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import BooleanRadioFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from apps.common.admin import BaseAdmin, HistoryMixin
from apps.common.admin.dialogs import Dialog, Dialogs, choice_field
from apps.common.badges import Tone, badge, two_lines
from apps.common.columns import short_moment
from apps.imports.exporting import ListExportMixin

from ..enums import ASKABLE, DeliveryState, Topic
from ..models import WebhookEndpoint
from ..services import remove_endpoint, renew_secret, save_endpoint, send_trial
from .looks import LOOKS

DELIVERIES = "admin:webhooks_webhookdelivery_changelist"
KEPT, ENDED = "kept", "ended"
OLD_SECRET = ((KEPT, _("signs beside the new one for another 24 hours")), (ENDED, _("signs no more, from now on")))


class EndpointForm(forms.ModelForm):
    """An endpoint as it is filled in; its secret is made, never typed."""

    topics = forms.MultipleChoiceField(
        label=_("Events"), choices=ASKABLE, widget=UnfoldAdminCheckboxSelectMultipleWidget(),
        help_text=_("What the receiver is told of."),
    )  # fmt: skip

    class Meta:
        model = WebhookEndpoint
        fields = ("name", "url", "topics", "org_unit", "is_active")


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ListExportMixin, HistoryMixin, Dialogs, BaseAdmin):
    """Addresses that are told what happens; failing ones are seen on the list."""

    form = EndpointForm
    icon = "webhook"
    list_display = ("receiver", "standing", "told_of", "unit", "last_success", "failures", "waits", "given_up")
    list_select_related = ("org_unit", "health")
    list_filter = (("is_active", BooleanRadioFilter),)
    search_fields = ("name", "url")
    search_help_text = _("Name or address")
    fields = ("name", "url", "topics", "org_unit", "is_active")
    change_form_outer_before_template = "webhooks/endpoint_head.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: Any = super().get_queryset(request)
        name = str(request.resolver_match.url_name) if request.resolver_match else ""
        listed = name.endswith(("_changelist", f"_{self.export_name}"))
        return rows.with_letters() if listed else rows

    def get_urls(self) -> list[Any]:
        def view(name: str, method: Any) -> Any:
            wrapped = self.admin_site.admin_view(method)
            return path(f"<path:object_id>/{name}/", wrapped, name=f"webhooks_webhookendpoint_{name}")

        return [view("secret", self.secret_view), view("trial", self.trial_view), *super().get_urls()]

    @property
    def media(self) -> Media:
        return super().media + LOOKS

    # Writing

    def perform_save(self, request: HttpRequest, obj: WebhookEndpoint, form: Any, change: bool) -> None:
        request._coveris_secret = save_endpoint(endpoint=obj, actor=request.user)  # type: ignore[attr-defined, arg-type]

    def perform_delete(self, request: HttpRequest, obj: WebhookEndpoint) -> None:
        remove_endpoint(endpoint=obj, actor=request.user)  # type: ignore[arg-type]

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> HttpResponse:
        """Show the secret, once; no message and no session keeps it."""
        return self._shown_once(request, obj, request._coveris_secret)  # type: ignore[attr-defined]

    def secret_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask whether the old secret goes on for a day, then make a new one and show it, once."""
        endpoint = self._endpoint(request, object_id)
        dialog = Dialog(
            title=_now("New secret"),
            about=str(endpoint),
            help=_now("The receiver has to know the new one. It is shown once, on the next page."),
            submit=_now("Make a new secret"),
            back=self._page_of(endpoint),
            fields={
                "old": choice_field(
                    OLD_SECRET,
                    label=_now("The old secret"),
                    help_text=_now("The day is for the receiver to change. Not if others know the old one."),
                    required=True,
                )
            },
        )  # fmt: skip

        def deed(values: dict[str, Any], confirmed: bool) -> Any:
            keeps = values["old"] == KEPT
            secret = renew_secret(endpoint=endpoint, keep_old=keeps, actor=request.user)  # type: ignore[arg-type]
            return self._shown_once(request, endpoint, secret)

        return self.run_dialog(request, dialog, deed)

    def trial_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Send a trial; the page of its delivery shows what the receiver answers."""
        endpoint = self._endpoint(request, object_id)
        dialog = Dialog(
            title=_now("Send a trial"),
            about=str(endpoint),
            help=_now("An event “trial” is posted to %(address)s, and what it answers is shown.")
            % {"address": endpoint.url},
            submit=_now("Send"),
            back=reverse(DELIVERIES) + f"?endpoint__id__exact={endpoint.pk}&topic={Topic.TRIAL}",
        )

        def deed(values: dict[str, Any], confirmed: bool) -> Any:
            trial = send_trial(endpoint=endpoint, actor=request.user)  # type: ignore[arg-type]
            dialog.back = reverse("admin:webhooks_webhookdelivery_change", args=(trial.pk,))
            return _now("The trial is on its way.")

        return self.run_dialog(request, dialog, deed)

    def _endpoint(self, request: HttpRequest, object_id: str) -> WebhookEndpoint:
        endpoint = self.get_object(request, unquote(object_id))
        if endpoint is None or not self.has_change_permission(request, endpoint):
            raise Http404
        return endpoint

    def _page_of(self, endpoint: WebhookEndpoint) -> str:
        return reverse("admin:webhooks_webhookendpoint_change", args=(endpoint.pk,))

    def _shown_once(self, request: HttpRequest, endpoint: WebhookEndpoint, secret: str) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": LOOKS,
            "title": _now("Secret of the webhook"),
            "subtitle": str(endpoint),
            "endpoint": endpoint,
            "secret": secret,
            "back": self._page_of(endpoint),
        }
        response = TemplateResponse(request, "webhooks/secret.html", context)
        response["Cache-Control"] = "no-store"
        return response

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        if (endpoint := kwargs.get("obj")) is not None:
            context["endpoint"] = endpoint
            context["may_change"] = self.has_change_permission(request, endpoint)
            context["health"] = self.standing(endpoint)
            context["last_success"] = self.last_success(endpoint)
        return super().render_change_form(request, context, *args, **kwargs)

    # Columns

    @display(description=_("webhook"), ordering="name")
    def receiver(self, endpoint: WebhookEndpoint) -> Any:
        return two_lines(endpoint.name, endpoint.url)

    @display(description=_("state"))
    def standing(self, endpoint: WebhookEndpoint) -> Any:
        health = _health(endpoint)
        if not endpoint.is_active:
            return badge(_now("paused"), Tone.GREY, "pause_circle")
        if health is None or (health.last_success_at is None and not health.failures):
            return badge(_now("nothing sent yet"), Tone.GREY, "schedule")
        if health.failures:
            return badge(_now("fails"), Tone.RED, "error")
        return badge(_now("works"), Tone.GREEN, "check_circle")

    @display(description=_("events"))
    def told_of(self, endpoint: WebhookEndpoint) -> Any:
        if set(endpoint.topics) == {topic for topic, _label in ASKABLE}:
            return _now("everything")
        names = dict(ASKABLE)
        return ", ".join(str(names.get(topic, topic)) for topic in endpoint.topics)

    @display(description=_("unit"))
    def unit(self, endpoint: WebhookEndpoint) -> Any:
        return endpoint.org_unit or _now("the whole organisation")

    @display(description=_("last success"))
    def last_success(self, endpoint: WebhookEndpoint) -> Any:
        health = _health(endpoint)
        return format_html('<span class="coveris-nowrap">{}</span>', short_moment(health and health.last_success_at))

    @display(description=_("failures in a row"))
    def failures(self, endpoint: WebhookEndpoint) -> Any:
        health = _health(endpoint)
        return number_format(health.failures) if health is not None else 0

    @display(description=_("waiting"))
    def waits(self, endpoint: Any) -> Any:
        return _counted(endpoint, endpoint.waiting, DeliveryState.WAITING)

    @display(description=_("deliveries given up"))
    def given_up(self, endpoint: Any) -> Any:
        return _counted(endpoint, endpoint.dead, DeliveryState.DEAD)


def _health(endpoint: WebhookEndpoint) -> Any:
    return getattr(endpoint, "health", None)


def _counted(endpoint: WebhookEndpoint, number: int, state: DeliveryState) -> Any:
    if not number:
        return 0
    link = f"{reverse(DELIVERIES)}?endpoint__id__exact={endpoint.pk}&state__exact={state}"
    return format_html('<a href="{}">{}</a>', link, number_format(number, force_grouping=True))
