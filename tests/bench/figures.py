"""`./run bench ledger`, `coverage`, `growth`: what figures cost, everybody's and after one change, beside a scan."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from django.db import connection, transaction

from apps.assignments.models import Assignment
from apps.business_rules.services.sweeps import sweep
from apps.changes import storing
from apps.changes.drain import drain
from apps.changes.span import Span
from apps.demand.coverage import coverage_sql, unit_sql
from apps.demand.tables import POSITIONS, UNITS, WHOLES
from apps.demand.whole import added_up_sql
from apps.offer import usage
from apps.offer.ledger import ledger_sql
from apps.offer.recompute import TABLE as LEDGER
from apps.org.models import Employee, Leave, Position
from apps.tags.models import EmployeeTag

from . import stage
from .data import TODAY
from .harness import Figure, Report, alternate, percentile, ratio
from .memory import most_memory
from .rules import EIGHT, FLOOR_A, judged, scans

ASSIGNMENTS, TAGS, EMPLOYEES, POSITION, _ASKED = FLOOR_A
FLOOR_C, FLOOR_E = (ASSIGNMENTS, POSITION), (ASSIGNMENTS, TAGS, EMPLOYEES)
SAMPLE, CHANGES, WARM_UP, LOOKED_AT = 200, 120, 20, 60
MANY = (1_000, 10_000)
WHOLE, WEEK = Span.current(TODAY), Span(Span.current(TODAY).first_week, 1, TODAY)
Query = tuple[str, dict[str, Any]]


def computed(query: Query, figures: Sequence[str]) -> None:
    """Compute every row of a query and every figure in it, and keep nothing."""
    sql, params = query
    read = " + ".join(f"sum(cardinality({name}))" for name in figures)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {read} FROM ({sql}) AS figures", params)
        cursor.fetchone()


def written(*parts: tuple[storing.Table, Query]) -> None:
    """Compute everything and write what differs, as one transaction."""
    with transaction.atomic():
        for table, (sql, params) in parts:
            if storing.write(table, sql, params, WHOLE):
                raise AssertionError(f"{table.name} was not what it computes to")


def ledger_written() -> None:
    written(
        (LEDGER, ledger_sql(WHOLE, engaged=True)),
        (usage.OWN, usage.usage_sql(WHOLE)),
        (usage.WHOLE, usage.whole_usage_sql(WHOLE)),
    )


def coverage_written() -> None:
    written(
        (POSITIONS, coverage_sql(WHOLE)),
        (UNITS, unit_sql(WHOLE, source=POSITIONS.name)),
        (WHOLES, added_up_sql(WHOLE, own=UNITS.name)),
    )


def everything() -> None:
    """The whole pass: every account, every position and unit, and the eight rules."""
    ledger_written()
    coverage_written()
    if (run := sweep(actor=None, rules=EIGHT, trigger="bench")).failure:
        raise RuntimeError(run.failure)


def accounts_one_by_one(employees: Sequence[int]) -> None:
    """Add up the accounts of some as one would first write it: day by day, with a few queries each."""
    days = [WHOLE.first_week + timedelta(days=number) for number in range(WHOLE.days)]
    for employee in Employee.objects.filter(pk__in=employees):
        tags = list(EmployeeTag.objects.filter(employee=employee).select_related("tag"))
        leaves = list(Leave.objects.filter(employee=employee))
        mine = list(Assignment.objects.filter(employee=employee, voided=False, accepted_at__isnull=False))
        for day in days:
            if not any(_covers(leave.starts_on, leave.ends_on, day) for leave in leaves):
                sum(
                    (held.tag.hours_delta for held in tags if _covers(held.valid_from, held.valid_until, day)),
                    Decimal(),
                )
                sum((one.effective_hours for one in mine if _covers(one.starts_on, one.ends_on, day)), Decimal())


def positions_one_by_one(positions: Sequence[int]) -> None:
    """Add up the coverage of some as one would first write it."""
    days = [WHOLE.first_week + timedelta(days=number) for number in range(WHOLE.days)]
    for position in Position.objects.filter(pk__in=positions):
        there = Assignment.objects.filter(position=position, voided=False, accepted_at__isnull=False)
        given = [(one, list(Leave.objects.filter(employee=one.employee_id))) for one in there]
        for day in days:
            sum(
                (
                    one.effective_hours
                    for one, leaves in given
                    if _covers(one.starts_on, one.ends_on, day)
                    and not any(_covers(leave.starts_on, leave.ends_on, day) for leave in leaves)
                ),
                Decimal(),
            )


def _covers(first: Any, last: Any, day: Any) -> bool:
    return bool(first <= day and (last is None or last >= day))


def _some(table: str, count: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT max(id) FROM {table}")
        return random.Random(5).sample(range(1, cursor.fetchone()[0] + 1), count)


def _bulk(
    title: str, size: str, rounds: int, report: Report, *, floor: Sequence[str], goal: float,
    write: Callable[[], None], one: Query, all_weeks: Query, figures: Sequence[str], loop: Callable[[], None],
    share: float,
) -> None:  # fmt: skip
    variants = {
        "floor": partial(scans, floor),
        "written": write,
        "one week": partial(computed, one, figures),
        "all weeks": partial(computed, all_weeks, figures),
        "loop": loop,
    }
    seconds = alternate(variants, rounds=rounds)
    seconds["loop"] = [each * share for each in seconds["loop"]]
    is_large = size != "s"
    report.add(
        Figure(f"{title}: all, by difference / floor", size, *ratio(seconds, "written", "floor"),
               goal=goal if is_large else None)
    )  # fmt: skip
    report.add(Figure(f"{title}: computed alone / floor", size, *ratio(seconds, "all weeks", "floor")))
    report.add(
        Figure(f"{title}: 13 weeks / one", size, *ratio(seconds, "all weeks", "one week"),
               goal=3.0 if is_large else None)
    )  # fmt: skip
    report.add(Figure(f"{title}: objects one by one / ours (scaled)", size, *ratio(seconds, "loop", "written")))


def ledger(sizes: Sequence[str], rounds: int, report: Report) -> None:
    for size in sizes:
        stage.enter(size, report)
        employees = Employee.objects.count()
        some = _some("org_employee", min(SAMPLE, employees))
        _bulk(
            "ledger", size, rounds, report, floor=FLOOR_E, goal=3.0, write=ledger_written, one=ledger_sql(WEEK),
            all_weeks=ledger_sql(WHOLE), figures=LEDGER.columns, loop=partial(accounts_one_by_one, some),
            share=employees / len(some),
        )  # fmt: skip


def coverage(sizes: Sequence[str], rounds: int, report: Report) -> None:
    for size in sizes:
        stage.enter(size, report)
        positions = Position.objects.count()
        some = _some("org_position", min(SAMPLE, positions))
        _bulk(
            "coverage", size, rounds, report, floor=FLOOR_C, goal=2.0, write=coverage_written, one=coverage_sql(WEEK),
            all_weeks=coverage_sql(WHOLE), figures=POSITIONS.columns, loop=partial(positions_one_by_one, some),
            share=positions / len(some),
        )  # fmt: skip


def changed(employee_ids: Sequence[int], by: int = 1) -> float:
    """Change an assignment of each by so many hours; return the seconds until all figures and violations follow."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE assignments_assignment SET effective_hours = effective_hours + %s WHERE id IN ("
            " SELECT min(id) FROM assignments_assignment WHERE status = 'ACTIVE' AND employee_id = ANY (%s)"
            " GROUP BY employee_id)",
            [by, list(employee_ids)],
        )
    begun = time.perf_counter()
    drain()
    return time.perf_counter() - begun


def pages_seen() -> int:
    """Return how many pages of tables and indexes this session has looked at so far, in memory or not."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute(
            """SELECT COALESCE(sum(hits), 0) + COALESCE(sum(read_bytes), 0) / current_setting('block_size')::int
            FROM pg_stat_get_backend_io(pg_backend_pid()) WHERE object = 'relation'"""
        )
        return int(cursor.fetchone()[0])


def pages_of(employee: int, by: int) -> int:
    """Change an assignment of one employee; return how many pages that and all that follows from it looks at."""
    before = pages_seen()
    changed([employee], by)
    return pages_seen() - before


def remembered(what: str, work: Callable[[], object], size: str, report: Report) -> None:
    if (most := most_memory(work)) is not None:
        ours, database = most
        report.add(
            Figure(f"{what}: most memory of the database session, MB", size, *[database] * 3,
                   note=f"and {ours:.0f} MB of ours")
        )  # fmt: skip


def growth(sizes: Sequence[str], rounds: int, report: Report) -> None:
    """The whole pass, one change, many changes: at each size, and how each grows."""
    passes: dict[str, float] = {}
    ones: dict[str, float] = {}
    pages: dict[str, float] = {}
    for size in sizes:
        stage.enter(size, report)
        judged(report)
        drain()
        seconds = alternate({"floor": partial(scans, FLOOR_A), "pass": everything}, rounds=rounds)
        passes[size] = percentile(seconds["pass"], 0.5)
        report.add(
            Figure(
                "the whole pass / floor A", size, *ratio(seconds, "pass", "floor"), goal=8.0 if size == "l" else None
            )
        )
        remembered("the whole pass", everything, size, report)
        some = _some("org_employee", min(CHANGES + WARM_UP, Employee.objects.count() // 2))
        each = [changed([one]) for one in some][WARM_UP:]
        # The next run is to find what this one found.
        looked_at = [pages_of(one, -1) for one in some[:LOOKED_AT]]
        changed(some[LOOKED_AT:], -1)
        pages[size] = percentile(looked_at, 0.5)
        report.add(
            Figure("one change until all follows, pages looked at", size, pages[size], min(looked_at), max(looked_at))
        )
        ones[size] = percentile(each, 0.5)
        p95 = percentile(each, 0.95)
        report.add(
            Figure("one change until all follows, p95 ms", size, p95 * 1e3, min(each) * 1e3, max(each) * 1e3,
                   goal=5.0 if size == "l" else None, note=f"p50 {ones[size] * 1e3:.1f} ms")
        )  # fmt: skip
        for count, goal in zip(MANY, (0.03, 0.12), strict=True):
            if count * 5 < Employee.objects.count():
                many = _some("org_employee", count)
                together = changed(many)
                share = together / passes[size]
                remembered(f"{count} changes", partial(changed, many, -1), size, report)
                # Of a task a change only its work is counted, and none of what it costs to send it.
                sooner = ones[size] * count / together
                report.add(
                    Figure(f"{count} changes, a pass each / together", size, sooner, sooner, sooner,
                           goal=20.0 if count == MANY[-1] else None, at_least=True)
                )  # fmt: skip
                report.add(
                    Figure(f"{count} changes / the whole pass", size, share, share, share,
                           goal=goal if size == "l" else None)
                )  # fmt: skip
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT sum(pg_total_relation_size(d::regclass)) FROM unnest(%s::text[]) d",
                [[LEDGER.name, POSITIONS.name, UNITS.name, WHOLES.name]],
            )
            derived = float(cursor.fetchone()[0])
            cursor.execute(
                "SELECT sum(pg_relation_size(b::regclass)) FROM unnest(%s::text[]) b",
                [["assignments_assignment", "tags_employeetag", "org_employee", "org_position", "tags_positiontag"]],
            )
            heaps = float(cursor.fetchone()[0])
        report.add(
            Figure("figures of a week, with indexes / heaps they are made of", size,
                   *[derived / heaps / WHOLE.weeks] * 3, goal=0.5 if size == "l" else None,
                   note=f"{WHOLE.weeks} weeks: {derived / 2**20:.0f} MB / {heaps / 2**20:.0f} MB")
        )  # fmt: skip
    if {"m", "l"} <= set(sizes):
        grown = passes["l"] / passes["m"]
        report.add(Figure("the whole pass, l / m (ten times the data)", "m–l", grown, grown, grown, goal=11.0))
    if {"s", "l"} <= set(sizes):
        grown = ones["l"] / ones["s"]
        report.add(Figure("one change, median l / s", "s–l", grown, grown, grown, goal=1.25))
        seen = pages["l"] / pages["s"]
        report.add(Figure("one change, pages looked at, l / s", "s–l", seen, seen, seen, goal=1.25))
