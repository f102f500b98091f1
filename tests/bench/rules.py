"""`./run bench rules`: what judging costs, everyone and one, beside the floor and beside other ways."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from django.core.management import call_command
from django.db import connection

from apps.business_rules.models import RuleViolation
from apps.business_rules.registry import defined_rules
from apps.business_rules.services import sweep

from . import stage
from .harness import Figure, Report, alternate, ratio

# The eight that the goals are about: a cap, a pool, coverage, availability, duplicates, tags missing and running out.
EIGHT = (
    "MAX_WEEKLY_HOURS",
    "HOURS_OVER_POOL",
    "UNIT_UNDER_COVERED",
    "EMPLOYEE_NOT_AVAILABLE",
    "DUPLICATE_ASSIGNMENT",
    "MISSING_REQUIRED_TAG",
    "REQUIRED_TAG_EXPIRING",
    "CONTRACT_ENDING",
)
FLOOR_A = (
    "SELECT count(*), sum(effective_hours) FROM assignments_assignment WHERE NOT voided",
    "SELECT count(*), max(valid_until) FROM tags_employeetag WHERE valid_from <= '2026-12-09'",
    "SELECT count(*), max(hired_on) FROM org_employee WHERE status <> 'X'",
    "SELECT count(*), sum(required_weekly_hours) FROM org_position WHERE title <> 'X'",
    "SELECT count(*) FROM tags_positiontag WHERE level = 'REQUIRED'",
)


def floor_a() -> None:
    """Scan each of the five tables once, in order, adding something up."""
    with connection.cursor() as cursor:
        cursor.execute("SET enable_indexonlyscan = off")
        for statement in FLOOR_A:
            cursor.execute(statement)
            cursor.fetchone()
        cursor.execute("RESET enable_indexonlyscan")


def judge(rules: Sequence[str]) -> None:
    run = sweep(actor=None, rules=rules, trigger="bench")
    if run.failure:
        raise RuntimeError(run.failure)


def run(sizes: Sequence[str], rounds: int, report: Report) -> None:
    for size in sizes:
        stage.enter(size, report)
        call_command("load_reference", verbosity=0)
        everyone(size, rounds, report)


def everyone(size: str, rounds: int, report: Report) -> None:
    """The sweep against the floor: from nothing once, then again and again with nothing new to write."""
    codes = sorted(rule.code for rule in defined_rules())
    eight = [code for code in EIGHT if code in codes]
    RuleViolation.objects.all().delete()
    begun = time.perf_counter()
    judge(codes)
    first = time.perf_counter() - begun
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
    standing = RuleViolation.objects.unresolved().count()
    report.say(f"{size}: the first sweep by {len(codes)} rules took {first:.1f} s and opened {standing} violations")
    variants = {
        "floor": floor_a,
        "eight": partial(judge, eight),
        "all": partial(judge, codes),
        **{code: partial(judge, [code]) for code in codes},
    }
    seconds = alternate(variants, rounds=rounds)
    median = sorted(seconds["floor"])[len(seconds["floor"]) // 2]
    report.add(Figure("floor A, seconds", size, median, min(seconds["floor"]), max(seconds["floor"])))
    for name, title, goal in (
        ("eight", f"the {len(eight)} rules, by difference / floor A", 4.0),
        ("all", f"all {len(codes)} rules / floor A", None),
    ):
        report.add(Figure(title, size, *ratio(seconds, name, "floor"), goal=goal if size == "l" else None))
    for code in codes:
        report.add(Figure(f"{code} / floor A", size, *ratio(seconds, code, "floor")))
