"""One transaction, signed, around every request that may write."""

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse

from .acting import acting

UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class ActingMiddleware:
    """Run unsafe requests inside `acting`, so that history knows who did it and a failure rolls all of it back.

    It works in process_view and stands last in MIDDLEWARE: the CSRF check has run by then, and an exception
    leaves through the transaction instead of being turned into a page outside of it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        if request.method not in UNSAFE or iscoroutinefunction(view) or getattr(view, "acts_alone", False):
            return None
        user = request.user if request.user.is_authenticated else None
        with acting(user, origin="admin"):
            response: HttpResponse = view(request, *args, **kwargs)
            if hasattr(response, "render") and callable(response.render):
                response = response.render()
            return response
