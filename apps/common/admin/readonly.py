"""Screens that only show: logs, figures, runs."""

from typing import Any

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse

from .base import BaseAdmin


class ReadOnlyAdmin(BaseAdmin):
    """Nobody adds, changes or deletes here, a superuser neither; the server says 403, not only the page."""

    writes_through_services = False
    save_on_top = False
    warn_unsaved_form = False
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def looked_at(self, request: HttpRequest, object_id: str | None) -> Any:
        """Return the record a page of our own shows. Raise PermissionDenied or Http404 where there is none to show."""
        if object_id is None or request.method not in ("GET", "HEAD") or not self.has_view_permission(request):
            raise PermissionDenied
        if (record := self.get_object(request, unquote(object_id))) is None:
            raise Http404
        return record

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.method == "POST":
            raise PermissionDenied
        return super().changelist_view(request, extra_context)
