"""`./run bench rules`: what judging costs, everyone and one, beside the floor and beside other ways."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from django.core.management import call_command
from django.db import connection, transaction

from apps.business_rules.models import BusinessRule, RuleViolation
from apps.business_rules.questions import Question, as_accepted_of
from apps.business_rules.registry import defined_rules
from apps.business_rules.services import evaluate_rules, sweep
from apps.business_rules.services.evaluation import ask
from apps.business_rules.sql import settings_in_effect
from apps.changes.due import due_subjects

from . import others, stage
from .data import TODAY
from .gate import Proposal, gate, growth, proposals, proposed
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
SCAN = "SELECT count(*) FROM assignments_assignment WHERE effective_hours > 0"
# Needs nothing but the row of the assignment itself.
OWN = {
    "code": "BENCH_LONG_WEEK",
    "name": "bench",
    "subject_kind": "assignment",
    "severity": "INFO",
    "condition": 'effective_hours > 61 and status = "ACTIVE"',
    "message": "{who}: {effective_hours} h",
    "measure": "effective_hours",
}
SAMPLE, SLICE, BATCH, AGREE = 300, 100_000, 200, 10_000


def scans(statements: Sequence[str]) -> None:
    """Scan tables in order, adding something up, without an index to hide behind."""
    with connection.cursor() as cursor:
        cursor.execute("SET enable_indexonlyscan = off; SET enable_indexscan = off; SET enable_bitmapscan = off")
        for statement in statements:
            cursor.execute(statement)
            cursor.fetchone()
        cursor.execute("RESET enable_indexonlyscan; RESET enable_indexscan; RESET enable_bitmapscan")


def judge(rules: Sequence[str]) -> None:
    run = sweep(actor=None, rules=rules, trigger="bench")
    if run.failure:
        raise RuntimeError(run.failure)


def judged(report: Report) -> None:
    """Have every rule of the catalogue judge everybody, where none has yet: violations follow a change too."""
    call_command("load_reference", verbosity=0)
    if not RuleViolation.objects.exists():
        report.say("judging everybody for the first time …")
        judge(sorted(rule.code for rule in defined_rules()))
        with connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE)")


def run(sizes: Sequence[str], rounds: int, report: Report) -> None:
    seen: dict[str, tuple[float, float]] = {}
    for size in sizes:
        stage.enter(size, report)
        call_command("load_reference", verbosity=0)
        # What a run that was interrupted left.
        RuleViolation.objects.filter(rule__code=OWN["code"]).delete()
        BusinessRule.objects.filter(code=OWN["code"]).delete()
        everyone(size, rounds, report)
        marginal(size, rounds, report)
        beside_others(size, rounds, report)
        seen[size] = gate(size, report)
        if size != "l" or sizes == ["l"]:
            agreement(size, report)
    growth(sizes, seen, report)


def everyone(size: str, rounds: int, report: Report) -> None:
    """The sweep against the floor: from nothing once, then again and again with nothing new to write."""
    codes = sorted(rule.code for rule in defined_rules())
    eight = [code for code in EIGHT if code in codes]
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE business_rules_ruleviolation")
    begun = time.perf_counter()
    judge(codes)
    first = time.perf_counter() - begun
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
    standing = RuleViolation.objects.unresolved().count()
    report.say(f"{size}: the first sweep by {len(codes)} rules took {first:.1f} s and opened {standing} violations")
    variants: dict[str, Any] = {
        "floor": partial(scans, FLOOR_A),
        "eight": partial(judge, eight),
        "all": partial(judge, codes),
        **{code: partial(judge, [code]) for code in codes},
    }
    seconds = alternate(variants, rounds=rounds)
    median = sorted(seconds["floor"])[len(seconds["floor"]) // 2]
    report.add(Figure("floor A, seconds", size, median, min(seconds["floor"]), max(seconds["floor"])))
    report.add(
        Figure(
            f"the {len(eight)} rules, by difference / floor A", size, *ratio(seconds, "eight", "floor"),
            goal=4.0 if size == "l" else None,
        )
    )  # fmt: skip
    report.add(Figure(f"all {len(codes)} rules / floor A", size, *ratio(seconds, "all", "floor")))
    for code in codes:
        report.add(Figure(f"{code} / floor A", size, *ratio(seconds, code, "floor")))


def marginal(size: str, rounds: int, report: Report) -> None:
    """What a rule that staff wrote adds to a sweep, in scans of its table, if it needs no other."""
    rule = BusinessRule.objects.create(**OWN)
    others = ["EMPLOYEE_NOT_AVAILABLE"]
    judge([*others, rule.code])
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE) business_rules_ruleviolation")
    seconds = alternate(
        {
            "scan": partial(scans, [SCAN]),
            "without": partial(judge, others),
            "with": partial(judge, [*others, rule.code]),
        },
        rounds=rounds,
    )
    seconds["own"] = [both - alone for both, alone in zip(seconds["with"], seconds["without"], strict=True)]
    found = RuleViolation.objects.unresolved().filter(rule=rule).count()
    report.add(
        Figure("a rule of one's own / a scan of its table", size, *ratio(seconds, "own", "scan"),
               goal=1.0 if size == "l" else None, note=f"{found} violations compared")
    )  # fmt: skip
    RuleViolation.objects.filter(rule=rule).delete()
    rule.delete()


def beside_others(size: str, rounds: int, report: Report) -> None:
    """The same work object by object (a sample, scaled up) and by rule engines on facts read in bulk (a slice)."""
    eight = [code for code in EIGHT if code in {rule.code for rule in defined_rules()}]
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(id) FROM org_employee")
        employees = cursor.fetchone()[0]
    last = min(SLICE, employees)
    given = others.facts(1, last)
    _same(given, last)
    sample = others.some_employees(SAMPLE)
    variants: dict[str, Any] = {
        "ours": partial(judge, eight),
        "loop": partial(others.object_by_object, sample),
        "facts": partial(others.facts, 1, last),
        "zen-engine": partial(others.with_zen, given),
        "rule-engine": partial(others.with_rule_engine, given),
    }
    seconds = alternate(variants, rounds=min(rounds, 3))
    scaled = {"loop": employees / len(sample)} | dict.fromkeys(("facts", "zen-engine", "rule-engine"), employees / last)
    for name, factor in scaled.items():
        seconds[name] = [one * factor for one in seconds[name]]
    for name in ("zen-engine", "rule-engine"):
        seconds[name] = [one + built for one, built in zip(seconds[name], seconds["facts"], strict=True)]
    goals = {"loop": 500.0, "zen-engine": 1.0, "rule-engine": 1.0}
    for name, title in (
        ("loop", "objects one by one / ours (scaled from a sample)"),
        ("facts", "reading the facts alone / ours"),
        ("zen-engine", "zen-engine, its facts included / ours"),
        ("rule-engine", "rule-engine, its facts included / ours"),
    ):
        report.add(
            Figure(title, size, *ratio(seconds, name, "ours"), goal=goals.get(name) if size == "l" else None,
                   at_least=True)
        )  # fmt: skip


def _same(given: list[others.Facts], last: int) -> None:
    """Raise unless the engines agree with plain Python, and plain Python with ours where both ask the same."""
    some = given[:20_000]
    counts = {others.with_python(some), others.with_zen(some), others.with_rule_engine(some)}
    if len(counts) != 1:
        raise AssertionError(f"the engines disagree: {counts}")
    lacking = {one["id"] for one in given if one["lacks"]}
    found = evaluate_rules(rules=["MISSING_REQUIRED_TAG"])
    ours = {finding.subject_id for finding in found} & {one["id"] for one in given}
    if lacking != ours:
        raise AssertionError(f"{len(lacking ^ ours)} assignments are judged otherwise by plain Python")


def agreement(size: str, report: Report) -> None:
    """Judge proposals one by one at the gate, then all of them in one sweep: both must say the same."""
    wanted = AGREE if size != "s" else AGREE // 10
    asked, different = 0, 0
    drawn = iter(proposals(wanted * 2, seed=9))
    while asked < wanted:
        batch: dict[int, Proposal] = {}
        places: set[int] = set()
        for employee, position, hours in drawn:
            if employee not in batch and position not in places:
                batch[employee] = (employee, position, hours)
                places.add(position)
            if len(batch) == min(BATCH, wanted - asked):
                break
        if not batch:
            break
        different += _differences(list(batch.values()))
        asked += len(batch)
    report.add(
        Figure("gate and sweep disagree", size, different, different, different, goal=0, note=f"of {asked} proposals")
    )


def _differences(batch: list[Proposal]) -> int:
    """Return how many verdicts differ between the gate, proposal by proposal, and a sweep once all are accepted."""
    gated: set[Any] = set()
    for number, one in enumerate(batch):
        with proposed(one) as pk:
            ids = {"employee": [one[0]], "position": [one[1]], "assignment": [pk]}
            question = Question(TODAY, ids, as_accepted=as_accepted_of(ids), at_gate=True)
            gated |= {_told(finding, number) for finding in ask(settings_in_effect(TODAY), question)}
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO assignments_assignment (employee_id, position_id, effective_hours, is_reinforcement,"
                " status, starts_on, accepted_at, voided) SELECT n.*, true, 'ACTIVE', %s, now(), false"
                " FROM unnest(%s::bigint[], %s::bigint[], %s::numeric[]) AS n RETURNING id, employee_id",
                [TODAY, *([one[place] for one in batch] for place in range(3))],
            )
            accepted = {employee: pk for pk, employee in cursor.fetchall()}
        owner = {
            **{("employee", one[0]): number for number, one in enumerate(batch)},
            **{("position", one[1]): number for number, one in enumerate(batch)},
            **{("assignment", accepted[one[0]]): number for number, one in enumerate(batch)},
        }
        settings = [item for item in settings_in_effect(TODAY) if item.rule.gated]
        swept = {
            _told(finding, owner[finding.subject_kind, finding.subject_id])
            for finding in ask(settings, Question(TODAY, due=due_subjects()))
            if (finding.subject_kind, finding.subject_id) in owner
        }
        transaction.set_rollback(True)
    return len(gated ^ swept)


def _told(finding: Any, number: int) -> tuple[Any, ...]:
    return finding.rule, number, finding.observed, finding.limit, finding.severity, finding.waived
