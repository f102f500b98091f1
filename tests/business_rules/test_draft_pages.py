"""The screens where rules are made: drafts, simulation, versions and pinned cases, for administrators alone."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.business_rules.models import BusinessRule, RuleDraft, RuleExample, RuleViolation
from apps.business_rules.services import run_waiting_sweeps
from apps.business_rules.services.drafts import draft_rule, publish_draft, save_draft, simulate_draft
from apps.changes.drain import drain
from tests.factories import AssignmentFactory, BusinessRuleFactory, Clinic, EmployeeFactory

pytestmark = pytest.mark.django_db
ADD = "admin:business_rules_ruledraft_add"


@pytest.fixture
def cap(db: Any) -> BusinessRule:
    rule = BusinessRuleFactory(code="MAX_WEEKLY_HOURS", severity="BLOCKING", threshold=Decimal("60"))
    rule.refresh_from_db()
    return rule


@pytest.fixture
def busy(clinic: Clinic, cap: BusinessRule) -> Clinic:
    """The nurse of H1 gives 50 hours, the surgeon of H2 30."""
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=50, accepted=True)
    AssignmentFactory(employee=clinic.surgeon, position=clinic.p2, effective_hours=30, accepted=True)
    drain()
    return clinic


@pytest.fixture
def admin(busy: Clinic, as_user: Callable[..., Client]) -> Client:
    return as_user(busy.admin)


def of_draft(draft: RuleDraft, deed: str = "effect") -> str:
    return reverse(f"admin:business_rules_ruledraft_{deed}", args=(draft.pk,))


def of_rule(rule: BusinessRule, deed: str = "change", *more: Any) -> str:
    return reverse(f"admin:business_rules_businessrule_{deed}", args=(rule.pk, *more))


def lowered(cap: BusinessRule, clinic: Clinic, threshold: str = "40") -> RuleDraft:
    draft = draft_rule(rule=cap, actor=clinic.admin, note="new agreement")
    draft.threshold = Decimal(threshold)
    return save_draft(draft=draft, actor=clinic.admin)


OWN = {
    "name": "Long week", "code": "", "description": "", "condition": "effective_hours > threshold",
    "message": "{who}: {effective_hours} h", "measure": "effective_hours", "severity": "WARNING", "threshold": "40",
    "enabled": "on", "effective_from": "", "effective_until": "", "note": "agreed in May",
}  # fmt: skip
NEW = "?kind=assignment"


class TestWritingOne:
    def test_the_catalogue_leads_to_a_new_rule_and_asks_first_what_it_is_about(self, admin: Client) -> None:
        listed = admin.get(reverse("admin:business_rules_businessrule_changelist")).content.decode()
        assert reverse(ADD) in listed
        asked = admin.get(reverse(ADD)).content.decode()
        assert all(f'href="?kind={kind}"' in asked for kind in ("employee", "assignment", "position", "unit"))
        form = admin.get(reverse(ADD) + NEW).content.decode()
        assert "data-condition" in form and "{effective_hours}" in form
        assert not RuleDraft.objects.exists()

    def test_what_is_saved_is_a_draft_and_leads_to_what_it_would_do(self, admin: Client, busy: Clinic) -> None:
        answer = admin.post(reverse(ADD) + NEW, OWN)
        draft = RuleDraft.objects.get()
        assert answer.headers["Location"] == of_draft(draft)
        assert (draft.code, draft.subject_kind, draft.created_by) == ("LONG_WEEK", "assignment", busy.admin)
        assert not BusinessRule.objects.filter(code="LONG_WEEK").exists()
        page = admin.get(of_draft(draft)).content.decode()
        assert "Not simulated yet" in page and "disabled" in page and of_draft(draft, "publish") not in page

    @pytest.mark.parametrize(
        "wrong, sentence",
        [
            ({"condition": "effective_hour > 1"}, "character 1"),
            ({"condition": ""}, "This field is required"),
            ({"message": "{who} {hourz}"}, "hourz"),
            ({"message": ""}, "This field is required"),
            ({"code": "MAX_WEEKLY_HOURS"}, "already"),
            ({"effective_from": "2027-01-02", "effective_until": "2027-01-01"}, "cannot end before"),
        ],
    )
    def test_what_is_wrong_is_told_at_its_field_and_what_was_typed_stays(
        self, admin: Client, wrong: dict[str, str], sentence: str
    ) -> None:
        answer = admin.post(reverse(ADD) + NEW, OWN | wrong)
        html = answer.content.decode()
        assert answer.status_code == 200 and sentence in html and "agreed in May" in html
        errors = answer.context["adminform"].form.errors
        assert set(errors) <= {*wrong, "__all__"}
        if wrong.get("condition"):
            assert 'data-start="0"' in html and "effective_hour &gt; 1" in html
        assert not RuleDraft.objects.exists()

    def test_a_kind_there_is_not_is_not_written_about(self, admin: Client) -> None:
        assert admin.post(reverse(ADD) + "?kind=planet", OWN).status_code == 404
        assert not RuleDraft.objects.exists()


class TestTrying:
    def test_the_page_tells_the_stored_answer_in_the_readers_language(
        self, admin: Client, busy: Clinic, cap: BusinessRule
    ) -> None:
        draft = lowered(cap, busy)
        answer = admin.post(of_draft(draft, "simulate"))
        assert answer.headers["Location"] == of_draft(draft)
        html = admin.get(of_draft(draft)).content.decode()
        assert "Violations: 0 now, 1 if it acted." in html and "Gómez" in html and "50.00" in html
        assert reverse("admin:org_orgunit_change", args=(busy.h1.pk,)) in html
        assert of_draft(draft, "publish") in html
        admin.cookies[settings.LANGUAGE_COOKIE_NAME] = "es"
        html = admin.get(of_draft(draft)).content.decode()
        assert "1 si rigiera" in html
        assert not RuleViolation.objects.exists()

    def test_looking_never_tries(self, admin: Client, busy: Clinic, cap: BusinessRule) -> None:
        draft = lowered(cap, busy)
        assert admin.get(of_draft(draft, "simulate")).status_code == 405
        admin.get(of_draft(draft))
        admin.get(of_draft(draft, "publish"))
        draft.refresh_from_db()
        assert not draft.simulated and draft.is_open

    def test_a_try_that_takes_too_long_says_so(
        self, admin: Client, busy: Clinic, cap: BusinessRule, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from apps.business_rules import simulation

        draft = lowered(cap, busy)
        slow = simulation.DIFFERENCE.replace("SELECT (SELECT count(*)", "SELECT pg_sleep(5)::text, (SELECT count(*)", 1)
        assert slow != simulation.DIFFERENCE
        monkeypatch.setattr(simulation, "DIFFERENCE", slow)
        with override_settings(COVERIS_RULE_SECONDS=1):
            answer = admin.post(of_draft(draft, "simulate"), follow=True)
        assert answer.status_code == 200 and "longer than 1 seconds" in answer.content.decode()
        draft.refresh_from_db()
        assert not draft.simulated

    def test_a_changed_draft_is_tried_again_before_it_is_published(
        self, admin: Client, busy: Clinic, cap: BusinessRule
    ) -> None:
        draft = lowered(cap, busy)
        simulate_draft(draft=draft, actor=busy.admin)
        draft.threshold = Decimal("35")
        save_draft(draft=draft, actor=busy.admin)
        html = admin.get(of_draft(draft)).content.decode()
        assert "simulate it again" in html and of_draft(draft, "publish") not in html
        answer = admin.post(of_draft(draft, "publish"), {"reason": "now"})
        assert answer.status_code == 200 and "simulate it" in answer.content.decode()
        cap.refresh_from_db()
        assert cap.version == 1


class TestPublishingAndGoingBack:
    def test_from_a_change_to_its_version_and_back(self, admin: Client, busy: Clinic, cap: BusinessRule) -> None:
        answer = admin.post(of_rule(cap, "draft"), {"note": "agreed"})
        draft = RuleDraft.objects.get()
        assert answer.headers["Location"] == of_draft(draft, "change")
        form = {name: value for name, value in OWN.items() if name not in ("condition", "message", "measure", "code")}
        assert admin.post(of_draft(draft, "change"), form | {"threshold": "45"}).status_code == 302
        assert admin.post(of_draft(draft, "simulate")).status_code == 302
        assert admin.post(of_draft(draft, "publish"), {"reason": "agreed"}).headers["Location"] == of_rule(
            cap, "versions"
        )
        cap.refresh_from_db()
        assert (cap.threshold, cap.version) == (Decimal("45"), 2)
        page = admin.get(of_rule(cap, "versions")).content.decode()
        assert "Version 2" in page and "agreed" in page and of_rule(cap, "roll_back", 1) in page
        assert of_rule(cap, "roll_back", 2) not in page
        assert admin.post(of_rule(cap, "roll_back", 1), {"reason": ""}).status_code == 200
        assert admin.post(of_rule(cap, "roll_back", 9), {"reason": "?"}).status_code == 404
        assert admin.post(of_rule(cap, "roll_back", 1), {"reason": "a mistake"}).status_code == 302
        cap.refresh_from_db()
        assert (cap.threshold, cap.version) == (Decimal("60"), 3)

    def test_a_stale_draft_is_compared_and_taken_over(self, admin: Client, busy: Clinic, cap: BusinessRule) -> None:
        first, second = lowered(cap, busy), lowered(cap, busy, "48")
        simulate_draft(draft=second, actor=busy.admin)
        publish_draft(draft=second, actor=busy.admin)
        assert "changed meanwhile" in admin.get(of_draft(first)).content.decode()
        compared = admin.get(of_draft(first, "take_over")).content.decode()
        assert "60.00 → 48.00" in compared and "48.00 → 40.00" in compared
        assert admin.post(of_draft(first, "take_over")).status_code == 302
        first.refresh_from_db()
        assert first.based_on == 2

    def test_an_own_rule_is_read_on_its_form_and_changed_in_a_draft(self, admin: Client, busy: Clinic) -> None:
        admin.post(reverse(ADD) + NEW, OWN)
        draft = RuleDraft.objects.get()
        simulate_draft(draft=draft, actor=busy.admin)
        rule = publish_draft(draft=draft, actor=busy.admin)
        run_waiting_sweeps()
        assert RuleViolation.objects.get().rule == rule
        html = admin.get(of_rule(rule)).content.decode()
        assert "effective_hours &gt; threshold" in html and 'name="condition"' not in html
        assert of_rule(rule, "draft") in html
        assert admin.get(of_draft(draft, "change")).status_code == 200
        assert admin.post(of_draft(draft, "change"), OWN).status_code == 403

    def test_a_discarded_draft_stays_as_it_is(self, admin: Client, busy: Clinic, cap: BusinessRule) -> None:
        draft = lowered(cap, busy)
        assert admin.post(of_draft(draft, "discard"), {"reason": "no"}).status_code == 302
        html = admin.get(of_draft(draft)).content.decode()
        assert of_draft(draft, "simulate") not in html
        assert admin.post(of_draft(draft, "publish"), {"reason": ""}).status_code == 409


class TestPinnedCases:
    def test_a_record_is_pinned_by_its_code_and_removed(self, admin: Client, busy: Clinic, cap: BusinessRule) -> None:
        case = {"title": "fine", "subject": "E1", "expects": "ALLOWED"}
        unknown = admin.post(of_rule(cap, "pin_record"), case | {"subject": "E99"})
        assert unknown.status_code == 200 and "E99" in unknown.content.decode()
        assert admin.post(of_rule(cap, "pin_record"), case).status_code == 302
        example = RuleExample.objects.get()
        assert (example.rule, example.subject_kind, example.subject_id) == (cap, "employee", busy.nurse.pk)
        assert "Gómez" in admin.get(of_rule(cap, "cases")).content.decode()
        draft = lowered(cap, busy)
        simulate_draft(draft=draft, actor=busy.admin)
        html = admin.get(of_draft(draft)).content.decode()
        assert "would be blocked" in html and of_draft(draft, "publish") not in html
        refused = admin.post(of_draft(draft, "publish"), {"reason": ""})
        assert refused.status_code == 200 and "fine" in refused.content.decode()
        assert admin.post(of_rule(cap, "unpin", example.pk), {"reason": ""}).status_code == 302
        assert not RuleExample.objects.exists()

    def test_a_proposal_is_pinned_to_the_draft_of_a_new_rule(self, admin: Client, busy: Clinic) -> None:
        admin.post(reverse(ADD) + NEW, OWN)
        draft = RuleDraft.objects.get()
        page = admin.get(of_draft(draft, "pin_proposal")).content.decode()
        assert "admin-autocomplete" in page and "select2" in page
        case = {
            "title": "41 are too many", "employee": busy.surgeon.pk, "position": busy.p1.pk, "hours": "41",
            "starts_in_days": "3", "days": "", "expects": "BLOCKED",
        }  # fmt: skip
        assert admin.post(of_draft(draft, "pin_proposal"), case).status_code == 302
        assert RuleExample.objects.get().draft == draft
        admin.post(of_draft(draft, "simulate"))
        draft.refresh_from_db()
        assert [one["holds"] for one in draft.outcome["cases"]] == [True]
        assert "41.00 h a week" in admin.get(of_draft(draft, "cases")).content.decode()

    def test_a_case_of_another_rule_is_not_removed_here(self, admin: Client, busy: Clinic, cap: BusinessRule) -> None:
        other = BusinessRuleFactory(code="OTHER")
        example = RuleExample.objects.create(
            rule=other, title="x", expects="ALLOWED", subject_kind="employee", subject_id=busy.nurse.pk
        )
        assert admin.post(of_rule(cap, "unpin", example.pk), {"reason": ""}).status_code == 404
        assert RuleExample.objects.exists()


@pytest.mark.parametrize("who", ["manager", "supervisor", "viewer"])
def test_nobody_else_makes_rules(busy: Clinic, cap: BusinessRule, as_user: Any, who: str) -> None:
    draft = lowered(cap, busy)
    simulate_draft(draft=draft, actor=busy.admin)
    example = RuleExample.objects.create(
        rule=cap, title="x", expects="ALLOWED", subject_kind="employee", subject_id=busy.nurse.pk
    )
    client = as_user(getattr(busy, who))
    closed = [
        reverse("admin:business_rules_ruledraft_changelist"),
        reverse(ADD),
        reverse(ADD) + NEW,
        *(
            of_draft(draft, deed)
            for deed in (
                "effect", "change", "cases", "history", "simulate", "publish", "take_over", "discard", "pin_record",
                "pin_proposal",
            )
        ),
        *(of_rule(cap, deed) for deed in ("draft", "drafts", "cases", "pin_record", "pin_proposal")),
        of_rule(cap, "roll_back", 1),
        of_rule(cap, "unpin", example.pk),
    ]  # fmt: skip
    forged = OWN | {"reason": "x", "title": "x", "subject": "E1", "expects": "ALLOWED"}
    for address in closed:
        assert client.get(address).status_code in (403, 404, 405), address
        assert client.post(address, forged).status_code in (403, 404, 405), address
    before = RuleDraft.objects.count(), RuleExample.objects.count(), BusinessRule.objects.get().version
    assert before == (1, 1, 1)
    draft.refresh_from_db()
    assert draft.is_open
    # What everybody may read of the catalogue leads to none of it.
    for address in (of_rule(cap), of_rule(cap, "versions"), reverse("admin:business_rules_businessrule_changelist")):
        html = client.get(address).content.decode()
        assert reverse(ADD) not in html and of_rule(cap, "draft") not in html and of_rule(cap, "drafts") not in html


def test_the_pages_cost_the_same_with_two_rows_and_with_twenty(admin: Client, busy: Clinic, cap: BusinessRule) -> None:
    draft = lowered(cap, busy, "1")

    def more(count: int) -> None:
        for number in range(count):
            person = EmployeeFactory(home_unit=busy.h1)
            AssignmentFactory(employee=person, position=busy.p1, effective_hours=10 + number, accepted=True)
            RuleExample.objects.create(
                rule=cap, title=f"case {number}", expects="BLOCKED", subject_kind="employee", subject_id=person.pk
            )
            RuleExample.objects.create(
                rule=cap, title=f"proposal {number}", expects="BLOCKED",
                proposal={"employee": person.pk, "position": busy.p1.pk, "hours": "70", "starts_in_days": 1},
            )  # fmt: skip
            lowered(cap, busy, f"{number + 5}")
            cap.description = f"{count}-{number}"
            cap.save()
        drain()
        simulate_draft(draft=draft, actor=busy.admin)

    pages = [
        of_draft(draft), of_draft(draft, "cases"), of_draft(draft, "change"), of_rule(cap), of_rule(cap, "versions"),
        of_rule(cap, "drafts"), of_rule(cap, "cases"), reverse("admin:business_rules_ruledraft_changelist"),
        reverse("admin:business_rules_businessrule_changelist"),
    ]  # fmt: skip

    def queries() -> list[int]:
        counts = []
        for page in pages:
            with CaptureQueriesContext(connection) as captured:
                assert admin.get(page).status_code == 200
            counts.append(len(captured))
        return counts

    more(2)
    queries()
    few = queries()
    more(8)
    assert queries() == few
