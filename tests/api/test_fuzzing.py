"""Whatever is sent to an operation, its answer is one that the description foresees.

Every day a few cases an operation and role; `FUZZ=50 ./run test tests/api/test_fuzzing.py` makes as many, and asks at
every edge of what is described besides. Each is taken back, so that the next one meets the same records.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, connection, transaction
from drf_spectacular.generators import SchemaGenerator
from hypothesis import strategies as st
from schemathesis import AuthContext, GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import FailureGroup

from apps.api.tokens import sign_in
from apps.demand.api import Weeks
from apps.org.api import PositionViewSet

FUZZ = int(os.environ.get("FUZZ", "2"))
EDGES_FROM = 20
CSRF = "b" * 32
# Whether a code is anybody's, or a day lies behind another one, stands in no description.
load_all_checks()
NOT_MEANT = CHECKS.get_by_names(["positive_data_acceptance"])
# What a good case names, so that it gets further than to a code that is nobody's.
KNOWN = {
    "unit_code": "H1", "home_unit_code": "H1", "parent_code": "H", "employee_number": "E1", "position_code": "P1",
    "tag_code": "CERT", "transition": "suspend", "unit": "H1", "position": "P1", "week": "2026-W51",
}  # fmt: skip


class SignedIn:
    """What somebody sends along; schemathesis asks for it anew every few minutes, before a token runs out."""

    user: Any

    def get(self, case: Any, context: Any) -> str:
        return sign_in(user=self.user).access

    def set(self, case: Any, data: str, context: Any) -> None:
        case.cookies = {**(case.cookies or {}), "coveris_access": data, "csrftoken": CSRF}
        case.headers = {**(case.headers or {}), "X-CSRFToken": CSRF}


@pytest.fixture(autouse=True)
def one_connection() -> Iterator[None]:
    """Requests come as from a server, which looks after connections that here are the test's own."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def description() -> dict[str, Any]:
    described: dict[str, Any] = SchemaGenerator(api_version="1").get_schema(request=None, public=True)
    return described


def drawn(operation: Any) -> list[Any]:
    """Return good cases and bad ones, the same ones on every run."""
    cases: list[Any] = []

    @hypothesis.seed(zlib.crc32(operation.label.encode()))
    @hypothesis.settings(
        max_examples=FUZZ, database=None, deadline=None, phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    @hypothesis.given(st.one_of(*(operation.as_strategy(mode) for mode in GenerationMode)))
    def draw(case: Any) -> None:
        cases.append(case)

    draw()
    if FUZZ >= EDGES_FROM:
        schema = operation.schema
        cases += schema.iter_coverage_cases(
            operation, generation_modes=list(GenerationMode), generation_config=schema.config.generation
        )
    return cases


def point_at(case: Any, records: dict[str, int]) -> None:
    """Have two of three good cases name records that are there, and the first page."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    prefix = case.path.removeprefix("/api/v1/").split("/{")[0]
    for part in (case.path_parameters, case.query, case.body):
        for name, value in list(part.items()) if isinstance(part, dict) else ():
            if not zlib.crc32(repr(value).encode()) % 3:
                continue
            if name == "id" and part is case.path_parameters:
                part[name] = records.get(prefix, 1)
            elif name in KNOWN and isinstance(value, str):
                part[name] = KNOWN[name]
            elif name in ("page", "cursor") and part is case.query:
                del part[name]


def faults(described: dict[str, Any], user: Any, records: dict[str, int], only: str = "") -> dict[tuple[str, str], str]:
    """Return what the answers to somebody break: operation and kind of fault → what was asked and told."""
    schema = schemathesis.openapi.from_dict(described)
    schema.app = get_wsgi_application()
    schema.config.generation.with_security_parameters = False
    if user is not None:
        schema.auth()(type("Person", (SignedIn,), {"user": user}))
    found: dict[tuple[str, str], str] = {}
    for result in schema.get_all_operations():
        operation = result.ok()
        if not operation.path.startswith(only):
            continue
        for case in drawn(operation):
            point_at(case, records)
            if user is not None:
                schema.auth.set(case, AuthContext(operation=operation, app=schema.app))
            try:
                with transaction.atomic():
                    case.call_and_validate(excluded_checks=NOT_MEANT)
                    connection.check_constraints()  # what a commit would say
                    transaction.set_rollback(True)
            except FailureGroup as group:
                asked = re.sub(r"eyJ[\w.-]+", "…", case.as_curl_command())
                for fault in group.exceptions:
                    found.setdefault((operation.label, type(fault).__name__), f"{fault}\n{asked}")
    return found


@pytest.mark.timeout(6 * 3600)
@pytest.mark.parametrize("role", ["admin", "supervisor", "employee", "nobody"])
def test_every_answer_is_one_that_is_described(
    role: str, house: Any, records: dict[str, int], description: dict[str, Any]
) -> None:
    found = faults(description, getattr(house, role, None), records)
    assert not found, "\n\n".join(f"{label}: {kind}\n{told}" for (label, kind), told in found.items())


# The canaries


def test_an_answer_that_is_not_described_is_found(house: Any, records: dict[str, int], description: Any) -> None:
    for answer in ("200", "400", "404"):
        del description["paths"]["/api/v1/tags/{id}/"]["get"]["responses"][answer]
    assert ("GET /api/v1/tags/{id}/", "UndefinedStatusCode") in faults(
        description, house.admin, records, "/api/v1/tags"
    )


def test_an_answer_of_another_shape_is_found(house: Any, records: dict[str, int], description: Any) -> None:
    description["components"]["schemas"]["WeekTold"]["properties"]["week"] = {"type": "integer"}
    found = faults(description, house.admin, records, "/api/v1/weeks")
    assert ("GET /api/v1/weeks/", "JsonSchemaError") in found


def test_a_failure_is_found(house: Any, records: Any, description: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(PositionViewSet, "queryset", None)
    found = faults(description, house.admin, records, "/api/v1/positions")
    assert ("GET /api/v1/positions/", "ServerError") in found


def test_a_view_open_to_everybody_is_found(
    house: Any, records: dict[str, int], description: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(Weeks, "permission_classes", [])
    found = faults(description, house.admin, records, "/api/v1/weeks")
    assert ("GET /api/v1/weeks/", "IgnoredAuth") in found
