"""The house itself: what the linters cannot see. Exceptions are allowed if they are listed here, with their reason."""

from __future__ import annotations

import ast
import inspect
import re
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.db import models
from django.utils import translation
from importlinter.cli import lint_imports

from apps.assignments.assignment_fsm import MACHINE as ASSIGNMENT
from apps.assignments.models import Assignment
from apps.common.admin.base import BaseAdmin
from apps.fsm.employee_fsm import MACHINE as EMPLOYEE
from apps.org.models import Employee
from worker.celery import app as celery

ROOT: Path = settings.BASE_DIR
CODE = ("apps", "project", "worker", "fixtures")

# Rows that the door writes about subjects of higher floors, which it knows by kind only.
UPWARD_KEYS = {
    ("fsm.EmployeeTransitionLog", "subject"),
    ("fsm.EmployeeStatusPeriod", "employee"),
    ("fsm.HistoricalEmployeeStatusPeriod", "employee"),
}
# Apps without a folder of tests, and why.
UNTESTED_ALONE = {
    "api": "a place, and nothing in it yet",
    "offer": "tests/demand compares the ledger with the oracle, together with coverage",
}
# A drawer for everything is no name.
NO_NAMES = {"utils", "util", "helpers", "helper", "misc", "tools", "lib", "core", "base", "stuff", "views", "constants"}

MACHINES = ((EMPLOYEE, Employee), (ASSIGNMENT, Assignment))


def our_models() -> list[type[models.Model]]:
    found = [model for model in apps.get_models() if model.__module__.startswith("apps.")]
    assert len(found) > 20
    return found


def own_models() -> list[type[models.Model]]:
    """Our models without the history tables the library makes."""
    return [model for model in our_models() if not model.__name__.startswith("Historical")]


def sources(*folders: str) -> Iterator[tuple[Path, str]]:
    for folder in folders or CODE:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path.relative_to(ROOT), path.read_text(encoding="utf-8")


def templates() -> Iterator[tuple[Path, str]]:
    found = [path for folder in ("apps", "project") for path in sorted((ROOT / folder).rglob("*.html"))]
    assert found
    for path in found:
        yield path.relative_to(ROOT), path.read_text(encoding="utf-8")


def label(model: Any) -> str:
    return model._meta.label


def floors() -> list[str]:
    """The apps from the top of the house down, as the import contract says."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["id"] == "floors"]
    return [layer.removeprefix("apps.") for layer in layers if layer.startswith("apps.")]


def test_imports_keep_their_contracts(capsys: pytest.CaptureFixture[str]) -> None:
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert status == 0, capsys.readouterr().out


def test_every_app_has_its_floor() -> None:
    assert set(floors()) == {path.parent.name for path in (ROOT / "apps").glob("*/apps.py")}


def upward_keys() -> set[tuple[str, str]]:
    height = {name: -n for n, name in enumerate(floors())}
    found = set()
    for model in our_models():
        for field in [*model._meta.concrete_fields, *model._meta.local_many_to_many]:
            target = field.related_model
            if target is None or not target.__module__.startswith("apps."):
                continue
            if height[target._meta.app_label] > height[model._meta.app_label]:
                found.add((label(model), field.name))
    return found


def test_foreign_keys_point_down_the_house() -> None:
    assert upward_keys() == UPWARD_KEYS


@pytest.mark.parametrize("model", own_models(), ids=label)
def test_every_model_says_what_it_is(model: type[models.Model]) -> None:
    assert model.__str__ is not models.Model.__str__
    assert (inspect.getdoc(model) or "").strip() != (inspect.getdoc(models.Model) or "").strip()
    assert not (model.__doc__ or "").startswith(f"{model.__name__}(")


@pytest.mark.parametrize("model", own_models(), ids=label)
def test_names_of_models_are_lower_case_and_set(model: type[models.Model]) -> None:
    with translation.override("en"):
        for name in ("verbose_name", "verbose_name_plural"):
            assert name in model._meta.original_attrs, f"{name} of {label(model)} is not set"
            text = str(getattr(model._meta, name))
            assert text[:1] == text[:1].lower(), text
        for field in model._meta.local_concrete_fields:
            text = str(field.verbose_name)
            assert text[:1] == text[:1].lower() or text == "ID", f"{field}: {text}"


def test_every_screen_has_the_base() -> None:
    screens = list(admin.site._registry.values())
    assert len(screens) > 10
    assert [type(screen) for screen in screens if not isinstance(screen, BaseAdmin)] == []


def test_every_task_says_when_it_runs_and_what_a_second_run_does() -> None:
    celery.loader.import_default_modules()
    tasks = {name: task for name, task in celery.tasks.items() if not name.startswith("celery.")}
    assert len(tasks) > 5
    assert [name for name, task in tasks.items() if not (task.run.__doc__ or "").strip()] == []


@pytest.mark.parametrize(("machine", "model"), MACHINES, ids=lambda value: getattr(value, "label", ""))
def test_the_written_machine_is_the_one_that_runs(machine: Any, model: Any) -> None:
    """Machine (what buttons and docs are made from) and the @transition methods say the same."""
    written = {(source, move.name, str(move.target)) for move in machine.moves for source in move.sources}
    running = {
        (source, move.name, str(move.target))
        for move in model._meta.get_field("status").get_all_transitions(model)
        for source in [move.source]
    }
    assert running == written


@pytest.mark.parametrize(("machine", "model"), MACHINES, ids=lambda value: getattr(value, "label", ""))
def test_every_move_and_state_has_words_of_its_own(machine: Any, model: Any) -> None:
    for language in ("en", "es"):
        with translation.override(language):
            labels = [str(move.label) for move in machine.moves]
            assert all(labels)
            assert len(labels) == len(set(labels))
    assert set(machine.colours) == set(machine.states)


def calls_of_transitions(path: Path, text: str) -> list[str]:
    names = {move.name for machine, _model in MACHINES for move in machine.moves}
    return [
        f"{path}:{node.lineno}"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in names
        # Each of them asks for `today`, so that nothing else of that name is meant.
        and any(keyword.arg == "today" for keyword in node.keywords)
    ]


def test_only_the_door_calls_transitions() -> None:
    found = [call for path, text in sources() for call in calls_of_transitions(path, text)]
    assert found == []
    assert calls_of_transitions(Path("x.py"), "employee.suspend(today=day)") == ["x.py:1"]


def test_only_the_relay_rings_the_broker() -> None:
    ringing = re.compile(r"\.(delay|apply_async|send_task|apply)\(")
    found = {
        str(path)
        for path, text in sources()
        for line in text.splitlines()
        if (match := ringing.search(line)) and match[1] != "apply"
    }
    assert found == {"worker/relay.py"}


def test_a_page_trusts_no_text() -> None:
    trusting = re.compile(r"mark_safe|SafeText\(|csrf_exempt|autoescape=False")
    assert [str(path) for path, text in sources() if trusting.search(text)] == []
    trusting = re.compile(r"\|\s*safe\b|\|\s*safeseq\b|autoescape\s+off")
    assert [str(path) for path, text in templates() if trusting.search(text)] == []


def test_no_page_carries_a_script_of_its_own() -> None:
    """The script policy is 'self': what stands in the page itself would not run, and must not be needed."""
    inline = re.compile(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)|\son[a-z]+\s*=\s*[\"']|javascript:", re.I)
    assert [str(path) for path, text in templates() if inline.search(text)] == []


def test_no_file_is_a_drawer() -> None:
    drawers = {path for path, _text in sources("apps") if path.stem in NO_NAMES}
    # The base of the admins: named by what it is to them.
    assert drawers == {Path("apps/common/admin/base.py")}


def service_modules() -> Iterator[ModuleType]:
    for config in apps.get_app_configs():
        if not config.name.startswith("apps."):
            continue
        try:
            services = import_module(f"{config.name}.services")
        except ModuleNotFoundError:
            continue
        yield services
        for module in iter_modules(getattr(services, "__path__", [])):
            yield import_module(f"{services.__name__}.{module.name}")


def public_services() -> dict[str, Any]:
    found = {
        f"{module.__name__}.{name}": function
        for module in service_modules()
        for name, function in vars(module).items()
        if inspect.isfunction(function) and function.__module__ == module.__name__ and not name.startswith("_")
    }
    assert len(found) > 30
    return found


def test_an_actor_has_no_default() -> None:
    """Nobody writes anonymously by forgetting to say who; None, said, is the system."""
    forgetful = {
        name
        for name, service in public_services().items()
        if (actor := inspect.signature(service).parameters.get("actor")) is not None
        and actor.default is not inspect.Parameter.empty
    }
    assert forgetful == set()


def test_an_actor_is_named() -> None:
    positional = [
        name
        for name, service in public_services().items()
        if (actor := inspect.signature(service).parameters.get("actor")) is not None
        and actor.kind is not inspect.Parameter.KEYWORD_ONLY
    ]
    assert positional == []


def test_every_service_says_what_it_does() -> None:
    silent = [name for name, service in public_services().items() if not (service.__doc__ or "").strip()]
    assert silent == []


def test_tests_mirror_the_apps() -> None:
    untested = {app for app in floors() if not list((ROOT / "tests" / app).glob("test_*.py"))}
    assert untested <= set(UNTESTED_ALONE)
