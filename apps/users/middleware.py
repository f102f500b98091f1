"""What holds for the signed-in person on every page: the language they chose, the password they owe."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import translation


class LanguageMiddleware:
    """Speak the signed-in person's own language; the language cookie wins, so that a switch acts at once."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.LANGUAGE_COOKIE_NAME not in request.COOKIES and request.user.is_authenticated:
            translation.activate(request.user.language)
            request.LANGUAGE_CODE = translation.get_language()
        return self.get_response(request)


class PasswordMiddleware:
    """Let nobody past a password that somebody else chose: every page of the administration leads to changing it."""

    LEFT_OPEN = ("admin:password_change", "admin:logout", "admin:jsi18n", "admin:language")

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        if user.is_authenticated and user.must_change_password and self._is_guarded(request.path):
            return HttpResponseRedirect(reverse("admin:password_change"))
        return self.get_response(request)

    def _is_guarded(self, path: str) -> bool:
        is_admin = path.startswith(reverse("admin:index"))
        return is_admin and path not in {reverse(name) for name in self.LEFT_OPEN}
