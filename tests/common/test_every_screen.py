"""Rules that hold for every screen registered in the product, whoever wrote it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver

from apps.common.admin import BaseAdmin
from apps.users.groups import sync_groups
from tests.factories import AssignmentFactory, Clinic

pytestmark = pytest.mark.django_db
WRITES = re.compile(r"^\s*(INSERT|UPDATE|DELETE|MERGE|COPY|TRUNCATE|CREATE|ALTER|DROP)\b", re.I)
# A session is touched, a login is remembered and a file taken out is on record; none changes a fact of the product.
BOOKKEEPING = re.compile(r'"(django_session|axes_\w+)"|"users_user" SET "last_login"|INTO "audit_log_exportrecord"')


def screens() -> list[Any]:
    admin.autodiscover()
    return list(admin.site._registry.values())


def addresses(clinic: Clinic) -> Iterator[str]:
    """Yield every address of the admin that GET can ask for, with a real record where one is named."""
    prefix = "/admin/"
    for pattern in admin.site.urls[0]:
        if isinstance(pattern, URLResolver):
            for inner in pattern.url_patterns:
                yield from _filled(prefix + _route(pattern), inner)
        else:
            yield from _filled(prefix, pattern)


def _route(pattern: Any) -> str:
    return str(pattern.pattern).lstrip("^").rstrip("$")


def _filled(prefix: str, pattern: URLPattern) -> Iterator[str]:
    route = _route(pattern)
    screen = getattr(pattern.callback, "model_admin", None)
    if "<" in route or "(" in route:
        if screen is None:
            return
        record = screen.model._default_manager.order_by("pk").first()
        if record is None:
            return
        history = getattr(screen.model, "history", None)
        version = history.filter(**{screen.model._meta.pk.attname: record.pk}).first() if history else None
        route = re.sub(r"<path:object_id>|<int:object_id>|<str:object_id>|<object_id>", str(record.pk), route)
        groups = iter([str(record.pk), str(version.history_id) if version else "1"])
        route = re.sub(r"\(\[\^/\]\+\)", lambda match: next(groups), route)
        route = re.sub(r"<[^>]+>|\(\?P<[^>]+>[^)]*\)", "1", route)
    yield prefix + route


def test_every_screen_has_the_base() -> None:
    assert screens()
    assert [type(screen).__name__ for screen in screens() if not isinstance(screen, BaseAdmin)] == []


def test_opening_any_address_of_the_admin_changes_nothing(clinic: Clinic) -> None:
    sync_groups()
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1)
    client = Client()
    client.force_login(clinic.admin, backend="django.contrib.auth.backends.ModelBackend")
    asked = sorted({address for address in addresses(clinic) if not address.endswith("/logout/")})
    assert len(asked) > 20
    broken, writing = [], []
    for address in asked:
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(address)
        if answer.status_code >= 500:
            broken.append(address)
        writing += [
            f"{address}: {query['sql'][:120]}"
            for query in queries
            if WRITES.match(query["sql"]) and not BOOKKEEPING.search(query["sql"])
        ]
    assert not broken
    assert not writing


def test_canary_an_address_that_writes_is_noticed(clinic: Clinic) -> None:
    with CaptureQueriesContext(connection) as queries:
        clinic.p1.title = "Changed"
        clinic.p1.save()
    assert [query for query in queries if WRITES.match(query["sql"]) and not BOOKKEEPING.search(query["sql"])]
