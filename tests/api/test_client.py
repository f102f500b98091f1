"""A typed client made from the description, by a generator that many use, does its work without a word."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator

from apps.org.models import Position

from .conftest import PASSWORD


def generated(folder: Path, described: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    (folder / "openapi.json").write_text(json.dumps(described, default=str))
    (folder / "config.yml").write_text("post_hooks: []\n")  # what they would do is formatting
    return subprocess.run(
        [sys.executable, "-m", "openapi_python_client", "generate", "--path", str(folder / "openapi.json"),
         "--config", str(folder / "config.yml"), "--output-path", str(folder / "client"), "--fail-on-warning"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_a_client_is_generated_without_warnings_and_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, live_server: Any, house: Any
) -> None:
    run = generated(tmp_path, SchemaGenerator(api_version="1").get_schema(request=None, public=True))
    assert run.returncode == 0 and "arning" not in run.stdout + run.stderr, run.stdout + run.stderr
    monkeypatch.syspath_prepend(str(tmp_path / "client"))

    def part(name: str) -> Any:
        return importlib.import_module(f"coveris_client.{name}")

    client = part("client").Client(base_url=live_server.url)
    with client:
        signed_in = part("api.auth.auth_login").sync(
            client=client, body=part("models").CredentialsRequest(email=house.manager.email, password=PASSWORD)
        )
        assert (signed_in.role.value, signed_in.unit_code) == ("MANAGER", "H1")
        listed = part("api.positions.positions_list").sync(client=client, code="P1")
        assert [(position.code, position.unit_code) for position in listed.results] == [("P1", "H1")]
        wanted = part("models").PositionRequest(code="N1", title="Nuevo", unit_code="H1", required_weekly_hours="10.50")
        refused = part("api.positions.positions_create").sync(client=client, body=wanted)
        assert refused.code == "csrf"
        client.get_httpx_client().headers["X-CSRFToken"] = client.get_httpx_client().cookies["csrftoken"]
        made = part("api.positions.positions_create").sync(client=client, body=wanted, idempotency_key="k1")
        again = part("api.positions.positions_create").sync(client=client, body=wanted, idempotency_key="k1")
        assert made == again and made.title == "Nuevo"
    assert Position.objects.get(pk=made.id).code == "N1"


def test_what_the_generator_cannot_read_is_not_passed_over(tmp_path: Path) -> None:
    described = SchemaGenerator(api_version="1").get_schema(request=None, public=True)
    described["components"]["schemas"]["Position"]["properties"]["title"] = {"$ref": "#/components/schemas/Nowhere"}
    assert generated(tmp_path, described).returncode != 0
