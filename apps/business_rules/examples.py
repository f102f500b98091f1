"""Pinned cases: what a rule says of them, with the content it has or another one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from apps.common.clock import today
from apps.common.errors import Reason

from .enums import Expectation, SubjectKind
from .questions import Question, as_accepted_of
from .services.evaluation import ask
from .services.what_if import what_if
from .simulation import acts_on
from .sql import Setting, setting_of
from .subjects import kind_named
from .unjudged import Unjudged
from .verdicts import Finding

if TYPE_CHECKING:
    from apps.users.models import User

    from .models import RuleExample
    from .models.rule_content import RuleContent


@dataclass(frozen=True)
class Outcome:
    """What became of a pinned case: `got` is ALLOWED or BLOCKED, empty if it could not be tried; `why` says why."""

    example: int
    title: str
    expects: str
    got: str
    why: str = ""

    @property
    def holds(self) -> bool:
        return self.got == self.expects

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "holds": self.holds}


def try_examples(examples: Iterable[RuleExample], content: RuleContent, *, actor: User | None) -> list[Outcome]:
    """Try pinned cases with a content of their rule; a waiver does not make a case allowed. Nothing is kept."""
    day = today()
    setting = setting_of(content, day) if acts_on(content, day) else None
    return [_tried(example, setting, actor) for example in examples]


def _tried(example: RuleExample, setting: Setting | None, actor: User | None) -> Outcome:
    if example.proposal is not None:
        stage, case = kind_named(SubjectKind.ASSIGNMENT).stage, example.proposal
        if stage is None:
            raise LookupError("nobody knows how to stage a proposal")
        answer = what_if(lambda: _found(setting, stage(case, actor)), actor=actor, reason=_("a pinned case"))
        if answer.refusal is not None:
            return Outcome(example.pk, example.title, example.expects, "", " ".join(answer.refusal.explain()))
        found = answer.returned
    else:
        kind, pk = example.subject_kind, example.subject_id or 0
        if not kind_named(kind).model.objects.filter(pk=pk).exists():
            return Outcome(example.pk, example.title, example.expects, "", _("Its record is gone."))
        found = _found(setting, {kind: [pk]})
    if found is None:
        return Outcome(example.pk, example.title, example.expects, "", _("The rule could not be judged."))
    got = Expectation.BLOCKED if found else Expectation.ALLOWED
    return Outcome(example.pk, example.title, example.expects, got.value, found[0].message if found else "")


def _found(setting: Setting | None, ids: dict[str, list[int]]) -> list[Finding] | None:
    """Return what the rule finds; None if it gives no answer."""
    if setting is None:
        return []
    unjudged: Unjudged = {}
    question = Question(today(), ids, as_accepted=as_accepted_of(ids), at_gate=bool(as_accepted_of(ids)))
    found = ask([setting], question, unjudged)
    return None if unjudged else found


def broken_examples(examples: Iterable[RuleExample], content: RuleContent, actor: User | None) -> list[Reason]:
    """Return why a content may not act: the pinned cases it would decide otherwise, and those that cannot be tried."""
    return [_contradicted(outcome) for outcome in try_examples(examples, content, actor=actor) if not outcome.holds]


def _contradicted(outcome: Outcome) -> Reason:
    if not outcome.got:
        text = _("The pinned case “%(case)s” cannot be tried: %(why)s")
    elif outcome.got == Expectation.BLOCKED:
        text = _("The pinned case “%(case)s” must be allowed and would be blocked. %(why)s")
    else:
        text = _("The pinned case “%(case)s” must be blocked and would be allowed.")
    return Reason(text % {"case": outcome.title, "why": outcome.why}, code="case_broken", fixable=5)
