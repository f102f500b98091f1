"""`./run bench pages`: what every page of the sidebar costs the server, and how many queries."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from django.contrib import admin
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.common.weeks import horizon, week_code
from apps.demand.dependence import look_if_asked
from apps.demand.waterfall.carrying_out import compare_waiting
from apps.org.models import OrgUnit
from apps.users.enums import Role
from apps.users.models import User
from project.menu import navigation
from tests.factories import UserFactory

from . import stage
from .harness import Figure, Report, percentile
from .rules import judged

SECONDS, QUERIES = 0.3, 15
# Pages that look otherwise when asked otherwise.
MORE = {
    "demand_unitcoverage_changelist": ("?view=weeks", "?order=worst", "?unit={unit}"),
    "demand_positioncoverage_cliffs": ("?days=90", "?days=180", "?unit={unit}"),
    "demand_positioncoverage_waterfall": ("?unit={unit}", "?from={first}&to={last}"),
}


def addresses(user: User, unit: str) -> Iterator[str]:
    """Yield the address of every page this person's sidebar leads to, and the ways they are asked."""
    request = RequestFactory().get("/admin/")
    request.user = user
    first, *_between, last = (week_code(week) for week in horizon())
    for group in navigation(request, admin.site):
        for item in group["items"]:
            link = str(item["link"])
            yield link
            for name, queries in MORE.items():
                if link == reverse(f"admin:{name}"):
                    yield from (link + query.format(unit=unit, first=first, last=last) for query in queries)


def of_a_person(user: User, unit: str, size: str, rounds: int, report: Report) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(user)
    for address in addresses(user, unit):
        seconds: list[float] = []
        status, asked = 200, 0
        for turn in range(rounds + 1):
            with CaptureQueriesContext(connection) as queries:
                begun = time.perf_counter()
                status = client.get(address).status_code
                seconds.append(time.perf_counter() - begun)
            asked = len(queries)
            if turn == 0:  # what workers are asked for by who looks first
                compare_waiting()
                look_if_asked()
            if seconds[-1] > 10 * SECONDS:  # told, and not waited for again
                break
        seconds = seconds[1:] or seconds
        name = f"{user.role.lower()} {address}"
        report.add(
            Figure(f"{name}, p95 s", size, percentile(seconds, 0.95), min(seconds), max(seconds), goal=SECONDS,
                   note=f"{asked} queries" + ("" if status == 200 else f", status {status}"))
        )  # fmt: skip
        if asked > QUERIES:
            report.add(Figure(f"{name}, queries", size, *[float(asked)] * 3, goal=QUERIES))


def pages(sizes: Sequence[str], rounds: int, report: Report) -> None:
    """Open each page some times as somebody who has the whole house, and as who has the largest part of it."""
    for size in sizes:
        stage.enter(size, report)
        judged(report)
        with transaction.atomic():
            call_command("sync_permissions", verbosity=0)
            root = OrgUnit.objects.filter(parent=None).order_by("pk")[0]
            below = OrgUnit.objects.filter(parent=root).order_by("pk")[0]
            of_a_person(UserFactory(role=Role.ADMIN), below.code, size, rounds, report)
            of_a_person(UserFactory(role=Role.MANAGER, unit=below), below.code, size, rounds, report)
            transaction.set_rollback(True)
