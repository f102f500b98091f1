"""What a page that only reads asks once."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from .querysets import scope_read_once

READING = frozenset({"GET", "HEAD"})


class ScopeMiddleware:
    """Read a person's scope once for a page that only reads: the whole of it is seen with the same eyes.

    What writes reads it anew each time, for it may be what changes.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method not in READING:
            return self.get_response(request)
        with scope_read_once():
            return self.get_response(request)
