"""The admin site: who may come in, the languages, the command palette, and answers that may be framed."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from csp.constants import SELF
from django.conf import settings
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.admin.models import LogEntry
from django.contrib.admin.options import IS_POPUP_VAR
from django.contrib.admin.utils import quote
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, URLPattern, URLResolver, path, reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.i18n import set_language
from unfold.forms import AuthenticationForm
from unfold.sites import UnfoldAdminSite

from apps.common.admin import BaseAdmin
from apps.imports.exporting import tell_what_is_ready
from project.menu import navigation

OUR_PACKAGES = frozenset({"apps", "project", "worker", "tests"})
FOUND_PER_MODEL = 8
SHORTEST_TERM = 2


class LoginForm(AuthenticationForm):
    """The theme's login form, which asks for an e-mail."""

    def __init__(self, request: HttpRequest | None = None, *args: Any, **kwargs: Any):
        super().__init__(request, *args, **kwargs)
        self.fields["username"].label = gettext_lazy("E-mail")
        self.fields["username"].widget.attrs |= {"autocomplete": "username", "inputmode": "email"}
        self.fields["password"].widget.attrs |= {"autocomplete": "current-password"}

    error_messages = {
        **AdminAuthenticationForm.error_messages,
        "invalid_login": gettext_lazy(
            "No account that may come in here has this e-mail and password. Mind capitals in the password."
        ),
    }


class CoverisAdminSite(UnfoldAdminSite):
    """The one admin site of the product."""

    login_form = LoginForm
    index_title = gettext_lazy("Overview")
    enable_nav_sidebar = True
    empty_value_display = "–"

    def get_urls(self) -> list[URLResolver | URLPattern]:
        # Also for people who have not logged in yet; it only sets a cookie.
        return [path("language/", set_language, name="language"), *super().get_urls()]

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Callable[..., Any]:
        """Let the pop-ups of the theme, and nothing else, be shown in a frame of this same site."""
        guarded = super().admin_view(view, cacheable)

        @wraps(guarded)
        def framed(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            response: HttpResponse = guarded(request, *args, **kwargs)
            if IS_POPUP_VAR in request.GET or IS_POPUP_VAR in request.POST:
                response._csp_replace = {"frame-ancestors": [SELF]}  # type: ignore[attr-defined]
                response["X-Frame-Options"] = "SAMEORIGIN"
            return response

        return framed

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        tell_what_is_ready(request)
        return super().each_context(request) | {"languages_action": reverse(f"{self.name}:language")}

    def get_sidebar_list(self, request: HttpRequest) -> list[dict[str, Any]]:
        return [
            {**group, "items": self._get_navigation_items(request, group["items"])}
            for group in navigation(request, self)
        ]

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Take only screens built on BaseAdmin.

        Those that installed packages bring know no scope and no service; where one is wanted, it is rewritten on
        BaseAdmin. One of ours without it is a mistake.
        """
        if admin_class is not None and issubclass(admin_class, BaseAdmin):
            super().register(model_or_iterable, admin_class, **options)
        elif admin_class is not None and admin_class.__module__.partition(".")[0] in OUR_PACKAGES:
            raise ImproperlyConfigured(f"{admin_class.__name__} must derive from apps.common.admin.BaseAdmin.")

    def unregister(self, model_or_iterable: Any) -> None:
        """Take screens away; those that were never let in are already gone."""
        models = [model_or_iterable] if isinstance(model_or_iterable, type) else model_or_iterable
        super().unregister([model for model in models if self.is_registered(model)])

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Answer the command palette: pages by name and a few records of each searchable model.

        The theme's own search keeps results (names of people) in the cache for five minutes and walks whole tables.
        """
        term = request.GET.get("s", "").strip()
        if len(term) < SHORTEST_TERM:
            return HttpResponse()
        results = [*self._pages(request, term), *self._records(request, term)]
        return render(request, "common/command_results.html", {"results": results, "term": term})

    def _pages(self, request: HttpRequest, term: str) -> list[dict[str, Any]]:
        wanted = term.casefold()
        return [
            {"title": capfirst(model["name"]), "description": app["name"], "link": model["admin_url"], "icon": "list"}
            for app in self.get_app_list(request)
            for model in app["models"]
            if model["admin_url"] and wanted in str(model["name"]).casefold()
        ]

    def _records(self, request: HttpRequest, term: str) -> list[dict[str, Any]]:
        found = []
        for model, screen in self._registry.items():
            if not getattr(screen, "in_palette", False) or not screen.has_view_or_change_permission(request):
                continue
            rows, _distinct = screen.get_search_results(request, screen.get_queryset(request), term)
            if screen.list_select_related and isinstance(screen.list_select_related, list | tuple):
                rows = rows.select_related(*screen.list_select_related)
            # Any few, in no order: an ORDER BY would walk the whole key for a term that hardly occurs.
            for obj in rows.order_by()[:FOUND_PER_MODEL]:
                try:
                    link = reverse(
                        f"{self.name}:{model._meta.app_label}_{model._meta.model_name}_change", args=(quote(obj.pk),)
                    )
                except NoReverseMatch:
                    continue
                found.append(
                    {
                        "title": str(obj),
                        "description": capfirst(str(model._meta.verbose_name)),
                        "link": link,
                        "icon": getattr(screen, "icon", "article"),
                    }
                )
        return found

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Change one's own password through the service, which also ends the duty to change it."""
        from django.contrib.auth.views import PasswordChangeView

        from apps.users.forms import OwnPasswordForm

        request.current_app = self.name  # type: ignore[attr-defined]
        view = PasswordChangeView.as_view(
            form_class=OwnPasswordForm,
            success_url=reverse(f"{self.name}:password_change_done"),
            extra_context={**self.each_context(request), **(extra_context or {})},
        )
        response: HttpResponse = view(request)  # type: ignore[assignment]
        return response

    def get_log_entries(self, request: HttpRequest) -> Any:
        """Return nothing: Django's action log would show names of records out of the reader's scope."""
        return LogEntry.objects.none()


def environment_label(request: HttpRequest) -> list[str] | None:
    """Return the badge beside the title that tells a trial installation from the real one."""
    return [_("Trial"), "info"] if settings.DEBUG else None
