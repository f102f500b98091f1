"""The gate before whatever commits capacity: what a change adds to the violations decides whether it may happen."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from decimal import Decimal
from itertools import batched
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils.translation import gettext as _

from apps.common import prepared
from apps.common.clock import today
from apps.common.errors import ConfirmationNeeded, Reason, Refusal

from ..enums import Severity, SubjectKind
from ..questions import Question, as_accepted_of
from ..sql import settings_in_effect
from ..subjects import kind_named
from ..unjudged import Unjudged
from ..verdicts import Finding, as_text
from .evaluation import ask, easiest_first

if TYPE_CHECKING:
    from apps.users.models import User

Subject = tuple[str, int]
Ids = defaultdict[str, set[int]]
# So many subjects are put to the rules in one statement: of no more the findings are held at once.
AT_A_TIME = 100_000
# What became of a finding that did not stop the change, by severity.
TOLD = {Severity.BLOCKING.value: "blocking", Severity.WARNING.value: "confirmed", Severity.INFO.value: "noted"}
_outermost: ContextVar[Judgement | None] = ContextVar("outermost judgement", default=None)


class RulesRefused(Refusal):
    """BLOCKING rules forbid the change. `findings` are all it would add, `by_subject` says why for each subject."""

    def __init__(self, findings: list[Finding], by_subject: Mapping[Subject, list[Reason]]):
        self.findings = findings
        self.by_subject = by_subject
        super().__init__([_reason(finding) for finding in findings])

    def of(self, kind: str) -> dict[int, list[Reason]]:
        """Return the reasons for subjects of one kind, by primary key."""
        return {pk: reasons for (name, pk), reasons in self.by_subject.items() if name == kind}


class WarningsToConfirm(RulesRefused, ConfirmationNeeded):
    """Only WARNINGs stand in the way: the same call with `confirmed=True` goes on."""


class Links:
    """Which subject touches which: two numbers a link, where a dictionary of sets takes half a thousand bytes."""

    def __init__(self) -> None:
        self._pairs: dict[tuple[str, str], tuple[array[int], array[int]]] = {}

    def add(self, kind: str, other: str, pairs: Iterable[tuple[int, int]]) -> None:
        own, others = self._pairs.setdefault((kind, other), (array("q"), array("q")))
        for pk, other_pk in pairs:
            own.append(pk)
            others.append(other_pk)

    def to(self, wanted: Container[Subject]) -> Iterator[tuple[Subject, Subject]]:
        """Yield the links that lead to one of these subjects: from whom, to whom."""
        for (kind, other), (own, others) in self._pairs.items():
            for pk, other_pk in zip(own, others, strict=True):
                if (other, other_pk) in wanted:
                    yield (kind, pk), (other, other_pk)


def _are_many(subjects: Ids) -> bool:
    return sum(map(len, subjects.values())) > AT_A_TIME


def _questions(on: date, subjects: Ids) -> Iterator[Question]:
    """Yield what to ask about subjects, in the order of their keys: all together, or so many of a kind at a time."""
    if not _are_many(subjects):
        asked = {kind: sorted(ids) for kind, ids in subjects.items() if ids}
        if asked:
            yield Question(on, asked, as_accepted=as_accepted_of(asked), at_gate=True)
        return
    for kind, ids in subjects.items():
        for some in batched(sorted(ids), AT_A_TIME, strict=False):
            near = _as_accepted(kind, some, subjects)
            yield Question(on, {kind: list(some)}, as_accepted=near, at_gate=True)


def _as_accepted(kind: str, some: Sequence[int], subjects: Ids) -> tuple[int, ...]:
    """Return the proposals among many subjects that count as accepted where some of a kind are asked about.

    Only those that still are proposals and can matter: a million ids would go with every turn.
    """
    beside = kind_named(SubjectKind.ASSIGNMENT).proposed_beside
    if not (proposals := subjects.get(SubjectKind.ASSIGNMENT)) or kind not in beside:
        return as_accepted_of(subjects)
    near = prepared.fetch(beside[kind], {"ids": list(some)})
    return tuple(sorted(pk for (pk,) in near if pk in proposals))


class Judgement:
    """What a change adds: filled in when the block of `judged` ends well.

    `found` holds all that is wrong afterwards (of more subjects than AT_A_TIME only what is added), `added` every
    finding of it the change is answerable for; `confirmed` those WARNINGs that the actor confirmed, `waived` what a
    waiver in force let pass, `noted` the INFOs. `unjudged` are rules staff wrote that gave no answer, before or after:
    nothing is held against anybody by them, and the log names them.

    A sheet judges a million subjects: of each is kept its key and the keys of what it touches, and of what was wrong
    before one number.
    """

    def __init__(self, actor: User | None, confirmed: bool):
        self.actor = actor
        self.is_confirmed = confirmed
        self.on = today()
        self.settings = settings_in_effect(self.on)
        self.subjects: Ids = defaultdict(set)
        self.touched = Links()
        self.looked_at: Ids = defaultdict(set)
        self.before: dict[tuple[str, str, int], Decimal | None] = {}
        self.found: list[Finding] = []
        self.unjudged: Unjudged = {}
        self.added: list[Finding] = []
        self.added_to: dict[Subject, list[Finding]] = {}
        # What was found, by the subjects that touch whom it was found about.
        self.touching: dict[Subject, set[Subject]] = {}
        self.added_beside: dict[Subject, set[Subject]] = {}

    @property
    def confirmed(self) -> list[Finding]:
        return [f for f in self.added if f.severity == Severity.WARNING and not f.waived]

    @property
    def noted(self) -> list[Finding]:
        return [f for f in self.added if f.severity == Severity.INFO and not f.waived]

    @property
    def waived(self) -> list[Finding]:
        return [f for f in self.added if f.waived]

    def add(self, kind: str, ids: Iterable[int]) -> None:
        """Name subjects that came to be inside the block; all that rules say about them is the change's doing."""
        self._take(kind, set(ids), defaultdict(set))

    def look_before(
        self, subjects: Mapping[str, Iterable[int]], entering: Mapping[str, Iterable[int]] | None = None
    ) -> None:
        """Note what is wrong with these subjects, and those they touch, before they are changed.

        Of `entering` subjects, which begin to count by this change, nothing is held: only those they touch are
        looked at. Subjects already noted keep their first answer.
        """
        fresh: Ids = defaultdict(set)
        for kind, ids in subjects.items():
            self._take(kind, set(ids), fresh)
        for kind, ids in (entering or {}).items():
            own = set(ids)
            gone: Ids = defaultdict(set, {kind: own & self.looked_at[kind]})
            self._take(kind, own, fresh, gone)
            fresh[kind] -= own
            if gone[kind]:
                self._forget(gone)
        for question in _questions(self.on, fresh):
            for finding in ask(self.settings, question, self.unjudged):
                self.before[finding.key] = finding.observed
        for kind, pks in fresh.items():
            self.looked_at[kind] |= pks

    def look_after(self) -> None:
        """Find what the change added, in the easiest order to fix."""
        self.found, self.added = [], []
        is_long = _are_many(self.subjects)
        for question in _questions(self.on, self.subjects):
            # A rule that gave no answer before is not asked: what it found now might have stood all along.
            found = ask(self.settings, question, self.unjudged)
            added = [finding for finding in found if self._is_added(finding)]
            self.added += added
            self.found += added if is_long else found
        if is_long:
            # One that gave no answer only later is held against nobody either.
            self.added = sorted((f for f in self.added if f.rule not in self.unjudged), key=easiest_first)
            self.found = list(self.added)
        self.added_to = defaultdict(list)
        for finding in self.added:
            self.added_to[finding.subject_kind, finding.subject_id].append(finding)
        self.touching, self.added_beside = defaultdict(set), defaultdict(set)
        for subject, other in self.touched.to(self.added_to):
            self.touching[other].add(subject)
            self.added_beside[subject].add(other)

    def verdict(self) -> RulesRefused | None:
        """Return the refusal the added findings amount to, None if the change may stand."""
        standing = [finding for finding in self.added if not finding.waived]
        blocking = [finding for finding in standing if finding.severity == Severity.BLOCKING]
        if blocking:
            return RulesRefused(blocking, self._by_subject(blocking))
        warnings = [finding for finding in standing if finding.severity == Severity.WARNING]
        if warnings and not self.is_confirmed:
            return WarningsToConfirm(warnings, self._by_subject(warnings))
        return None

    def told_about(self, kind: str) -> set[int] | None:
        """Return of which subjects of a kind `record_of` has something to tell; None are all of them."""
        if self.unjudged:
            return None
        return {pk for name, pk in (*self.added_to, *self.added_beside) if name == kind}

    def record_of(self, kind: str, pk: int) -> dict[str, Any]:
        """Return what a log keeps about one subject: what was confirmed, waived, noted or not judged, if anything."""
        record: dict[str, Any] = {}
        for subject in sorted({(kind, pk), *self.added_beside.get((kind, pk), ())}):
            for finding in self.added_to.get(subject, ()):
                name = "waived" if finding.waived else TOLD[finding.severity]
                record.setdefault(name, []).append(
                    {
                        "rule": finding.rule,
                        "subject": finding.subject_code,
                        "observed": as_text(finding.observed),
                        "limit": as_text(finding.limit),
                    }
                )
        if self.unjudged:
            record["unjudged"] = [{"rule": code} for code in sorted(self.unjudged)]
        return record

    def _take(self, kind: str, ids: set[int], fresh: Ids, gone: Ids | None = None) -> None:
        """Add subjects and those they touch; tell which of all these were not known, and whom those `gone` touch."""
        new = ids - self.subjects[kind]
        fresh[kind] |= new
        self.subjects[kind] |= ids
        for other, sql in kind_named(kind).touches.items():
            for some in batched(sorted(ids), AT_A_TIME, strict=False):
                pairs = prepared.fetch(sql, {"ids": list(some)})
                self.touched.add(kind, other, (pair for pair in pairs if pair[0] in new))
                others = {other_pk for _pk, other_pk in pairs}
                fresh[other] |= others - self.subjects[other]
                self.subjects[other] |= others
                if gone and gone[kind]:
                    gone[other] |= {other_pk for pk, other_pk in pairs if pk in gone[kind]}

    def _forget(self, gone: Ids) -> None:
        """Hold nothing for subjects noted as standing that turn out to enter only now, nor for those they touch."""
        self.before = {key: observed for key, observed in self.before.items() if key[2] not in gone[key[1]]}

    def _is_added(self, finding: Finding) -> bool:
        rule = finding.definition
        if finding.key not in self.before or rule is None:
            return True
        return rule.is_worse(finding.observed, self.before[finding.key])

    def _by_subject(self, findings: list[Finding]) -> dict[Subject, list[Reason]]:
        """Give every finding to its subject and to the subjects that touch it."""
        reasons: dict[Subject, list[Reason]] = defaultdict(list)
        for finding in findings:
            subject = (finding.subject_kind, finding.subject_id)
            for one in {subject, *self.touching[subject]}:
                reasons[one].append(_reason(finding))
        return dict(reasons)


@contextmanager
def judged(
    *,
    subjects: Mapping[str, Iterable[int]],
    actor: User | None,
    confirmed: bool = False,
    entering: Mapping[str, Iterable[int]] | None = None,
) -> Iterator[Judgement]:
    """Let the block make a change, and keep it only if the rules allow what it adds.

    `subjects` maps kinds to the ids the block will change: {"employee": [...], "assignment": [...]}. An assignment
    brings its employee along by itself; for one that is yet to be created name the employee here and call
    `judgement.add("assignment", [pk])` inside the block. `entering` are proposals the block will accept: nothing is
    held for them before. The caller has locked the employees before (the house order,
    docs/locking.md), or two changes could each look innocent: the gate itself locks nothing.

    A violation counts as added if it is new, or its observed value worse than before the block. Proposals among the
    subjects are judged as if they were accepted. What comes of it:
      * a BLOCKING one is added and no waiver covers it: the block is rolled back and RulesRefused raised;
      * only WARNINGs are added and `confirmed` is false: the same with WarningsToConfirm (a ConfirmationNeeded);
      * otherwise the change stands, and the Judgement tells what was confirmed, waived and noted, for the log.
    Both exceptions say why in `reasons` (easiest to fix first), `findings` and `by_subject`.

    One or ten thousand subjects cost the same few queries. Inside another `judged` block (a sheet of many rows) the
    inner ones, the door's included, add their subjects to the outer one, which judges the end state alone: name every
    employee the sheet touches in the outer one, so that all of them are looked at before its first row.
    """
    outer = _outermost.get()
    if outer is not None:
        outer.look_before(subjects, entering)
        yield outer
        return
    with transaction.atomic():
        judgement = Judgement(actor, confirmed)
        judgement.look_before(subjects, entering)
        with gathering(judgement):
            yield judgement
        judgement.look_after()
        if (refusal := judgement.verdict()) is not None:
            raise refusal


@contextmanager
def gathering(judgement: Judgement) -> Iterator[None]:
    """Let every gate inside the block hand its subjects to this judgement and leave the verdict to it."""
    token = _outermost.set(judgement)
    try:
        yield
    finally:
        _outermost.reset(token)


def outer_judgement() -> Judgement | None:
    """Return the judgement of the `judged` block under way, if there is one."""
    return _outermost.get()


def _reason(finding: Finding) -> Reason:
    definition = finding.definition
    return Reason(
        _("%(rule)s: %(sentence)s %(remedy)s")
        % {
            "rule": definition.name if definition else finding.rule,
            "sentence": finding.message,
            "remedy": finding.remedy,
        },
        code=finding.rule,
        fixable=definition.fixable if definition else 99,
        records=(finding.subject_code, *finding.records),
        facts={"observed": finding.observed, "limit": finding.limit, **finding.facts},
    )
