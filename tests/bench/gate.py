"""The gate: one proposed assignment, judged as a proposal really is, and what it reads of the database."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date

from django.db import connection, transaction

from apps.business_rules.questions import Question, as_accepted_of
from apps.business_rules.services.gate import Judgement
from apps.business_rules.sql import all_found, settings_in_effect

from .data import TODAY
from .harness import Figure, Report, percentile

CALLS, WARM_UP, LOOKED_AT = 300, 60, 60
INSERT = """
    INSERT INTO assignments_assignment
        (employee_id, position_id, effective_hours, is_reinforcement, status, starts_on, voided)
    VALUES (%s, %s, %s, true, 'PROPOSED', %s, false) RETURNING id
"""
Proposal = tuple[int, int, int]


def proposals(count: int, seed: int = 1) -> list[Proposal]:
    """Return (employee, position, hours) drawn from all there are."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT (SELECT max(id) FROM org_employee), (SELECT max(id) FROM org_position)")
        employees, positions = cursor.fetchone()
    dice = random.Random(seed)
    return [(dice.randint(1, employees), dice.randint(1, positions), dice.choice((4, 12, 40))) for _ in range(count)]


@contextmanager
def proposed(proposal: Proposal, starts_on: date = TODAY) -> Iterator[int]:
    """Let the proposal stand within the block, and yield its id."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(INSERT, [*proposal, starts_on])
            (pk,) = cursor.fetchone()
        yield pk
        transaction.set_rollback(True)


def judged_in(proposal: Proposal) -> float:
    """Return the seconds the gate took for a proposal: all but the insert itself."""
    with transaction.atomic():
        begun = time.perf_counter()
        judgement = Judgement(None, confirmed=True)
        judgement.look_before({"employee": [proposal[0]]})
        before = time.perf_counter() - begun
        with proposed(proposal) as pk:
            begun = time.perf_counter()
            judgement.add("assignment", [pk])
            judgement.look_after()
            judgement.verdict()
            return before + time.perf_counter() - begun


def buffers(proposal: Proposal) -> int:
    """Return how many pages the statement that judges a proposal touches."""
    with proposed(proposal) as pk:
        ids = {"employee": [proposal[0]], "position": [proposal[1]], "assignment": [pk]}
        question = Question(TODAY, ids, as_accepted=as_accepted_of(ids), at_gate=True)
        sql, params = all_found(settings_in_effect(TODAY), question)
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {sql}", params)
            plan = cursor.fetchone()[0]
        plan = json.loads(plan) if isinstance(plan, str) else plan
        top = plan[0]["Plan"]
        return int(top["Shared Hit Blocks"] + top["Shared Read Blocks"])


def round_trip() -> float:
    begun = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    return time.perf_counter() - begun


def gate(size: str, report: Report) -> tuple[float, float]:
    """Report the gate at a size; return (p95 seconds, median pages) for the comparison of sizes."""
    drawn = proposals(CALLS + WARM_UP)
    for one in drawn[:LOOKED_AT]:
        buffers(one)
    pages = sorted(buffers(one) for one in drawn[:LOOKED_AT])
    seconds = [judged_in(one) for one in drawn][WARM_UP:]
    floor = percentile([round_trip() for _ in range(CALLS)], 0.5)
    p50, p95 = percentile(seconds, 0.5), percentile(seconds, 0.95)
    report.add(
        Figure(
            "gate, p95 ms", size, p95 * 1e3, min(seconds) * 1e3, max(seconds) * 1e3,
            goal=10.0 if size == "l" else None, note=f"p50 {p50 * 1e3:.2f} ms = {p50 / floor:.0f} round trips",
        )
    )  # fmt: skip
    report.add(Figure("gate, pages touched (median)", size, pages[len(pages) // 2], pages[0], pages[-1]))
    return p50, float(pages[len(pages) // 2])


def growth(sizes: Sequence[str], seen: dict[str, tuple[float, float]], report: Report) -> None:
    """Compare the gate of sizes: it must not notice how large the clinic is."""
    if {"s", "l"} <= set(sizes):
        ratio = seen["l"][0] / seen["s"][0]
        report.add(Figure("gate, median at l / at s", "s–l", ratio, ratio, ratio, goal=1.25))
    if {"m", "l"} <= set(sizes):
        ratio = seen["l"][1] / seen["m"][1]
        report.add(Figure("gate, pages at l / at m", "m–l", ratio, ratio, ratio, goal=1.15))
