"""`./run bench api`: what every read of the interface costs the server, beside a bare DRF one, and under load."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.test import APIRequestFactory

from apps.api.authentication import ACCESS
from apps.api.related import ByCode
from apps.api.tokens import sign_in
from apps.org.models import Employee, OrgUnit, Position
from apps.users.enums import Role
from apps.users.models import User
from tests.api.readings import JUDGING, Reading, readings, ways
from tests.factories import UserFactory

from . import load, logs, stage
from .harness import Figure, Report, alternate, percentile, ratio
from .rules import judged

# Of lists and records; what has to be worked out may take as long as a page of the administration.
SECONDS, QUESTION, QUERIES = 0.15, 0.3, 15
GIVE_UP = 10 * SECONDS
SMALL, LARGE = 25, 100
ME = "/api/v1/me/"


@dataclass
class Way:
    """One way of asking, measured: seconds of each time, queries of one, and what was answered."""

    address: str
    seconds: list[float]
    queries: int
    status: int


@dataclass
class Asking:
    """Somebody who asks for everything there is."""

    name: str
    user: User
    known: Mapping[str, str]
    turns: int
    client: Client = field(default_factory=lambda: Client(raise_request_exception=False))
    # Path → way → how it went.
    told: dict[str, dict[str, Way]] = field(default_factory=dict)

    def get(self, address: str) -> Any:
        return self.client.get(address)

    def measure(self, reading: Reading) -> None:
        """Ask for it in every way there is, some times each."""
        self.client.cookies[ACCESS] = sign_in(user=self.user).access  # they last for minutes
        path, rows = reading.path, []
        if reading.is_list or "{id}" in path:
            rows = self.get(f"{reading.list_path if '{id}' in path else path}?page_size={LARGE}").json()["results"]
        if "{id}" in path:
            if not rows:
                return
            path = path.replace("{id}", str(rows[len(rows) // 2]["id"]))
        ways_of = self.told.setdefault(reading.path, {})
        for name, query in ways(reading, self.known, rows):
            ways_of[name] = self.ask(f"{path}?{query}" if query else path)
        if reading.is_list:
            ways_of[f"{LARGE} rows"] = self.ask(f"{path}?page_size={LARGE}")
            if late := self.late(reading, path):
                ways_of["a late page"] = self.ask(late)

    def late(self, reading: Reading, path: str) -> str | None:
        """Return the address of the last page that is offered; of a log, of one ten pages of 200 further down."""
        if not reading.is_log:
            no = self.get(f"{path}?page=99999999").json()
            *_asked, last = re.findall(r"\d+", no.get("detail", "")) or ["1"]
            return f"{path}?page={last}" if last != "1" else None
        address = f"{path}?page_size=200"
        for _step in range(10):
            if not (following := self.get(address).json()["next"]):
                break
            address = f"{path}?{urlsplit(following).query}"
        return address.replace("page_size=200", f"page_size={SMALL}")

    def ask(self, address: str) -> Way:
        self.get(address)  # what a connection or a process learns once
        asked = []
        for _turn in range(2):  # how large a scope is is asked once a minute
            with CaptureQueriesContext(connection) as queries:
                status = self.get(address).status_code
                asked.append(len(queries))
        seconds: list[float] = []
        for _turn in range(self.turns):
            begun = time.perf_counter()
            self.get(address)
            seconds.append(time.perf_counter() - begun)
            if seconds[-1] > GIVE_UP:  # told, and not waited for again
                break
        return Way(address, seconds, min(asked), status)


def bare(reading: Reading) -> Any:
    """Return a call that reads the first page of the same rows as DRF alone would: no scope, no masks, no pages."""
    view: Any = reading.view
    ours = view.serializer_class()
    columns = {column.name for column in view.queryset.model._meta.concrete_fields}
    own: dict[str, Any] = {}
    names = []
    for name, told in ours.fields.items():
        if told.write_only or isinstance(told, serializers.SerializerMethodField):
            continue
        names.append(name)
        if isinstance(told, ByCode):
            own[name] = serializers.CharField(source=f"{told.source}.{told.slug_field}", default=None)
        elif "." in told.source:
            own[name] = serializers.CharField(source=told.source, default=None)
        elif told.source not in columns:
            own[name] = serializers.ReadOnlyField()
    meta = type("Meta", (), {"model": view.queryset.model, "fields": names})
    rows = view.queryset.all()
    if not rows.ordered:
        rows = rows.order_by(*view.pagination_class.ordering)
    plain: Any = type(
        "Plain", (ListAPIView,),
        {
            "serializer_class": type("PlainRow", (serializers.ModelSerializer,), {**own, "Meta": meta}),
            "authentication_classes": (), "permission_classes": (), "throttle_classes": (), "filter_backends": (),
            "pagination_class": None, "get_queryset": lambda self: rows.all()[:SMALL],
        },
    ).as_view()  # fmt: skip
    request = APIRequestFactory().get("/")

    def read() -> None:
        if plain(request).render().status_code != 200:
            raise AssertionError(f"a bare read of {reading.path} fails")

    return read


def tell(asking: Asking, size: str, report: Report) -> None:
    """Report an operation by the way that took longest, and what follows the rows."""
    lists = {path for path, ways_of in asking.told.items() if f"{LARGE} rows" in ways_of}
    for path, ways_of in asking.told.items():
        times = {name: percentile(way.seconds, 0.95) for name, way in ways_of.items()}
        worst = max(times, key=lambda name: times[name])
        halves = [percentile(way.seconds, 0.5) for way in ways_of.values()]
        asked = max(way.queries for way in ways_of.values())
        others = sorted({way.status for way in ways_of.values()} - {200})
        goal = SECONDS if path in lists or "{id}" in path else QUESTION
        slow = sum(seconds > goal for seconds in times.values())
        note = [f"{len(ways_of)} ways, p50 {min(halves) * 1e3:.0f}–{max(halves) * 1e3:.0f} ms, ≤ {asked} queries"]
        note += [f"slowest: {worst}"] * bool(worst) + [f"{slow} too slow"] * bool(slow)
        note += [f"status {', '.join(map(str, others))}"] * bool(others)
        report.add(
            Figure(f"{asking.name} {path}, p95 s", size, times[worst], min(times.values()), max(times.values()),
                   goal=goal, note="; ".join(note),
                   more={name: [round(percentile(way.seconds, 0.5), 4), round(times[name], 4), way.queries, way.status]
                         for name, way in ways_of.items()})
        )  # fmt: skip
        if asked > QUERIES and path not in JUDGING:
            report.add(Figure(f"{asking.name} {path}, queries", size, *[float(asked)] * 3, goal=QUERIES))
    following = [
        path for path, ways_of in asking.told.items()
        if (more := ways_of.get(f"{LARGE} rows")) is not None and more.queries != ways_of[""].queries
    ]  # fmt: skip
    report.add(
        Figure(f"{asking.name}: lists whose queries follow the rows", size, *[float(len(following))] * 3, goal=0,
               note=", ".join(following))
    )  # fmt: skip


def compare_sizes(askings: Mapping[str, list[Asking]], report: Report) -> None:
    """Say which operations ask more of the database where there is more in it."""
    (small, few), *_between = askings.items()
    large, many = list(askings.items())[-1]
    if small == large:
        return
    for one, other in zip(few, many, strict=True):
        grown = [
            f"{path} {name}: {way.queries} → {other.told[path][name].queries}"
            for path, ways_of in one.told.items() for name, way in ways_of.items()
            if name in other.told.get(path, {}) and way.status == other.told[path][name].status
            # Beyond ten thousand rows one more asks the planner how many there are.
            and other.told[path][name].queries > way.queries + 1
        ]  # fmt: skip
        report.add(
            Figure(f"{one.name}: ways with more queries than at {small}", large, *[float(len(grown))] * 3, goal=0,
                   note="; ".join(grown))
        )  # fmt: skip


def of_everybody(size: str, rounds: int, report: Report) -> list[Asking]:
    """Let an administrator, the manager of the largest branch and an employee ask for all they may."""
    root = OrgUnit.objects.filter(parent=None).order_by("pk")[0]
    below = OrgUnit.objects.filter(parent=root).order_by("pk")[0]
    inside = OrgUnit.objects.filter(parent=below).order_by("pk")[0]
    position = Position.objects.filter(org_unit__in=OrgUnit.objects.under(below.pk)).order_by("pk")[0]
    known = {"unit": inside.code, "position": position.code}
    admin = UserFactory(email="admin@bench.example", role=Role.ADMIN)
    manager = UserFactory(email="manager@bench.example", role=Role.MANAGER, unit=below)
    employee = UserFactory(email="employee@bench.example", role=Role.EMPLOYEE)
    at_work = Employee.objects.filter(
        status="ACTIVE", assignments__status="ACTIVE", home_unit__in=OrgUnit.objects.under(below.pk)
    )
    Employee.objects.filter(pk=at_work.order_by("pk")[0].pk).update(user=employee)
    logs.fill(granted_by=manager)
    share = OrgUnit.objects.under(below.pk).count() / OrgUnit.objects.count()
    report.say(f"the manager has {share:.0%} of the tree")

    found = readings()
    askings = []
    for name, user in (("admin", admin), ("manager", manager), ("employee", employee)):
        asking = Asking(name, user, known, 2 * rounds)
        for reading in found:
            if reading.path.startswith(ME) is (name == "employee"):
                asking.measure(reading)
        tell(asking, size, report)
        askings.append(asking)
    for reading in found:
        if reading.is_list and "{id}" not in reading.path and not reading.path.startswith(ME):
            beside_bare(reading, askings[0], size, rounds, report)
    return askings


def beside_bare(reading: Reading, asking: Asking, size: str, rounds: int, report: Report) -> None:
    asking.client.cookies[ACCESS] = sign_in(user=asking.user).access
    variants = {"ours": lambda: asking.get(reading.path), "bare": bare(reading)}
    seconds = alternate(variants, rounds=2 * rounds)
    report.add(
        Figure(f"{reading.path} / bare DRF", size, *ratio(seconds, "ours", "bare"),
               note=f"bare {percentile(seconds['bare'], 0.5) * 1e3:.1f} ms")
    )  # fmt: skip


def run(sizes: Sequence[str], rounds: int, report: Report) -> None:
    """Ask for everything there is in every way; then let several clients ask at once while relay and worker run."""
    askings: dict[str, list[Asking]] = {}
    for size in sizes:
        stage.enter(size, report)
        judged(report)
        with stage.copied():
            call_command("sync_permissions", verbosity=0)
            askings[size] = of_everybody(size, rounds, report)
            load.load(size, askings[size], report)
    compare_sizes(askings, report)
