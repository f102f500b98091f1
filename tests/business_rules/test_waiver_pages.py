"""The register of waivers on the screen: who answers for what, what it covers, granting for a unit and ending."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.business_rules.models import BusinessRule, EvaluationRun, RuleViolation, Waiver
from apps.business_rules.services import grant_unit_waiver, run_waiting_sweeps, sweep, waive_violation
from tests.conftest import TODAY
from tests.factories import AssignmentFactory, Clinic, EmployeeFactory, UserFactory, WaiverFactory
from tests.rules.catalogue import install_rules

pytestmark = pytest.mark.django_db
LIST, UNIT = reverse("admin:business_rules_waiver_changelist"), reverse("admin:business_rules_waiver_unit")
SOON = TODAY + timedelta(days=30)


@pytest.fixture
def pool(clinic: Clinic) -> BusinessRule:
    """The rule about the pool, broken by the nurse of H1 and the surgeon of H2."""
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=40, accepted=True)
    AssignmentFactory(employee=clinic.surgeon, position=clinic.p2, effective_hours=40, accepted=True)
    rule = install_rules("HOURS_OVER_POOL", "MAX_WEEKLY_HOURS")["HOURS_OVER_POOL"]
    sweep(actor=None)
    return rule


def end_of(waiver: Waiver) -> str:
    return reverse("admin:business_rules_waiver_end", args=(waiver.pk,))


def wish(rule: BusinessRule, unit: str) -> dict[str, Any]:
    return {"rule": rule.pk, "unit": unit, "reason": "short of staff", "expires_on": SOON.isoformat()}


class TestGrantingForAUnit:
    @pytest.mark.parametrize("typed", ["H1", "h1", "H1 · Urgencias", "urgencias"])
    def test_the_unit_is_found_by_code_or_name(
        self, clinic: Clinic, pool: BusinessRule, as_user: Any, typed: str
    ) -> None:
        assert as_user(clinic.supervisor).post(UNIT, wish(pool, typed)).status_code == 302
        waiver = Waiver.objects.get()
        assert (waiver.org_unit, waiver.granted_by, waiver.severity) == (clinic.h1, clinic.supervisor, "WARNING")

    def test_looking_writes_nothing_and_offers_only_units_in_scope(
        self, clinic: Clinic, pool: BusinessRule, as_user: Any
    ) -> None:
        html = as_user(clinic.manager).get(UNIT).content.decode()
        assert "H1 · Urgencias" in html and "H2" not in html
        assert not Waiver.objects.exists() and not EvaluationRun.objects.filter(trigger="change").exists()

    def test_a_unit_out_of_scope_is_as_unknown_as_one_that_is_not_there(
        self, clinic: Clinic, pool: BusinessRule, as_user: Any
    ) -> None:
        client = as_user(clinic.manager)
        answers = [client.post(UNIT, wish(pool, typed)) for typed in ("H2", "NOWHERE")]
        for answer in answers:
            assert answer.status_code == 200
            assert "There is no such unit in your part of the organisation." in answer.content.decode()
        assert not Waiver.objects.exists()

    def test_a_viewer_may_not_and_a_supervisor_not_what_blocks(
        self, clinic: Clinic, pool: BusinessRule, as_user: Any
    ) -> None:
        cap = BusinessRule.objects.get(code="MAX_WEEKLY_HOURS")
        assert as_user(clinic.viewer).get(UNIT).status_code == 403
        assert as_user(clinic.viewer).post(UNIT, wish(pool, "H1")).status_code == 403
        assert as_user(clinic.supervisor).post(UNIT, wish(cap, "H1")).status_code == 403
        assert not Waiver.objects.exists()
        assert UNIT not in as_user(clinic.viewer).get(LIST).content.decode()
        assert UNIT in as_user(clinic.supervisor).get(LIST).content.decode()


class TestEnding:
    def test_by_role(self, clinic: Clinic, pool: BusinessRule, as_user: Any) -> None:
        violation = RuleViolation.objects.get(rule=pool, subject_id=clinic.nurse.pk)
        waiver = waive_violation(violation=violation, actor=clinic.admin, reason="agreed", expires_on=SOON)
        for person in (clinic.viewer, clinic.supervisor):
            assert as_user(person).post(end_of(waiver), {"reason": "no"}).status_code == 403
        client = as_user(clinic.manager)
        assert client.get(end_of(waiver)).status_code == 200
        assert client.post(end_of(waiver), {"reason": ""}).status_code == 200
        waiver.refresh_from_db()
        assert waiver.expires_on == SOON
        assert client.post(end_of(waiver), {"reason": "back at work"}).status_code == 302
        waiver.refresh_from_db()
        violation.refresh_from_db()
        assert (waiver.expires_on, violation.state) == (TODAY - timedelta(days=1), "OPEN")
        assert client.post(end_of(waiver), {"reason": "again"}).status_code == 409

    def test_the_button_is_there_for_who_may(self, clinic: Clinic, pool: BusinessRule, as_user: Any) -> None:
        violation = RuleViolation.objects.get(rule=pool, subject_id=clinic.nurse.pk)
        waiver = waive_violation(violation=violation, actor=clinic.supervisor, reason="agreed", expires_on=SOON)
        page = reverse("admin:business_rules_waiver_change", args=(waiver.pk,))
        other = UserFactory(role="SUPERVISOR", unit=clinic.h1)
        shown = {
            person.email: end_of(waiver) in as_user(person).get(page).content.decode()
            for person in (clinic.viewer, other, clinic.supervisor, clinic.manager)
        }
        assert list(shown.values()) == [False, False, True, True]

    def test_one_out_of_scope_is_not_there(self, clinic: Clinic, pool: BusinessRule, as_user: Any) -> None:
        waiver = WaiverFactory(rule=pool, org_unit=clinic.h2, granted_by=clinic.admin, expires_on=SOON)
        client = as_user(clinic.manager)
        for path in (end_of(waiver), reverse("admin:business_rules_waiver_change", args=(waiver.pk,))):
            assert client.get(path).status_code == 404 or client.get(path).status_code == 302
        assert client.post(end_of(waiver), {"reason": "no"}).status_code == 404
        waiver.refresh_from_db()
        assert waiver.expires_on == SOON


class TestRegister:
    def test_it_tells_how_many_violations_a_waiver_covers_and_leads_to_them(
        self, clinic: Clinic, pool: BusinessRule, as_user: Any
    ) -> None:
        other = EmployeeFactory(home_unit=clinic.h1, active=True)
        AssignmentFactory(employee=other, position=clinic.p1, effective_hours=40, accepted=True)
        sweep(actor=None)
        grant_unit_waiver(rule=pool, unit=clinic.h1, actor=clinic.manager, reason="agreed", expires_on=SOON)
        run_waiting_sweeps()
        client = as_user(clinic.manager)
        html = client.get(LIST).content.decode()
        assert "2 violations" in html and "31 days left" in html
        link = f"?state=WAIVED&amp;rule__id__exact={pool.pk}&amp;under={clinic.h1.pk}"
        assert link in html
        listed = (
            client.get(
                reverse("admin:business_rules_ruleviolation_changelist"),
                {"state": "WAIVED", "rule__id__exact": pool.pk, "under": clinic.h1.pk},
            )
            .context["cl"]
            .queryset
        )
        assert {row.subject_id for row in listed} == {clinic.nurse.pk, other.pk}

    def test_violations_of_a_unit_out_of_scope_are_none(self, clinic: Clinic, pool: BusinessRule, as_user: Any) -> None:
        path = reverse("admin:business_rules_ruleviolation_changelist")
        for asked in (str(clinic.h2.pk), "nothing", "9" * 30):
            assert not as_user(clinic.manager).get(path, {"under": asked}).context["cl"].queryset.exists()

    def test_by_who_granted_them(self, clinic: Clinic, pool: BusinessRule, as_user: Any) -> None:
        for person, unit, until in (
            (clinic.manager, clinic.h1, TODAY + timedelta(days=3)),
            (clinic.manager, clinic.h1, TODAY - timedelta(days=3)),
            (clinic.admin, clinic.h1, SOON),
            (clinic.admin, clinic.h2, SOON),
        ):
            WaiverFactory(rule=pool, org_unit=unit, granted_by=person, expires_on=until, reason=f"by {person.email}")
        client = as_user(clinic.supervisor)
        response = client.get(LIST)
        granted = {
            row["granted_by__email"]: (row["force"], row["soon"], row["over"]) for row in response.context["granters"]
        }
        assert granted == {"manager@example.org": (1, 1, 1), "admin@example.org": (1, 0, 0)}
        of_manager = client.get(LIST, {"granter": str(clinic.manager.pk)}).context["cl"].queryset
        assert {row.granted_by_id for row in of_manager} == {clinic.manager.pk}
        stranger = UserFactory()
        assert not client.get(LIST, {"granter": str(stranger.pk)}).context["cl"].queryset.exists()

    def test_it_costs_the_same_with_two_and_with_twenty(self, clinic: Clinic, pool: BusinessRule, as_user: Any) -> None:
        client = as_user(clinic.admin)

        def queries() -> int:
            with CaptureQueriesContext(connection) as captured:
                assert client.get(LIST).status_code == 200
            return len(captured)

        def more(number: int) -> None:
            for _one in range(number):
                WaiverFactory(rule=pool, org_unit=clinic.h1, granted_by=clinic.admin, expires_on=date(2027, 1, 1))
                WaiverFactory(
                    rule=pool, subject_kind="employee", subject_id=clinic.nurse.pk, subject_code="E1",
                    granted_by=UserFactory(), expires_on=date(2027, 1, 1),
                )  # fmt: skip

        more(1)
        queries()
        few = queries()
        more(9)
        assert queries() == few
