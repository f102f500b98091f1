"""Endpoints that may be posted to: the loopback, which an installation would have to allow by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any

import pytest

from apps.webhooks.enums import ASKED_FOR
from apps.webhooks.models import WebhookEndpoint
from apps.webhooks.services import save_endpoint

from .receivers import Receiver, receiver


@pytest.fixture
def loopback(settings: Any) -> None:
    settings.COVERIS_WEBHOOK_NETWORKS = [ip_network("127.0.0.0/8"), ip_network("::1/128")]
    settings.COVERIS_WEBHOOK_HTTP = True


@pytest.fixture
def hearing(loopback: None) -> Iterator[Receiver]:
    with receiver() as running:
        yield running


Make = Callable[..., tuple[WebhookEndpoint, str]]


@pytest.fixture
def endpoint_at(loopback: None, db: Any) -> Make:
    """Return what makes an endpoint and tells its secret."""

    def make(url: str, **values: Any) -> tuple[WebhookEndpoint, str]:
        values.setdefault("name", f"Receiver {WebhookEndpoint.objects.count() + 1}")
        values.setdefault("topics", list(ASKED_FOR))
        endpoint = WebhookEndpoint(url=url, **values)
        secret = save_endpoint(endpoint=endpoint, actor=None)
        return WebhookEndpoint.objects.get(name=values["name"]), secret

    return make
