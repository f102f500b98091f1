"""The container files say the same as the launcher."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from project.devstack.home import CHECKOUT
from project.devstack.processes import PREPARE, STACK, WEB, Process


def compose() -> dict[str, Any]:
    return yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())


def apprunner() -> dict[str, Any]:
    return yaml.safe_load((CHECKOUT / "apprunner.yaml").read_text())


def test_docker_compose_has_the_servers_the_preparation_and_every_process() -> None:
    assert set(compose()["services"]) == {"db", "redis", "prepare"} | {process.name for process in STACK}


@pytest.mark.parametrize("process", STACK, ids=lambda process: process.name)
def test_docker_compose_runs_the_launchers_command(process: Process) -> None:
    service = compose()["services"][process.name]
    assert service["command"] == process.argv(host="0.0.0.0", port=8000)
    assert process.environment.items() <= service["environment"].items()
    assert service["restart"] == "always"
    assert service["depends_on"]["prepare"] == {"condition": "service_completed_successfully"}


@pytest.mark.parametrize("name", sorted(compose()["services"]))
def test_every_service_says_how_it_is(name: str) -> None:
    health = compose()["services"][name]["healthcheck"]
    assert health["test"][0] == "CMD" if name != "prepare" else health == {"disable": True}


def test_the_preparation_leaves_the_demo_clinic_out_and_runs_once() -> None:
    service = compose()["services"]["prepare"]
    assert tuple(service["command"]) == (*PREPARE, "--empty")
    assert service["restart"] == "no"


def test_no_secret_of_docker_compose_has_a_default() -> None:
    text = (CHECKOUT / "docker-compose.yml").read_text()
    secrets = set(re.findall(r"\$\{(\w*(?:PASSWORD|SECRET)\w*)", text))
    assert secrets == {"POSTGRES_PASSWORD", "REDIS_PASSWORD", "DJANGO_SECRET_KEY"}
    assert not re.findall(r"\$\{\w*(?:PASSWORD|SECRET)\w*(?!\w|:\?)", text)


def test_the_image_runs_the_web_unless_told_otherwise() -> None:
    lines = (CHECKOUT / "Dockerfile").read_text().splitlines()
    command = next(line.removeprefix("CMD ") for line in lines if line.startswith("CMD "))
    assert json.loads(command) == WEB.argv(host="0.0.0.0", port=8000)


def test_the_image_does_not_run_as_root() -> None:
    final = (CHECKOUT / "Dockerfile").read_text().split("\nFROM ")[-1]
    assert re.search(r"^USER coveris$", final, re.MULTILINE)
    assert final.index("USER coveris") < final.index("CMD [")


def test_what_is_private_or_heavy_stays_out_of_the_image() -> None:
    ignored = (CHECKOUT / ".dockerignore").read_text().split()
    assert {".git", ".env", ".venv", ".local", "tests"} <= set(ignored)


def test_app_runner_runs_the_launchers_web() -> None:
    run = apprunner()["run"]
    assert shlex.split(run["command"].removeprefix(".venv/bin/")) == WEB.argv(host="0.0.0.0", port=8000)
    assert run["network"]["port"] == 8000
    told = {item["name"]: item["value"] for item in run["env"]}
    assert WEB.environment.items() <= told.items()
    assert told["DJANGO_SETTINGS_MODULE"] == "project.settings.production"


def test_the_image_and_app_runner_bring_the_same_uv() -> None:
    (image,) = re.findall(r"astral-sh/uv:([\d.]+)", Path(CHECKOUT / "Dockerfile").read_text())
    (runner,) = re.findall(r"uv==([\d.]+)", Path(CHECKOUT / "apprunner.yaml").read_text())
    assert image == runner
