"""A record's page in parts: each tab is an address of its own that asks only for what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _

from .dialogs import PAGE_MEDIA

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin as Screen
else:
    Screen = object


class Tab(NamedTuple):
    """A part of a record's page. Its content comes from the screen's `<name>_tab(request, obj)`.

    It is shown by `<app>/<model>_<name>.html`, to whoever may view `model` (a label) as well as the record.
    """

    name: str
    title: Any
    model: str = ""


class RecordTabs(Screen):
    """Adds tabs and a head (facts, buttons) to the pages of a record. Put it before HistoryMixin and BaseAdmin.

    First comes the form itself, last the history, between them `record_tabs`.
    """

    change_form_template = "common/record_form.html"
    object_history_template = "common/record_history.html"
    form_tab_title: ClassVar[Any] = _("Profile")
    record_tabs: ClassVar[Sequence[Tab]] = ()

    def record_facts(self, request: HttpRequest, obj: Any) -> list[Any]:
        """Return what the head says beside the name: badges and short texts."""
        return []

    def record_title(self, obj: Any) -> str:
        """Return what the head calls the record."""
        return str(obj)

    def record_context(self, request: HttpRequest, obj: Any, current: str) -> dict[str, Any]:
        """Return what the head of every tab shows."""
        return {
            "record": obj,
            "record_title": self.record_title(obj),
            "record_facts": self.record_facts(request, obj),
            "record_tabs": self._tabs(request, obj, current),
            "record_extras": [],
        }

    def _tabs(self, request: HttpRequest, obj: Any, current: str) -> list[dict[str, Any]]:
        tabs = [Tab("change", self.form_tab_title), *self.record_tabs, Tab("history", _("History"))]
        return [
            {"title": tab.title, "url": self.tab_url(obj, tab.name), "current": tab.name == current}
            for tab in tabs
            if self._may_open(request, tab)
        ]

    def _may_open(self, request: HttpRequest, tab: Tab) -> bool:
        if not tab.model:
            return True
        app, model = tab.model.split(".")
        return bool(request.user.has_perm(f"{app}.view_{model}"))

    def tab_url(self, obj: Any, name: str) -> str:
        return reverse(
            f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_{name}", args=(quote(obj.pk),)
        )

    def get_urls(self) -> list[Any]:
        base = f"{self.opts.app_label}_{self.opts.model_name}"
        return [
            *(
                path(
                    f"<path:object_id>/{tab.name}/",
                    self.admin_site.admin_view(self.tab_view),
                    {"tab": tab.name},
                    name=f"{base}_{tab.name}",
                )
                for tab in self.record_tabs
            ),
            *super().get_urls(),
        ]

    def tab_view(self, request: HttpRequest, object_id: str, tab: str) -> HttpResponse:
        """Show one tab of a record the person may see."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        obj = self.get_object(request, unquote(object_id))
        if obj is None:
            raise Http404
        shown = next(item for item in self.record_tabs if item.name == tab)
        if not self.has_view_permission(request, obj) or not self._may_open(request, shown):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": shown.title,
            "subtitle": str(obj),
            "original": obj,
            "media": PAGE_MEDIA,
            "here": request.get_full_path(),
            **self.record_context(request, obj, tab),
            **getattr(self, f"{tab}_tab")(request, obj),
        }
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        return TemplateResponse(request, f"{self.opts.app_label}/{self.opts.model_name}_{tab}.html", context)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        if obj is not None and obj.pk is not None:
            context |= self.record_context(request, obj, "change")
        return super().render_change_form(request, context, add, change, form_url, obj)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        obj = self.get_object(request, unquote(object_id))
        head = self.record_context(request, obj, "history") if obj is not None else {}
        return super().history_view(request, object_id, {"media": PAGE_MEDIA, **head, **(extra_context or {})})
