"""The gate before whatever commits capacity: what a change adds to the violations decides whether it may happen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils.translation import gettext as _

from apps.common import prepared
from apps.common.clock import today
from apps.common.errors import ConfirmationNeeded, Reason, Refusal

from ..enums import Severity
from ..questions import Question, as_accepted_of
from ..sql import settings_in_effect
from ..subjects import kind_named
from ..unjudged import Unjudged
from ..verdicts import Finding, as_text
from .evaluation import ask

if TYPE_CHECKING:
    from apps.users.models import User

Subject = tuple[str, int]
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


class Judgement:
    """What a change adds: filled in when the block of `judged` ends well.

    `found` holds all that is wrong afterwards, `added` every finding of it the change is answerable for; `confirmed`
    those WARNINGs that the actor confirmed, `waived` what a waiver in force let pass, `noted` the INFOs. `unjudged` are
    rules staff wrote that gave no answer, before or after: nothing is held against anybody by them, and the log names
    them.
    """

    def __init__(self, actor: User | None, confirmed: bool):
        self.actor = actor
        self.is_confirmed = confirmed
        self.on = today()
        self.settings = settings_in_effect(self.on)
        self.subjects: dict[str, set[int]] = defaultdict(set)
        self.touched: dict[Subject, set[Subject]] = defaultdict(set)
        self.looked_at: set[Subject] = set()
        self.before: dict[tuple[str, str, int], Finding] = {}
        self.found: list[Finding] = []
        self.unjudged: Unjudged = {}
        self.added: list[Finding] = []
        self.added_to: dict[Subject, list[Finding]] = {}

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
        self._take(kind, set(ids))

    def look_before(
        self, subjects: Mapping[str, Iterable[int]], entering: Mapping[str, Iterable[int]] | None = None
    ) -> None:
        """Note what is wrong with these subjects, and those they touch, before they are changed.

        Of `entering` subjects, which begin to count by this change, nothing is held: only those they touch are
        looked at. Subjects already noted keep their first answer.
        """
        known = {(kind, pk) for kind, ids in self.subjects.items() for pk in ids}
        standing: set[Subject] = set()
        for kind, ids in subjects.items():
            standing |= self._take(kind, set(ids))
        for kind, ids in (entering or {}).items():
            own = {(kind, pk) for pk in ids}
            standing |= self._take(kind, {pk for _kind, pk in own})
            standing -= own
            self._forget(own & self.looked_at)
        new: dict[str, list[int]] = defaultdict(list)
        for kind, pk in sorted(standing - known):
            new[kind].append(pk)
        self.looked_at |= standing - known
        if new:
            question = Question(self.on, dict(new), as_accepted=as_accepted_of(new), at_gate=True)
            self.before |= {finding.key: finding for finding in ask(self.settings, question, self.unjudged)}

    def look_after(self) -> None:
        """Find what the change added, in the easiest order to fix."""
        ids = {kind: sorted(pks) for kind, pks in self.subjects.items() if pks}
        question = Question(self.on, ids, as_accepted=as_accepted_of(ids), at_gate=True)
        # A rule that gave no answer before is not asked: what it found now might have stood all along.
        self.found = ask(self.settings, question, self.unjudged)
        self.added = [finding for finding in self.found if self._is_added(finding)]
        self.added_to = defaultdict(list)
        for finding in self.added:
            self.added_to[finding.subject_kind, finding.subject_id].append(finding)

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

    def record_of(self, kind: str, pk: int) -> dict[str, Any]:
        """Return what a log keeps about one subject: what was confirmed, waived, noted or not judged, if anything."""
        record: dict[str, Any] = {}
        for subject in sorted({(kind, pk), *self.touched.get((kind, pk), ())}):
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

    def _take(self, kind: str, ids: set[int]) -> set[Subject]:
        """Add subjects and those they touch; return all of these."""
        if not ids:
            return set()
        self.subjects[kind] |= ids
        taken = {(kind, pk) for pk in ids}
        for other, sql in kind_named(kind).touches.items():
            pairs = prepared.fetch(sql, {"ids": sorted(ids)})
            self.subjects[other] |= {other_pk for _pk, other_pk in pairs}
            for pk, other_pk in pairs:
                self.touched[kind, pk].add((other, other_pk))
            taken |= {(other, other_pk) for _pk, other_pk in pairs}
        return taken

    def _forget(self, subjects: set[Subject]) -> None:
        """Hold nothing for subjects noted as standing that turn out to enter only now, nor for those they touch."""
        gone = subjects.union(*(self.touched[subject] for subject in subjects))
        self.before = {key: finding for key, finding in self.before.items() if key[1:] not in gone}

    def _is_added(self, finding: Finding) -> bool:
        old = self.before.get(finding.key)
        rule = finding.definition
        return old is None or rule is None or rule.is_worse(finding.observed, old.observed)

    def _by_subject(self, findings: list[Finding]) -> dict[Subject, list[Reason]]:
        """Give every finding to its subject and to the subjects that touch it."""
        touching: dict[Subject, set[Subject]] = defaultdict(set)
        for subject, others in self.touched.items():
            for other in others:
                touching[other].add(subject)
        reasons: dict[Subject, list[Reason]] = defaultdict(list)
        for finding in findings:
            subject = (finding.subject_kind, finding.subject_id)
            for one in {subject, *touching[subject]}:
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
