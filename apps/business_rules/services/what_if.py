"""What would this do? Do it, judge it, compute what it touches, compare with before, and roll all of it back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.utils.translation import gettext as _

from apps.changes.due import due_subjects, reached_by
from apps.changes.figures import Touched, foreseen
from apps.changes.models import Kind
from apps.changes.span import Span
from apps.common.acting import acting
from apps.common.clock import today
from apps.common.database_errors import BUSY, explain_database_error
from apps.common.errors import Reason, Refusal

from ..enums import Severity
from ..questions import Question
from ..sql import settings_in_effect
from ..subjects import kinds
from ..unjudged import Unjudged
from ..verdicts import Finding
from .evaluation import ask
from .gate import Judgement, gathering
from .rule_by_rule import RuleLine, rule_by_rule

if TYPE_CHECKING:
    from apps.users.models import User

ORIGIN = "what-if"
DETAIL = 200
TRIES = 4
# Read once, at the start: what others commit between “after” and “before” is in neither.
ISOLATION = "REPEATABLE READ"
SERIALIZATION, TOO_LONG = "40001", "57014"
MOST_SEVERE = [severity.value for severity in (Severity.BLOCKING, Severity.WARNING, Severity.INFO)]

# What a changed unit (its cap, its target, its place) means for everybody in it and below.
UNDER = "SELECT r.id FROM ({rows}) r JOIN org_orgunit u ON u.id = r.unit_id WHERE u.path && %(below)s::bigint[]"

Ids = dict[str, set[int]]


class NoAnswer(Refusal):
    """The question could not be answered in time: somebody holds the records, or it takes too long."""


@dataclass(frozen=True)
class Weeks:
    """Figures by column, hour-days in each week of the span, before and after."""

    before: Mapping[str, Sequence[int]]
    after: Mapping[str, Sequence[int]]

    @property
    def differ(self) -> bool:
        return any(list(self.before[name]) != list(self.after[name]) for name in self.before)


@dataclass(frozen=True)
class Effect:
    """What happens to one kind of figures: the `count` subjects reached, the first of them one by one, the sum of all.

    `total` is None for figures that contain one another (units).
    """

    kind: str
    count: int = 0
    by_subject: Mapping[int, Weeks] = field(default_factory=dict)
    total: Weeks | None = None

    @property
    def changed(self) -> dict[int, Weeks]:
        """Return the subjects, of those told one by one, whose figures differ."""
        return {pk: weeks for pk, weeks in self.by_subject.items() if weeks.differ}


@dataclass(frozen=True)
class WhatIf:
    """The answer. Everything in it was read inside the transaction that is gone; nothing of it exists.

    `refusal` is a service's, a guard's or a constraint's no; the figures then are those of now. `verdicts` are what
    the gate finds the change answerable for, blocking first, waived ones included. `opened`, `closed` and `changed`
    (before, after) are the violations of the sweep, for what no gate stops. `returned` is what `do` returned. `rules`
    is what each rule of the gate says, if that was asked for. `unjudged` are the codes of rules that gave no answer:
    none of the findings is theirs.
    """

    span: Span
    returned: Any
    refusal: Refusal | None
    verdicts: list[Finding]
    opened: list[Finding]
    closed: list[Finding]
    changed: list[tuple[Finding, Finding]]
    effects: Mapping[str, Effect]
    rules: list[RuleLine] = field(default_factory=list)
    unjudged: Sequence[str] = ()

    @property
    def allowed(self) -> bool:
        """Say whether it may be done, warnings confirmed."""
        return self.refusal is None and not self.blocking

    @property
    def blocking(self) -> list[Finding]:
        return [f for f in self.verdicts if f.severity == Severity.BLOCKING and not f.waived]

    @property
    def to_confirm(self) -> list[Finding]:
        return [f for f in self.verdicts if f.severity == Severity.WARNING and not f.waived]

    @property
    def ledger(self) -> Effect:
        return self.effects.get(Kind.EMPLOYEE.value, Effect(Kind.EMPLOYEE.value))

    @property
    def positions(self) -> Effect:
        return self.effects.get(Kind.POSITION.value, Effect(Kind.POSITION.value))

    @property
    def units(self) -> Effect:
        """Return the units with everything below them."""
        return self.effects.get(Kind.UNIT.value, Effect(Kind.UNIT.value))


def what_if(
    do: Callable[[], Any],
    *,
    actor: User | None,
    reason: str = "",
    also: Mapping[str, Iterable[int]] | None = None,
    detail: int = DETAIL,
    seconds: float | None = None,
    each_rule: bool = False,
    only_verdicts: bool = False,
) -> WhatIf:
    """Answer what `do()` would do: whether it is allowed, what opens and closes, what it does to hours and coverage.

    `do` writes through the services the real deed uses, or in SQL: what it touched is read from the marks its writes
    leave, so one row and a whole import are the same. It may run more than once, so it builds its own instances and
    calls nothing outside the database. A Refusal, or a broken constraint, is an answer; any other exception passes
    through. Gates inside it refuse nothing: their subjects are judged together, by its end state.

    `also` names further subjects (employee, assignment, position, unit) to look at: for writes that leave no mark, such
    as a rule's threshold. At most `detail` subjects of each kind are told one by one.

    `each_rule` adds what every rule of the gate says, those that pass too (`rules`). `only_verdicts` is for whoever
    wants to know whether it may be done and not what follows: no figures, and nothing of the sweep.

    Nothing survives it but the state of sequences. Locks are held until it ends; waiting for a lock, and each
    statement (`seconds`), are bounded: NoAnswer. By itself it reads one state of the database throughout (REPEATABLE
    READ); inside a transaction of the caller's it reads as that one does, and leaves it as it was.
    """
    outermost = not connection.in_atomic_block
    named: Ids = {kind: set(ids) for kind, ids in (also or {}).items()}
    for attempt in range(1, TRIES + 1):
        try:
            trial = _Trial(do, actor, reason, named, detail, seconds, each_rule, only_verdicts)
            trial.run(outermost)
            if trial.overlooked:
                # Known only from the state before, such as the units above one that moved: look at them in both.
                named = _joined(named, trial.overlooked)
                trial = _Trial(do, actor, reason, named, detail, seconds, each_rule)
                trial.run(outermost)
            return trial.answer()
        except DatabaseError as error:
            state = getattr(error.__cause__, "sqlstate", None)
            if state == SERIALIZATION and outermost and attempt < TRIES:
                continue
            if state == TOO_LONG:
                raise NoAnswer(
                    Reason(_("Working this out takes too long. Nothing was changed."), code="too_long", fixable=1)
                ) from error
            if state in BUSY:
                raise NoAnswer(
                    Reason(
                        _("Somebody else is changing these records right now: try again in a moment."),
                        code="busy",
                        fixable=1,
                    )
                ) from error
            raise
    raise AssertionError("unreachable")


@dataclass
class _State:
    """What is seen of the database at one moment."""

    subjects: Ids
    figures: Ids
    findings: dict[tuple[str, str, int], Finding]
    by_subject: dict[str, dict[int, dict[str, list[int]]]]
    totals: dict[str, dict[str, list[int]]]

    @classmethod
    def unseen(cls) -> _State:
        """Return the state of somebody who did not look."""
        return cls({}, {}, {}, {}, {})


class _Trial:
    """One go: after first, then before, so that it is done once."""

    def __init__(
        self,
        do: Callable[[], Any],
        actor: User | None,
        reason: str,
        also: Ids,
        detail: int,
        seconds: float | None,
        each_rule: bool = False,
        only_verdicts: bool = False,
    ):
        self.each_rule, self.only_verdicts = each_rule, only_verdicts
        self.rules: list[RuleLine] = []
        self.do, self.actor, self.reason, self.also, self.detail = do, actor, reason, also, detail
        self.milliseconds = round(1_000 * (seconds or settings.COVERIS_WHAT_IF_SECONDS))
        self.span = Span.current()
        self.returned: Any = None
        self.refusal: Refusal | None = None
        self.verdicts: list[Finding] = []
        self.unjudged: Unjudged = {}
        self.after: _State
        self.before: _State

    def run(self, outermost: bool) -> None:
        touched, judged = Touched(), dict[str, set[int]]()
        with transaction.atomic():
            self._bound(outermost)
            floor = latest_mark()
            with transaction.atomic():
                judgement = Judgement(self.actor, confirmed=True)
                judgement.unjudged = self.unjudged
                try:
                    self._do(judgement)
                    judgement.look_after()
                    if self.each_rule:
                        self.rules = rule_by_rule(judgement)
                    touched = marked_since(floor)
                    judged = {kind: set(ids) for kind, ids in judgement.subjects.items()}
                    self.after = self._look(touched, _joined(self.also, judged))
                    self.verdicts = sorted(judgement.added, key=lambda finding: _rank(finding))
                except Refusal as refusal:
                    self.refusal = refusal
                except DatabaseError as error:
                    state = getattr(error.__cause__, "sqlstate", None)
                    if state in BUSY or (said := explain_database_error(error)) is None:
                        raise
                    self.refusal = Refusal(said)
                _undo()
            if self.refusal is None:
                before = _joined(self.also, judged, self.after.subjects)
                self.before = self._look(touched, before, self.after.figures)
            else:
                self.before = self.after = self._look(Touched(), self.also)
            _undo()

    def _bound(self, outermost: bool) -> None:
        with connection.cursor() as cursor:
            if outermost:
                cursor.execute(f"SET TRANSACTION ISOLATION LEVEL {ISOLATION}")
            cursor.execute(
                "SELECT set_config('lock_timeout', %s, true), set_config('statement_timeout', %s, true)",
                [str(round(1_000 * settings.COVERIS_WHAT_IF_LOCK_SECONDS)), str(self.milliseconds)],
            )

    def _do(self, judgement: Judgement) -> None:
        with acting(self.actor, self.reason, origin=ORIGIN), gathering(judgement):
            self.returned = self.do()
            with connection.cursor() as cursor:
                # Deferred ones would otherwise speak at a commit that never comes.
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    def _look(self, touched: Touched, subjects: Ids, figures: Ids | None = None) -> _State:
        if self.only_verdicts:
            return _State.unseen()
        by_marks = reached_by(touched)
        subjects = _joined(subjects, subjects_of(touched, by_marks))
        reached = _joined(by_marks, _of_figures(self.also))
        due = due_subjects()
        found = findings_about(subjects, due, self.unjudged)
        state = _State(subjects, {}, {finding.key: finding for finding in found}, {}, {})
        for kept_figures in foreseen():
            kind = kept_figures.kind.value
            ids = kept_figures.seen_in(reached.get(kind, ())) if reached.get(kind) else set()
            ids |= (figures or {}).get(kind, set())
            state.figures[kind] = ids
            chosen = sorted(ids)[: self.detail]
            state.by_subject[kind] = kept_figures.computed(chosen, self.span, due)
            if kept_figures.adds_up and len(ids) > self.detail:
                state.totals[kind] = kept_figures.total(ids, self.span, due)
        return state

    @property
    def overlooked(self) -> Ids:
        """Return the subjects that only the state before led to, and that were not looked at after."""
        return {
            kind: ids
            for kind in {*self.before.subjects, *self.before.figures}
            if (
                ids := (self.before.subjects.get(kind, set()) - self.after.subjects.get(kind, set()))
                | (self.before.figures.get(kind, set()) - self.after.figures.get(kind, set()))
            )
            - self.also.get(kind, set())
        }

    def answer(self) -> WhatIf:
        before, after = self._told(self.before), self._told(self.after)
        return WhatIf(
            span=self.span,
            returned=self.returned,
            refusal=self.refusal,
            verdicts=[finding for finding in self.verdicts if finding.rule not in self.unjudged],
            opened=sorted((f for key, f in after.items() if key not in before), key=_rank),
            closed=sorted((f for key, f in before.items() if key not in after), key=_rank),
            changed=[
                (before[key], found)
                for key, found in after.items()
                if key in before and _says_otherwise(before[key], found)
            ],
            effects={
                figures.kind.value: self._effect(figures.kind.value, figures.columns, figures.adds_up)
                for figures in foreseen()
            },
            rules=self.rules,
            unjudged=sorted(self.unjudged),
        )

    def _told(self, state: _State) -> dict[tuple[str, str, int], Finding]:
        """Return the findings of a state, but for rules that gave no answer in the one or the other."""
        return {key: finding for key, finding in state.findings.items() if finding.rule not in self.unjudged}

    def _effect(self, kind: str, columns: Sequence[str], adds_up: bool) -> Effect:
        before, after = self.before, self.after
        if kind not in before.figures:
            return Effect(kind)
        nothing = {name: [0] * self.span.weeks for name in columns}
        ids = before.figures[kind] | after.figures[kind]
        told = {
            pk: Weeks(before.by_subject[kind].get(pk, nothing), after.by_subject[kind].get(pk, nothing))
            for pk in sorted(ids)[: self.detail]
        }
        total = None
        if adds_up:
            total = Weeks(
                before.totals.get(kind) or _summed(before.by_subject[kind].values(), columns, self.span),
                after.totals.get(kind) or _summed(after.by_subject[kind].values(), columns, self.span),
            )
        return Effect(kind, len(ids), told, total)


def _undo() -> None:
    """Have the transaction block under way rolled back at its end."""
    transaction.set_rollback(True)


def latest_mark() -> int:
    """Return the mark after which a deed begins."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT COALESCE(max(id), 0) FROM changes_mark")
        latest: int = cursor.fetchone()[0]
        return latest


def findings_about(subjects: Ids, due: Ids, unjudged: Unjudged) -> list[Finding]:
    """Return what all rules find of these subjects in the transaction under way, as a sweep would."""
    question = question_about(subjects, due)
    return [] if question is None else ask(settings_in_effect(today()), question, unjudged)


def question_about(subjects: Ids, due: Ids) -> Question | None:
    """Return what a sweep would ask about these subjects alone; None if there are none."""
    asked = {kind: sorted(ids) for kind, ids in subjects.items() if ids}
    if not asked:
        return None
    # Of units everything below is read; of the others only who is asked about.
    narrowed = {kind: ids & subjects.get(kind, set()) if kind != Kind.UNIT else ids for kind, ids in due.items()}
    return Question(today(), asked, due=narrowed)


@contextmanager
def large_steps() -> Iterator[None]:
    """Let the statements of the block, about very many subjects, sort and join in memory."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('work_mem'), set_config('work_mem', %s, true)",
                       [settings.COVERIS_SWEEP_WORK_MEM])  # fmt: skip
        before = cursor.fetchone()[0]
    yield
    # On an error the rollback restores it.
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('work_mem', %s, true)", [before])


def marked_since(floor: int) -> Touched:
    """Return what the marks made after this one are about."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT kind, subject_id, alone FROM changes_mark WHERE id > %s", [floor])
        return Touched.by(cursor.fetchall())


def subjects_of(touched: Touched, reached: Mapping[str, set[int]]) -> Ids:
    """Return whom rules may say something else about, ids by kind, in one query."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    for own in (Kind.EMPLOYEE.value, Kind.POSITION.value):
        found[own] |= reached.get(own, set())
    parts: list[str] = []
    params: dict[str, Any] = {}
    for kind in kinds():
        for source, sql in kind.reached_from.items():
            if ids := reached.get(source):
                parts.append(_named(kind.name, sql.replace("%(ids)s", f"%({source})s")))
                params[source] = sorted(ids)
        if below := touched.marked.get(Kind.SUBTREE.value):
            parts.append(_named(kind.name, UNDER.format(rows=kind.rows)))
            params["below"] = sorted(below)
    if parts:
        with connection.cursor() as cursor:
            cursor.execute(" UNION ".join(parts), params)
            for name, pk in cursor.fetchall():
                found[name].add(pk)
    return dict(found)


def _named(kind: str, sql: str) -> str:
    return f"SELECT '{kind}', reached.id FROM ({sql}) AS reached (id)"


def _of_figures(ids: Ids) -> Ids:
    """Return those of these subjects that figures are kept of."""
    names = {figures.kind.value for figures in foreseen()}
    return {kind: pks for kind, pks in ids.items() if kind in names}


def _joined(*many: Mapping[str, set[int]]) -> Ids:
    joined: defaultdict[str, set[int]] = defaultdict(set)
    for ids in many:
        for kind, pks in ids.items():
            joined[kind] |= pks
    return dict(joined)


def _summed(rows: Iterable[Mapping[str, Sequence[int]]], columns: Sequence[str], span: Span) -> dict[str, list[int]]:
    held = list(rows)
    return {name: [sum(row[name][week] for row in held) for week in range(span.weeks)] for name in columns}


def _rank(finding: Finding) -> tuple[bool, int]:
    return finding.waived, MOST_SEVERE.index(finding.severity)


def _says_otherwise(before: Finding, after: Finding) -> bool:
    return (before.observed, before.limit, before.severity, before.waived) != (
        after.observed, after.limit, after.severity, after.waived,
    )  # fmt: skip
