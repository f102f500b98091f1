"""What docs/api.md says of webhooks is what happens: its receiver runs, its examples are of what is sent."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from drf_spectacular.generators import SchemaGenerator

from apps.business_rules.services import sweep
from apps.changes.drain import drain
from apps.fsm.services import apply_transition
from apps.webhooks.enums import ASKED_FOR
from apps.webhooks.models import WebhookDelivery
from apps.webhooks.posting import post
from apps.webhooks.schema import DATA
from apps.webhooks.sending import send_due
from apps.webhooks.services import send_again
from tests.factories import AssignmentFactory, Clinic
from tests.rules.catalogue import install_rules

from .conftest import Make

pytestmark = pytest.mark.django_db(transaction=True)
PAGE: Path = django_settings.BASE_DIR / "docs" / "api.md"
SCRIPT = re.compile(r"<!-- receiver -->\n```python\n(.*?)```", re.DOTALL)
EXAMPLES = re.compile(r"<!-- examples of webhooks -->\n(.*?)<!-- end of the examples -->", re.DOTALL)


def examples() -> dict[str, Any]:
    match = EXAMPLES.search(PAGE.read_text())
    assert match is not None
    found = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", match[1], re.DOTALL)]
    return {one["topic"]: one for one in found}


class Started:
    """The receiver of the page, as a program of its own."""

    def __init__(self, folder: Path, secret: str, port: int):
        script = SCRIPT.search(PAGE.read_text())
        assert script is not None
        (folder / "receiver.py").write_text(script[1])
        self.output = folder / "output"
        self.process = subprocess.Popen(
            [sys.executable, "-I", str(folder / "receiver.py"), str(port)],
            env={"COVERIS_SECRET": secret, "PATH": os.environ["PATH"]},
            stdout=self.output.open("w"),
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("the receiver of docs/api.md did not start")

    @property
    def lines(self) -> list[str]:
        return self.output.read_text().splitlines()


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def start(tmp_path: Path, port: int) -> Iterator[Any]:
    started: list[Started] = []

    def begin(secret: str) -> Started:
        started.append(Started(tmp_path, secret, port))
        return started[-1]

    yield begin
    for one in started:
        one.process.kill()
        one.process.wait()


def happen(clinic: Clinic) -> None:
    """Let something of every topic happen."""
    assignment = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=61)
    apply_transition(type(assignment).objects.get(pk=assignment.pk), "accept", actor=None, confirmed=True)
    apply_transition(clinic.surgeon, "suspend", actor=None, reason="x")
    install_rules()
    drain()
    sweep(actor=None)


def test_the_receiver_of_the_page_takes_each_event_once_and_nobody_elses(
    clinic: Clinic, endpoint_at: Make, start: Any, port: int
) -> None:
    endpoint, secret = endpoint_at(f"http://127.0.0.1:{port}/")
    receiver = start(secret)
    happen(clinic)
    number = WebhookDelivery.objects.count()
    assert send_due(seconds=60).taken == number == len(receiver.lines)
    assert {line.split()[0] for line in receiver.lines} == set(ASKED_FOR)
    send_again(deliveries=WebhookDelivery.objects.all(), actor=None)
    assert send_due(seconds=60).taken == number == len(receiver.lines)
    # Somebody who does not know the secret, and somebody who repeats what was overheard.
    assert (
        post(endpoint.url, {"Coveris-Timestamp": str(int(time.time())), "Coveris-Signature": "v1=0"}, b"{}").status
        == 401
    )
    assert post(endpoint.url, {}, b"{}").status == 401


def test_the_examples_have_the_fields_of_the_bodies_that_are_sent(clinic: Clinic, endpoint_at: Make) -> None:
    endpoint_at("http://127.0.0.1:9/")
    happen(clinic)
    told = examples()
    assert set(told) == set(ASKED_FOR)
    for topic in ASKED_FOR:
        delivery = WebhookDelivery.objects.filter(topic=topic).first()
        assert delivery is not None
        assert shape(told[topic]["data"]) == shape(delivery.data)
        assert set(told[topic]) == {"id", "topic", "sequence", "at", "data"}


def shape(value: Any) -> Any:
    return {key: shape(item) for key, item in value.items()} if isinstance(value, dict) else None


def test_the_description_names_the_fields_of_the_bodies() -> None:
    schema = SchemaGenerator(api_version="1").get_schema(request=None, public=True)
    assert set(schema["webhooks"]) == set(ASKED_FOR) == set(DATA)
    parts = schema["components"]["schemas"]
    for topic, example in examples().items():
        content = schema["webhooks"][topic]["post"]["requestBody"]["content"]["application/json"]["schema"]
        event = parts[content["$ref"].rsplit("/", 1)[1]]
        assert set(event["properties"]) == set(example)
        data = parts[event["properties"]["data"]["$ref"].rsplit("/", 1)[1]]
        assert set(data["properties"]) == set(example["data"])
