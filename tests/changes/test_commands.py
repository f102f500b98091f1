"""`recompute`, `prove` and `probe_recompute` say yes or no by their exit status."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from apps.changes.drain import drain
from apps.changes.models import Mark, Proof, Repair
from apps.demand.models import PositionCoverage
from tests.factories import AssignmentFactory, PositionFactory

from .conftest import in_background
from .test_drain import poison

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> tuple[int, str, str]:
    out, err = StringIO(), StringIO()
    try:
        call_command(*arguments, stdout=out, stderr=err)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def test_recompute_works_off_what_waits() -> None:
    AssignmentFactory(accepted=True)
    status, out, _err = run("recompute")
    assert status == 0
    assert "marks worked off" in out
    assert not Mark.objects.exists()


def test_recompute_all_repairs_what_no_mark_knows_of() -> None:
    AssignmentFactory(accepted=True)
    drain()
    PositionCoverage.objects.update(required=[])
    assert run("recompute")[0] == 0
    assert PositionCoverage.objects.get().required == []
    assert run("recompute", "--all")[0] == 0
    assert PositionCoverage.objects.get().required[1] == 25_200


def test_recompute_says_no_while_something_cannot_be_computed() -> None:
    position = PositionFactory()
    poison(position)
    status, _out, err = run("recompute")
    assert status == 1
    assert "still waiting: position" in err


def test_prove_finds_drift_says_no_and_has_it_computed_again() -> None:
    AssignmentFactory(accepted=True)
    drain()
    status, out, _err = run("prove", "--json")
    answer: Any = json.loads(out)
    assert (status, answer["drift"], answer["checked"]) == (0, [], 1 + 1 + 2 + 2)
    PositionCoverage.objects.update(required=[7] * 13)
    status, out, _err = run("prove", "--json")
    answer = json.loads(out)
    assert (status, len(answer["drift"])) == (1, 1)
    assert answer["drift"][0]["stored"]["required"] == [7] * 13
    assert answer["drift"][0]["computed"]["required"][1] == 25_200
    repair = Repair.objects.get()
    assert (repair.proof_id, repair.origin, repair.actor_id) == (answer["proof"], "command", None)
    assert repair.subjects == {"position": [PositionCoverage.objects.get().pk]}
    status, out, _err = run("prove", "--json")
    assert (status, json.loads(out)["drift"]) == (0, [])
    assert Repair.objects.count() == 1


def test_whoever_only_looks_changes_nothing() -> None:
    AssignmentFactory(accepted=True)
    drain()
    PositionCoverage.objects.update(required=[7] * 13)
    for _time in range(2):
        status, out, _err = run("prove", "--look")
        assert status == 1
        assert "stored" in out
    assert not Proof.objects.exists()


def test_a_probe_without_workers_is_a_no_and_leaves_nothing() -> None:
    status, _out, err = run("probe_recompute", "--timeout", "0.2")
    assert status == 1
    assert "no worker" in err
    assert not Mark.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_probe_that_a_worker_takes_is_a_yes() -> None:
    probing = in_background(lambda: run("probe_recompute", "--timeout", "30"))
    while probing.is_alive():
        drain()
    status, out, _err = probing.finish()
    assert status == 0
    assert "worked off" in out
