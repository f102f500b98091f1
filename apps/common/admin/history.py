"""What happened to a record, read from its history rows."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import PAGE_VAR
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from simple_history.admin import SimpleHistoryAdmin

from apps.users.permissions import sees_sensitive

from .conflicts import history_of, shown

MASK = "•••"
PER_PAGE = 50


class HistoryMixin(SimpleHistoryAdmin):
    """The history pages of django-simple-history: read only, inside the scope, with actor, reason and origin.

    Put it before BaseAdmin. Fields the model names in `sensitive_fields` are masked below MANAGER.
    """

    object_history_template = "common/history.html"

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        # Past the library's own, which would set a user that the triggers never read.
        super(SimpleHistoryAdmin, self).save_model(request, obj, form, change)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        obj = self._history_subject(request, object_id)
        rows = self._history_rows(obj)
        paginator = Paginator(rows, PER_PAGE)
        page = paginator.get_page(request.GET.get(PAGE_VAR))
        # One row more than the page shows, for the last one to be compared with.
        window = list(rows[page.start_index() - 1 : page.end_index() + 1] if paginator.count else [])
        masked = self._masked(request)
        entries = [
            Entry(row, window[place + 1] if place + 1 < len(window) else None, self.model, masked)
            for place, row in enumerate(window[:PER_PAGE])
        ]
        context = {
            **self.admin_site.each_context(request),
            "title": _("History"),
            "subtitle": str(obj),
            "entries": entries,
            "page_obj": page,
            "page_range": paginator.get_elided_page_range(page.number),
            "page_var": PAGE_VAR,
            "ellipsis": Paginator.ELLIPSIS,
            "object": obj,
            "original": obj,
            "opts": self.opts,
            "has_view_permission": True,
            "media": self.media,
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        return render(request, self.object_history_template, context)

    def history_form_view(
        self, request: HttpRequest, object_id: str, version_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """Show the record as it was; there is no way back from here, a change is a new deed."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        obj = self._history_subject(request, object_id)
        if not version_id.isdigit() or (row := self._history_rows(obj).filter(history_id=version_id).first()) is None:
            raise Http404
        masked = self._masked(request)
        values = [
            (capfirst(str(field.verbose_name)), MASK if field.name in masked else shown(row.instance, field.name))
            for field in self.model._meta.concrete_fields
            if hasattr(row, field.attname) and field.editable
        ]
        context = {
            **self.admin_site.each_context(request),
            "title": _("As it was"),
            "subtitle": str(obj),
            "entry": Entry(row, None, self.model, masked),
            "values": values,
            "object": obj,
            "original": obj,
            "opts": self.opts,
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        return render(request, "common/history_version.html", context)

    def _history_subject(self, request: HttpRequest, object_id: str) -> Any:
        obj = self.get_object(request, unquote(object_id))
        if obj is None:
            raise Http404
        if not self.has_view_or_change_permission(request, obj):
            raise PermissionDenied
        return obj

    def _history_rows(self, obj: Any) -> Any:
        rows = history_of(self.model).filter(**{obj._meta.pk.attname: obj.pk})
        relations = [f.name for f in rows.model._meta.concrete_fields if f.is_relation and f.name != "history_relation"]
        return rows.select_related(*relations).order_by("-history_date", "-history_id")

    def _masked(self, request: HttpRequest) -> frozenset[str]:
        names = getattr(self.model, "sensitive_fields", ())
        return frozenset() if sees_sensitive(request.user) else frozenset(names)  # type: ignore[arg-type]


class Entry:
    """One row of the history beside the one before it, ready to be shown."""

    ICONS = {"+": "add", "~": "edit", "-": "delete"}

    def __init__(self, row: Any, before: Any, model: Any, masked: frozenset[str]):
        self.row, self.before, self.model, self.masked = row, before, model, masked
        self.icon = self.ICONS[row.history_type]
        self.when = row.history_date
        self.who = row.history_user
        self.reason = row.history_change_reason or ""
        self.origin = origin_label(getattr(row, "origin", ""))

    @cached_property
    def deed(self) -> str:
        return {
            "+": pgettext("history", "Created"),
            "~": pgettext("history", "Changed"),
            "-": pgettext("history", "Deleted"),
        }[self.row.history_type]

    @cached_property
    def changes(self) -> list[dict[str, str]]:
        """Return label, old and new of each changed field; empty for the first row."""
        if self.before is None or self.row.history_type != "~":
            return []
        found = []
        for field in self.model._meta.concrete_fields:
            if not hasattr(self.row, field.attname) or getattr(self.row, field.attname) == getattr(
                self.before, field.attname
            ):
                continue
            hidden = field.name in self.masked
            found.append(
                {
                    "label": capfirst(str(field.verbose_name)),
                    "old": MASK if hidden else shown(self.before, field.name),
                    "new": MASK if hidden else shown(self.row, field.name),
                }
            )
        return found


def origin_label(origin: str) -> str:
    """Return through which door a change came, in words."""
    labels = {
        "admin": _("administration"),
        "import": _("sheet"),
        "undo": _("import taken back"),
        "command": _("command"),
        "task": _("scheduled job"),
        "api": _("API"),
        "sql": _("directly in the database"),
    }
    return labels.get(origin, origin)
