"""Changing a rule without surprise: draft it, see what it would do, publish it, take it back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import OperationalError
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.common.acting import acting
from apps.common.errors import Reason, Refusal
from apps.common.saving import refuse_outside, save_rows, within_scope

from ..enums import DraftState
from ..examples import Outcome, broken_examples, try_examples
from ..language.bounds import check_condition, limited
from ..language.errors import ConditionError
from ..language.grammar import LANGUAGE_VERSION
from ..models import BusinessRule, RuleDraft, RuleExample
from ..models.rule_content import CONTENT
from ..own_rules import condition_of
from ..simulation import Simulation, simulate
from ..subjects import kind_named
from ..versions import examples_of, version_of
from .sweeps import request_judging
from .what_if import TOO_LONG, NoAnswer

if TYPE_CHECKING:
    from apps.users.models import User

    from ..models.rule_content import RuleContent


def draft_rule(*, rule: BusinessRule, actor: User | None, note: str = "", version: int | None = None) -> RuleDraft:
    """Begin a draft from what a rule says now, or said in an earlier version.

    A condition that can be read no more is taken as it is, to be repaired; such a draft is not simulated or published.
    """
    content: RuleContent = rule if version in (None, rule.version) else version_of(rule, version or 0)
    draft = RuleDraft(
        rule=rule,
        code=rule.code,
        subject_kind=rule.subject_kind,
        based_on=rule.version,
        note=note,
        **{name: getattr(content, name) for name in CONTENT},
    )
    return _save(draft, actor, "", is_copy=True)


def save_draft(*, draft: RuleDraft, actor: User | None, reason: str = "") -> RuleDraft:
    """Save a draft, new or changed, if its condition parses and is bounded; it judges nobody yet."""
    draft.language = LANGUAGE_VERSION
    return _save(draft, actor, reason)


def _save(draft: RuleDraft, actor: User | None, reason: str, is_copy: bool = False) -> RuleDraft:
    with acting(actor, reason), within_scope(RuleDraft, [draft], actor):
        reasons = []
        if draft.pk is not None:
            _open(draft)
        elif actor is not None:
            draft.created_by = actor
        if draft.rule is None and BusinessRule.objects.filter(code=draft.code).exists():
            reasons.append(
                Reason(_("There is a rule with the code %(code)s already.") % {"code": draft.code}, field="code",
                       code="taken", fixable=2)
            )  # fmt: skip
        if not is_copy:
            reasons += _wrong_with(draft)
        if reasons:
            raise Refusal(reasons)
        save_rows(RuleDraft, [draft])
    return draft


def simulate_draft(*, draft: RuleDraft, actor: User | None) -> tuple[Simulation, list[Outcome]]:
    """Say what would open, close and change if the draft were published, and try its pinned cases; keep the answer.

    Read on live data within COVERIS_RULE_SECONDS a statement, NoAnswer beyond that. Only what was simulated as it
    stands can be published.
    """
    try:
        with acting(actor), limited():
            refuse_outside(RuleDraft, [draft], actor)
            _open(draft)
            simulation = _simulated(draft)
            outcomes = try_examples(examples_of(draft), draft, actor=actor)
            draft.outcome = {**simulation.as_json(), "cases": [outcome.as_json() for outcome in outcomes]}
            draft.simulated, draft.simulated_at = draft.digest, timezone.now()
            draft.save(update_fields=["outcome", "simulated", "simulated_at"])
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) != TOO_LONG:
            raise
        raise NoAnswer(
            Reason(
                _("Trying it on everybody takes longer than %(seconds)d seconds. Nothing was changed: narrow the "
                  "condition, or try again when less is going on.") % {"seconds": settings.COVERIS_RULE_SECONDS},
                code="too_long", fixable=1,
            )
        ) from error  # fmt: skip
    return simulation, outcomes


def _simulated(draft: RuleDraft) -> Simulation:
    try:
        return simulate(draft)
    except ConditionError as error:
        raise Refusal(_reason(error, draft)) from error


def publish_draft(*, draft: RuleDraft, actor: User | None, reason: str = "") -> BusinessRule:
    """Let a draft act: at the gate at once, on the violations within seconds.

    It was simulated as it stands, is based on the version that acts now, and no pinned case contradicts it.
    """
    with acting(actor, reason or draft.note):
        refuse_outside(RuleDraft, [draft], actor)
        held = RuleDraft.objects.select_for_update(of=("self",), no_key=True).get(pk=draft.pk)
        _open(held)
        rule = _locked(held)
        reasons = [*_wrong_with(held), *_stale(held, rule)]
        if not reasons:
            reasons = broken_examples(examples_of(held), held, actor)
        if reasons:
            raise Refusal(reasons)
        rule = rule or BusinessRule(code=held.code, subject_kind=held.subject_kind)
        for name in CONTENT:
            setattr(rule, name, getattr(held, name))
        save_rows(BusinessRule, [rule])
        rule.refresh_from_db()
        held.rule, held.state = rule, DraftState.PUBLISHED
        held.published_at, held.published_version = timezone.now(), rule.version
        held.save(update_fields=["rule", "state", "published_at", "published_version", "updated_at"])
        RuleExample.objects.filter(draft=held).update(rule=rule, draft=None)
        request_judging(rules=[rule.code])
    draft.refresh_from_db()
    return rule


def take_over(*, draft: RuleDraft, actor: User | None) -> RuleDraft:
    """Base a draft on the version that acts now, after somebody compared the two."""
    with acting(actor):
        refuse_outside(RuleDraft, [draft], actor)
        _open(draft)
        if draft.rule is not None:
            draft.based_on = BusinessRule.objects.get(pk=draft.rule.pk).version
            draft.save(update_fields=["based_on", "updated_at"])
    return draft


def discard_draft(*, draft: RuleDraft, actor: User | None, reason: str = "") -> RuleDraft:
    """Put a draft aside; it stays in the list of those that came to nothing."""
    with acting(actor, reason):
        refuse_outside(RuleDraft, [draft], actor)
        _open(draft)
        draft.state = DraftState.DISCARDED
        draft.save(update_fields=["state", "updated_at"])
    return draft


def roll_back(*, rule: BusinessRule, version: int, actor: User | None, reason: str) -> BusinessRule:
    """Let a rule say again what it said in an earlier version: as a new version, simulated and published like any."""
    if not reason.strip():
        raise Refusal(Reason(_("Say why the rule goes back."), code="needed", field="reason", fixable=1))
    with acting(actor, reason):
        draft = draft_rule(rule=rule, version=version, actor=actor, note=reason)
        simulate_draft(draft=draft, actor=actor)
        return publish_draft(draft=draft, actor=actor, reason=reason)


def pin_example(*, example: RuleExample, actor: User | None, reason: str = "") -> RuleExample:
    """Pin a case a rule, or the draft of a new one, must decide so from now on."""
    with acting(actor, reason), within_scope(RuleExample, [example], actor):
        if example.proposal is None:
            model = kind_named(example.subject_kind).model
            if not model.objects.filter(pk=example.subject_id).exists():
                raise Refusal(Reason(_("There is no such record."), field="subject", code="missing", fixable=2))
        save_rows(RuleExample, [example])
    return example


def unpin_example(*, example: RuleExample, actor: User | None, reason: str = "") -> None:
    """Let a case be decided as the rule decides it."""
    with acting(actor, reason):
        refuse_outside(RuleExample, [example], actor)
        example.delete()


def _open(draft: RuleDraft) -> None:
    state = RuleDraft.objects.filter(pk=draft.pk).values_list("state", flat=True).first()
    if state != DraftState.DRAFT:
        raise Refusal(
            Reason(
                _("%(what)s is “%(state)s” and stays as it is: begin a new draft.")
                % {"what": draft, "state": DraftState(state).label if state else "–"},
                code="wrong_state",
                fixable=80,
            )
        )


def _locked(draft: RuleDraft) -> BusinessRule | None:
    if draft.rule_id is None:
        return None
    return BusinessRule.objects.select_for_update(of=("self",), no_key=True).get(pk=draft.rule_id)


def _wrong_with(content: RuleDraft) -> list[Reason]:
    if not content.is_own:
        return []
    try:
        condition_of(content)
        check_condition(content.subject_kind, content.condition, measure=content.measure, message=content.message)
    except ConditionError as error:
        return [_reason(error, content)]
    return []


def _reason(error: ConditionError, content: RuleDraft) -> Reason:
    return Reason(str(error), field=_field_of(error, content), code=error.code, fixable=3, facts=_place(error))


def _field_of(error: ConditionError, content: RuleDraft) -> str:
    return {content.message: "message", content.measure: "measure"}.get(error.text, "condition")


def _place(error: ConditionError) -> Mapping[str, Any]:
    return {"start": error.start, "length": error.length}


def _stale(draft: RuleDraft, rule: BusinessRule | None) -> list[Reason]:
    if rule is not None and rule.version != draft.based_on:
        return [
            Reason(
                _("The rule is at version %(now)s by now, the draft at %(then)s: compare them and take it over.")
                % {"now": rule.version, "then": draft.based_on},
                code="stale",
                fixable=4,
            )
        ]
    if not draft.is_simulated:
        return [Reason(_("Look at what it would do first: simulate it."), code="not_simulated", fixable=1)]
    return []
