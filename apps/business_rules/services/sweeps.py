"""The sweep: what is wrong now, for everyone, written by difference."""

from __future__ import annotations

import logging
import re
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from psycopg.sql import Literal

from apps.changes.due import due_subjects
from apps.common import prepared
from apps.common.acting import READ as READ_SIGNATURE
from apps.common.acting import acting, signing
from apps.common.clock import monday_of, today
from apps.common.errors import Reason, Refusal
from apps.common.holding import held
from apps.common.prepared import Statement
from apps.org.models import OrgUnit
from apps.org.querysets import scope_of
from apps.users.enums import Role
from apps.users.permissions import rights_of

from ..language.bounds import lies_in_the_statement, limited, limiting
from ..language.errors import ConditionError
from ..models import BusinessRule, EvaluationRun
from ..questions import Question
from ..sql import Setting, all_found, catalogue_of, count_subjects, found_by, reading, settings_in_effect
from ..subjects import kind_named
from ..unjudged import Unjudged, failed_lately, note

if TYPE_CHECKING:
    from apps.users.models import User

logger = logging.getLogger(__name__)

# First keys of the advisory locks: one rule is written by one transaction at a time, one run is carried out once.
WRITING, RUNNING = 0x52554C45, 0x52554E53
ATTEMPTS = 3
REASON = gettext_lazy("evaluation of the rules")
PLACE = re.compile(r"%\((\w+)\)s")
KEPT_WEEKS = "SELECT first_week FROM changes_calendar"

# Everything in one statement, so that opened, updated and resolved are told from one and the same state. A violation
# somebody moved meanwhile (its state differs from the one seen) is left for the next sweep.
DIFFERENCE = """
    WITH {with_list} found AS MATERIALIZED ({found}),
    known AS (
        SELECT v.id, v.rule_id, v.subject_kind, v.subject_id, v.state FROM business_rules_ruleviolation v {known_joins}
        WHERE v.rule_id = ANY (%(rules)s) AND v.state <> 'RESOLVED' {known_where}
    ),
    opened AS (
        INSERT INTO business_rules_ruleviolation (rule_id, subject_kind, subject_id, subject_code, severity, observed,
            "limit", facts, rule_version, first_seen, last_seen, state, created_at, updated_at)
        SELECT f.rule_id, f.subject_kind, f.subject_id, f.subject_code, f.severity, f.observed, f."limit", f.facts,
            f.rule_version, %(now)s, %(now)s, CASE WHEN f.waived THEN 'WAIVED' ELSE 'OPEN' END, %(now)s, %(now)s
        FROM found f LEFT JOIN known k ON (k.rule_id, k.subject_kind, k.subject_id)
            = (f.rule_id, f.subject_kind, f.subject_id)
        WHERE k.id IS NULL
        RETURNING rule_id
    ),
    changed AS (
        UPDATE business_rules_ruleviolation v SET
            state = CASE WHEN f.subject_id IS NULL THEN 'RESOLVED' WHEN f.waived THEN 'WAIVED'
                WHEN v.state = 'WAIVED' THEN 'OPEN' ELSE v.state END,
            resolved_at = CASE WHEN f.subject_id IS NULL THEN %(now)s::timestamptz END,
            subject_code = COALESCE(f.subject_code, v.subject_code),
            severity = COALESCE(f.severity, v.severity),
            observed = CASE WHEN f.subject_id IS NULL THEN v.observed ELSE f.observed END,
            "limit" = CASE WHEN f.subject_id IS NULL THEN v."limit" ELSE f."limit" END,
            facts = COALESCE(f.facts, v.facts),
            rule_version = COALESCE(f.rule_version, v.rule_version),
            last_seen = CASE WHEN f.subject_id IS NULL THEN v.last_seen ELSE %(now)s END,
            updated_at = %(now)s
        FROM known k LEFT JOIN found f ON (k.rule_id, k.subject_kind, k.subject_id)
            = (f.rule_id, f.subject_kind, f.subject_id)
        WHERE v.id = k.id AND v.state = k.state AND (
            f.subject_id IS NULL
            OR (v.subject_code, v.severity, v.observed, v."limit", v.facts)
                IS DISTINCT FROM (f.subject_code, f.severity, f.observed, f."limit", f.facts)
            OR f.waived <> (v.state = 'WAIVED')
        )
        RETURNING v.rule_id, f.subject_id IS NULL AS resolved
    )
    SELECT (SELECT count(*) FROM found), (SELECT count(*) FROM opened),
        (SELECT count(*) FROM changed WHERE NOT resolved), (SELECT count(*) FROM changed WHERE resolved)
"""
# Whose violation is new, gone or no longer as it was written: all that a sweep of everybody has to look at again.
MOVED = """
    WITH {with_list}, found AS MATERIALIZED ({found}), -- so that whether a waiver covers it is asked of those alone
    known AS (
        SELECT v.id, v.subject_id, v.state, v.severity, v.observed, v."limit"
        FROM business_rules_ruleviolation v {known_joins}
        WHERE v.rule_id = ANY (%(rules)s) AND v.state <> 'RESOLVED' {known_where}
    )
    SELECT count(f.subject_id), array_agg(COALESCE(f.subject_id, k.subject_id)) FILTER (
        WHERE k.id IS NULL OR f.subject_id IS NULL OR f.waived <> (k.state = 'WAIVED')
            OR (k.severity, k.observed, k."limit") IS DISTINCT FROM (f.severity, f.observed, f."limit")
    )
    FROM found f FULL JOIN known k ON k.subject_id = f.subject_id
"""
# With more than so many, everybody is written in one statement rather than they alone.
MANY = 20_000
COUNTS = ("found", "opened", "updated", "resolved")
# A rule that is switched off, not in effect or no longer defined is broken by nobody.
RETIRE = """
    UPDATE business_rules_ruleviolation v SET state = 'RESOLVED', resolved_at = %(now)s, updated_at = %(now)s
    WHERE v.state <> 'RESOLVED' AND v.rule_id = ANY (%(rules)s)
"""


def sweep(
    *,
    actor: User | None,
    rules: Iterable[str] | None = None,
    unit: OrgUnit | None = None,
    trigger: str = "nightly",
) -> EvaluationRun:
    """Judge everyone (or a unit and all below it) by all rules (or these codes) now; return the finished run.

    Violations are opened, updated and resolved by difference; what did not change is not rewritten. Each rule is a
    transaction of its own. A rule that fails technically is named in `run.failure`; the others go on.
    """
    run = EvaluationRun.objects.create(
        trigger=trigger, started_by=actor, unit_code=unit.code if unit else "", rules=sorted(set(rules or ()))
    )
    return _carry_out(run)


def request_sweep(*, actor: User, rules: Iterable[str] | None = None, unit: OrgUnit | None = None) -> EvaluationRun:
    """Ask for a sweep, to be run by a worker within seconds; return the waiting run.

    Whoever has a scope gets it for that subtree. The wish is a row: the task that looks for waiting runs finds it,
    so the request needs no broker and a lost message loses nothing.
    """
    if not actor.is_active or "add" not in rights_of(Role(actor.role)).get("business_rules.evaluationrun", ()):
        raise Refusal(Reason(_("You may not start an evaluation."), code="forbidden", fixable=90))
    if unit is not None and not OrgUnit.objects.visible_to(actor).filter(pk=unit.pk).exists():
        raise Refusal(Reason(_("There is no such unit in your part of the organisation."), code="out_of_scope"))
    if unit is None and (scope := scope_of(actor)) is not None:
        unit = OrgUnit.objects.get(pk=scope)
    with acting(actor):
        return EvaluationRun.objects.create(
            trigger="manual", started_by=actor, unit_code=unit.code if unit else "", rules=sorted(set(rules or ()))
        )


def run_waiting_sweeps() -> list[EvaluationRun]:
    """Carry out the runs asked for, and take up those a killed worker left; the task of every few seconds.

    A run is held by a lock of the session, so that it is carried out once, and is free again when its worker dies.
    After three attempts it is given up and says so.
    """
    done = []
    for run in EvaluationRun.objects.filter(finished_at__isnull=True).order_by("id"):
        finished = _carry_out(run)
        if finished.finished_at is not None:
            done.append(finished)
    return done


def request_judging(*, rules: Iterable[str] = (), unit: OrgUnit | None = None) -> EvaluationRun:
    """Have these rules (none named: all) judged anew for everybody or a subtree: something they rest on changed.

    A worker does it within seconds. One that waits already and would do the same is returned, and cannot begin before
    the transaction under way has ended: it would not see what changed.
    """
    wanted = {"trigger": "change", "unit_code": unit.code if unit else "", "rules": sorted(set(rules))}
    with transaction.atomic():
        # One that is being begun, or that somebody else holds, is left to them.
        rows = EvaluationRun.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
        waiting = rows.filter(started_at__isnull=True, **wanted).first()
        return waiting or EvaluationRun.objects.create(**wanted)


def sweep_subjects(
    *,
    subjects: Mapping[str, Iterable[int]],
    actor: User | None,
    rules: Iterable[str] | None = None,
    due: Mapping[str, Collection[int]] | None = None,
    reached: Sequence[tuple[str, Statement]] = (),
) -> dict[str, int]:
    """Judge these subjects anew by all rules (or these codes), and write their violations by difference; the counts.

    One statement for all rules. `due` as in Question: the drain has just refreshed the figures of these subjects.
    `reached` are statements that give the ids of more of them, each with the kind these are of.
    Two of these about the same subject must not overlap: the drain sees to it by the figures it has locked.
    """
    with transaction.atomic(savepoint=False):
        # The catalogue is read after the wait for whoever writes about everybody by what it says now.
        [outer], _locked, rows, weeks, *more = prepared.fetch_all(
            (READ_SIGNATURE, {}),
            _locking(rules),
            reading(today(), rules),
            (KEPT_WEEKS, {}),
            *(sql for _, sql in reached),
        )
        ids = defaultdict(set, {kind: set(pks) for kind, pks in subjects.items()})
        for (kind, _statement), found in zip(reached, more, strict=True):
            ids[kind].update(row[0] for row in found)
        question = Question(today(), {kind: sorted(pks) for kind, pks in ids.items()}, due=due)
        catalogue = catalogue_of(rows)
        # Worded once where kept figures are read and are those of the weeks asked about.
        is_kept = question.due == {} and weeks == [(monday_of(question.on),)]
        signed = _Signed.by(actor, outer)
        unjudged: Unjudged = {}
        counts = dict.fromkeys(COUNTS, 0)
        for is_own in (False, True):
            some = [setting for setting in catalogue.settings if setting.rule.is_own is is_own]
            worded = catalogue.worded if is_kept and not is_own else None
            for name, number in _write_some(some, question, unjudged, signed, worded).items():
                counts[name] += number
        if unjudged:
            with acting(actor, reason=str(REASON), origin="task"):
                for code in sorted(unjudged):
                    _tell_unjudged(code)
    return counts


def _locking(codes: Iterable[str] | None) -> Statement:
    """Return the locks of these rules. Shared: sweeps of everybody wait for us and we for them, not we for another."""
    sql = """
        SELECT pg_advisory_xact_lock_shared(%(writing)s::int, (r.id %% 2147483648)::int)
        FROM business_rules_businessrule r WHERE r.enabled
    """
    if codes is None:
        return sql, {"writing": WRITING}
    return f"{sql} AND r.code = ANY (%(codes)s)", {"writing": WRITING, "codes": list(codes)}


@dataclass(frozen=True)
class _Signed:
    """What has the writes of a sweep signed, and what goes after them so that those of others are as before."""

    before: Statement
    after: Statement

    @classmethod
    def by(cls, actor: User | None, outer: Sequence[str | None]) -> _Signed:
        return cls(signing([str(actor.pk) if actor else "", str(REASON), "task", outer[3]]), signing(outer))


@dataclass(frozen=True)
class _Worded:
    """What certain rules ask about some subjects of certain kinds, whoever they are."""

    text: str
    params: dict[str, Any]
    kinds: dict[str, str]  # by the name of the parameter that holds their ids
    rules: list[int]

    def about(self, ids: Mapping[str, list[int]]) -> Statement:
        those = {name: ids[kind] for name, kind in self.kinds.items()}
        return self.text, {**self.params, **those, "now": timezone.now(), "rules": self.rules}

    def filled(self) -> _Worded:
        """Return the same with all that is not about the subjects written out: a hundred values less to send."""

        def place(match: re.Match[str]) -> str:
            name = match[1]
            if name not in self.params or name in self.kinds:
                return match[0]
            value = self.params[name]
            return Literal(value).as_string(connection.connection).replace("%", "%%")

        return replace(self, text=PLACE.sub(place, self.text))


def _write_some(
    asked: list[Setting], question: Question, unjudged: Unjudged, signed: _Signed, worded: dict[Any, Any] | None = None
) -> dict[str, int]:
    """Write what these rules say about the subjects in one statement; where that fails, one rule after the other.

    One that gives no answer leaves its violations as they stand. `worded` keeps what was worded for all rules together.
    """
    counts = dict.fromkeys(COUNTS, 0)
    if not any(question.asks_about(setting.rule.kind) for setting in asked):
        return counts
    ids = {kind: some for kind, some in (question.ids or {}).items() if some}
    words = _known_or_worded(asked, question, ids, worded) if worded is not None else _word(asked, question, unjudged)
    if words is None:
        return counts
    limit, unlimit = limiting() if asked[0].rule.is_own else ((), ())
    inside = [limit, words.about(ids), unlimit] if limit else [words.about(ids)]
    try:
        answers = prepared.fetch_all(signed.before, *inside, signed.after, apart=True)
        return dict(zip(COUNTS, answers[2 if limit else 1][0], strict=True))
    except DatabaseError as error:
        if not lies_in_the_statement(error):
            raise
        if len(asked) == 1:
            note(unjudged, asked[0].rule.code, error)
            return counts
    for setting in asked:
        if setting.rule.code not in unjudged:
            for name, number in _write_some([setting], question, unjudged, signed).items():
                counts[name] += number
    return counts


def _known_or_worded(
    asked: list[Setting], question: Question, ids: Mapping[str, list[int]], worded: dict[Any, Any]
) -> _Worded | None:
    """Return what rules of the product ask: worded for nobody in particular, and kept for the next of these kinds."""
    key = (question.on, *sorted(ids))
    if key not in worded:
        if any(day != question.on for day, *_kinds in worded):
            worded.clear()
        nobody = {kind: [-1 - number] for number, kind in enumerate(sorted(ids))}
        words = _word(asked, replace(question, ids=nobody), {})
        worded[key] = words and words.filled()
    return worded[key]


def _word(asked: list[Setting], question: Question, unjudged: Unjudged) -> _Worded | None:
    """Word what these rules say about the subjects; a condition that cannot be read is noted. None if none is asked."""
    found, params = all_found(asked, question, unjudged=unjudged)
    if not found:
        return None
    ids = {kind: some for kind, some in (question.ids or {}).items() if some}
    among = " OR ".join(
        f"v.subject_kind = '{kind_named(kind).name}' AND v.subject_id = ANY (%(known_{kind})s)" for kind in ids
    )
    params |= {f"known_{kind}": some for kind, some in ids.items()}
    return _Worded(
        DIFFERENCE.format(with_list="", found=found, known_joins="", known_where=f"AND ({among})"),
        params,
        {name: kind for name, value in params.items() for kind, some in ids.items() if value == some},
        [setting.pk for setting in asked if setting.rule.code not in unjudged],
    )


def _tell_unjudged(code: str) -> None:
    """Have a rule that gave no answer judged for everybody, so that an evaluation says so; not again if one did."""
    if code not in failed_lately([code]):
        request_judging(rules=[code])


def _carry_out(run: EvaluationRun) -> EvaluationRun:
    with held(RUNNING, run.pk) as is_held:
        if is_held:
            run.refresh_from_db()
            if run.finished_at is None:
                _judge_everyone(run)
    return run


def _judge_everyone(run: EvaluationRun) -> None:
    run.attempts += 1
    run.started_at = run.started_at or timezone.now()
    if run.attempts > ATTEMPTS:
        run.failure = str(_("Given up after %(number)s attempts that did not end.") % {"number": ATTEMPTS})
        _add_up(run)
    run.save()
    if run.finished_at is not None:
        return
    unit = OrgUnit.objects.filter(code=run.unit_code).first() if run.unit_code else None
    question = Question(today(), unit=unit.pk if unit else None)
    if run.unit_code and unit is None:
        run.failure = str(_("The unit %(code)s is gone.") % {"code": run.unit_code})
    else:
        asked = settings_in_effect(question.on, run.rules or None)
        counted = {kind: count_subjects(kind_named(kind), question) for kind in {item.rule.kind for item in asked}}
        run.subjects = sum(counted.values())
        for setting in asked:
            # Judged before the worker of an earlier attempt died.
            if setting.rule.code not in run.results:
                _judge(setting, question, run, counted[setting.rule.kind])
    # With the end of the run, so that what is resolved is counted once or not done.
    with transaction.atomic():
        retired = _retire(asked, run) if unit is None and not run.unit_code else 0
        _add_up(run, retired)
        run.save()


def _add_up(run: EvaluationRun, retired: int = 0) -> None:
    done = [result for result in run.results.values() if "failed" not in result]
    run.opened = sum(result["opened"] for result in done)
    run.resolved = retired + sum(result["resolved"] for result in done)
    run.finished_at = timezone.now()


def _judge(setting: Setting, question: Question, run: EvaluationRun, subjects: int) -> None:
    """Write what a rule finds, and that it did so, in one transaction: who takes the run up counts nothing twice."""
    code, begun = setting.rule.code, time.perf_counter()
    try:
        now = replace(question, due=due_subjects())
        with transaction.atomic():
            result: dict[str, Any] = {"subjects": subjects, **_write(setting, now, run.started_by, run.trigger)}
            _keep(run, code, result, begun)
    except (DatabaseError, ConditionError) as error:
        # One rule that cannot be judged must not hide what the others find; it is logged, named and never a verdict.
        logger.exception("rule %s could not be judged", code)
        result = {"failed": type(error).__name__}
        run.failure = "\n".join(
            filter(None, [run.failure, str(_("%(rule)s could not be judged; the log has the cause.") % {"rule": code})])
        )
        _keep(run, code, result, begun)


def _keep(run: EvaluationRun, code: str, result: dict[str, Any], begun: float) -> None:
    run.results[code] = result | {"ms": round((time.perf_counter() - begun) * 1000, 1)}
    run.save(update_fields=["results", "failure"])


def _write(setting: Setting, question: Question, actor: User | None, trigger: str = "") -> dict[str, int]:
    """Judge everybody by one rule and write what moved; return the counts.

    First only who breaks it, how badly and whether a waiver covers it: the records and numbers behind a verdict cost
    more than the verdict, and are asked for those alone whose violation moved. Records that change without moving it
    leave a mark, and the drain compares them too.
    """
    with (
        acting(actor, reason=str(REASON), origin=trigger or "task"),
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT set_config('work_mem', %s, true)", [settings.COVERIS_SWEEP_WORK_MEM])
        # Lock first, read in the next statement: it sees what those before us wrote.
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [WRITING, setting.pk % 2**31])
        with limited() if setting.rule.is_own else nullcontext():
            cursor.execute(*_statement(MOVED, setting, question, bare=True))
            found, moved = cursor.fetchone()
            if not moved:
                return dict.fromkeys(COUNTS, 0) | {"found": found}
            if len(moved) <= MANY:
                question = replace(question, ids={setting.rule.kind: sorted(moved)}, unit=None)
            cursor.execute(*_statement(DIFFERENCE, setting, question))
            return dict(zip(COUNTS, cursor.fetchone(), strict=True)) | {"found": found}


def _statement(
    template: str, setting: Setting, question: Question, *, bare: bool = False
) -> tuple[str, dict[str, Any]]:
    kind = setting.kind
    with_list, select, params = found_by(setting, question, bare=bare)
    joins, where = "", ""
    if question.unit is not None:
        joins = f"JOIN ({kind.rows}) r ON r.id = v.subject_id JOIN org_orgunit u ON u.id = r.unit_id"
        where = "AND u.path @> ARRAY[%(unit)s::bigint]"
    if question.ids is not None:
        where = f"AND v.subject_id = ANY (%(ids_{kind.name})s)"
    head = with_list if bare else f"{with_list},"
    statement = template.format(with_list=head, found=select, known_joins=joins, known_where=where)
    return statement, params | {"now": timezone.now(), "rules": [setting.pk]}


def _retire(in_effect: list[Setting], run: EvaluationRun) -> int:
    """Resolve what is left of rules that are not in effect any more; return how many."""
    idle = BusinessRule.objects.exclude(pk__in=[setting.pk for setting in in_effect])
    if run.rules:
        idle = idle.filter(code__in=run.rules)
    with (
        acting(run.started_by, reason=str(_("the rule is not in effect")), origin=run.trigger),
        connection.cursor() as cursor,
    ):
        cursor.execute(RETIRE, {"now": timezone.now(), "rules": list(idle.values_list("pk", flat=True))})
        return cursor.rowcount
