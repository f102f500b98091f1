"""Hundreds of broken files: each is refused with its place and a sentence, and nothing of it is written."""

from __future__ import annotations

import subprocess
import sys
import zlib
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from apps.common.resources import resources
from apps.imports import xlsx_child
from apps.imports.carrying_out import run_waiting_imports
from apps.imports.enums import JobState
from apps.imports.models import ImportJob
from apps.imports.reading import CELL_LENGTH, Limits, Unreadable, read_file
from apps.imports.reading import Options as Reading

from .malformed import GOOD, Malformed, everything, package, worksheet, written, zipped
from .support import bring, counts
from .whole_way import CPU_SECONDS, FULL, INTERNALS, furnish, same_in_spanish, send, state

ALL = everything()
PARTS = 8 if FULL else 2
# Of the many that are alike a few are enough for every day.
SAMPLE = [one for one in ALL if FULL or zlib.crc32(one.name.encode()) % 30 == 0]
PAGES = [one for one in ALL if zlib.crc32(one.name.encode()) % (12 if FULL else 400) == 1]


def refused_wrongly(case: Malformed, actor: Any) -> list[str]:
    """Send one file in both languages; return what is wrong."""
    content = case.content
    report, wrong = send(case.kind, content, reading=case.reading, actor=actor)
    if report is None:
        return wrong
    came_in = (report.created, report.updated)
    if case.must_be_refused and (report.ok or any(came_in)):
        wrong.append(f"it was taken: {came_in}, {report.changes[:2]}")
    if isinstance(case.comes_in, tuple) and (not report.ok or came_in != case.comes_in):
        wrong.append(f"{came_in} instead of {case.comes_in}: {report.errors[:2]}")
    if not report.ok:
        other, more = send(case.kind, content, reading=case.reading, actor=actor, language="es")
        wrong += [*more, *same_in_spanish(report, other)]
    return wrong


@pytest.fixture
def house(clinic: Any) -> Any:
    furnish(clinic)
    return clinic


def test_there_are_more_than_three_hundred_of_them_and_all_kinds_are_among_them() -> None:
    assert len(ALL) > 600
    assert {one.kind for one in ALL} == set(GOOD) == set(resources())
    assert sum(one.must_be_refused for one in ALL) > 300


@pytest.mark.parametrize("kind", GOOD)
def test_the_sheet_they_are_made_of_comes_in(kind: str, house: Any) -> None:
    report = bring(kind, written(GOOD[kind]).encode())
    assert counts(report) == (2, 0, 0, 0), report.errors


@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_broken_comes_in_crashes_or_stays_unexplained(part: int, house: Any) -> None:
    found = {}
    for number, case in enumerate(SAMPLE[part::PARTS]):
        if wrong := refused_wrongly(case, house.admin if number % 2 else None):
            found[case.name] = wrong
    assert not found, "\n\n".join(f"{name}:\n  " + "\n  ".join(wrong) for name, wrong in found.items())


def post(client: Client, case: Malformed, mode: str) -> Any:
    values = {"kind": case.kind, "mode": mode, "dates": "iso", "decimal": "point", "separator": "auto",
              "encoding": "auto", **case.reading}  # fmt: skip
    file = SimpleUploadedFile("../../planilla.xlsx", case.content)
    return client.post(reverse("admin:imports_importjob_add"), {**values, "file": file})


@pytest.mark.timeout(900)
@pytest.mark.parametrize("language", ["en", "es"])
def test_the_page_and_the_worker_refuse_them_too(language: str, house: Any, as_user: Any, settings: Any) -> None:
    client = as_user(house.admin)
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
    for number, case in enumerate(PAGES):
        before = state()
        whole = number % 3 > 0
        answer = post(client, case, "all-or-nothing" if whole else "good-rows")
        assert answer.status_code in (200, 302), case.name
        if answer.status_code == 200:
            errors = " ".join(str(error) for field in answer.context["form"].errors.values() for error in field)
            assert errors and not INTERNALS.search(errors), case.name
            continue
        run_waiting_imports()
        job = ImportJob.objects.latest("pk")
        assert job.state in (JobState.PREVIEWED, JobState.REFUSED), (case.name, job.state)
        page = client.get(answer["Location"])
        assert page.status_code == 200, case.name
        if case.must_be_refused:
            assert job.errors, case.name
            assert not whole or 'id="confirm"' not in page.content.decode(), case.name
        assert state() == before, case.name


MEASURED = """
import resource, subprocess, sys
child = [sys.executable, "-I", *sys.argv[1:]]
subprocess.run(child, stdin=sys.stdin.buffer, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
"""
# What a process begins with counts as its own (Linux carries it over an exec): a small one in between measures.
HEAVY = [one for one in ALL if not isinstance(one.made, bytes) or len(one.made) > 20_000 or "sheet: a " in one.name]


@pytest.mark.timeout(900)
def test_the_child_that_reads_workbooks_stays_small_and_quick() -> None:
    seconds, memory = 0.0, 0
    for case in HEAVY if FULL else HEAVY[::12]:
        content = case.content
        if not content.startswith(b"PK"):
            continue
        limits = [str(number) for number in (512, 60, 300_000, 100, CELL_LENGTH, 1_000)]
        answer = subprocess.run(
            [sys.executable, "-I", "-c", MEASURED, xlsx_child.__file__, *limits], input=content, capture_output=True,
            check=True,
        ).stdout.split()  # fmt: skip
        assert float(answer[0]) <= CPU_SECONDS and int(answer[1]) <= 512 * 1024, (case.name, answer)
        seconds, memory = max(seconds, float(answer[0])), max(memory, int(answer[1]))
    print(f"at most {seconds:.1f} s and {memory // 1024} MiB")


@pytest.mark.parametrize("limit", ["rows", "columns", "unpacked", "memory"])
def test_the_canary_a_limit_that_is_off_lets_its_file_in(limit: str) -> None:
    """Each limit is what refuses; without it the same file is read."""
    wide = dict.fromkeys(("file", "unpacked", "rows", "columns"), 10**9)
    tight = {"rows": 19_999, "columns": 1, "unpacked": 1_000, "memory": 20}[limit]
    content = zipped(package(sheet=worksheet([["code", "name"], *([f"N{n}", f"Sala {n}"] for n in range(20_000))])))

    def read(**limits: int) -> int:
        return len(list(read_file(content, options=Reading(), headers={}, limits=Limits(**{**wide, **limits}))))

    with pytest.raises(Unreadable):
        read(**{limit: tight})
    assert read() == 20_000
