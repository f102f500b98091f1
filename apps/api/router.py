"""Where each app's api.py registers its views."""

from __future__ import annotations

from typing import Any

from django.urls import path
from rest_framework.routers import SimpleRouter

router = SimpleRouter()
pages: list[Any] = []


def _name(prefix: str) -> str:
    return f"api-{prefix.replace('/', '-')}"


def register(prefix: str, view: Any) -> None:
    """Put a viewset on the air under /api/v1/<prefix>/, named api-<prefix>."""
    router.register(prefix, view, basename=_name(prefix))


def at(address: str, view: Any) -> None:
    """Put a single view on the air at /api/v1/<address>/."""
    pages.append(path(f"{address}/", view.as_view(), name=_name(address)))
