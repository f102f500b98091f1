"""What became of a deed, as messages on the page that comes next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib import messages
from django.http import HttpRequest

from ..errors import Refusal


@contextmanager
def told(request: HttpRequest, done: str = "") -> Iterator[None]:
    """Let the block do something and tell why it was refused, or that it is done; the page goes on either way."""
    try:
        yield
    except Refusal as refusal:
        for sentence in refusal.explain():
            messages.error(request, sentence)
    else:
        if done:
            messages.success(request, done)
