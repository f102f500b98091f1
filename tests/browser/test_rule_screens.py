"""Waivers, the explanation of a violation, why not, and the health of the rules, in a browser."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from apps.assignments.services import change_assignment
from apps.business_rules.models import BusinessRule, RuleViolation, Waiver
from apps.business_rules.services import acknowledge_violation, sweep, waive_violation
from apps.business_rules.services.catalogue import save_rules
from apps.changes.drain import drain
from apps.users.groups import sync_groups
from tests.conftest import TODAY
from tests.factories import AssignmentFactory, Clinic, PositionTagFactory, RuleOverrideFactory, TagFactory
from tests.rules.catalogue import install_rules

from .conftest import Look, everyday

LOOKS = everyday([Look(), Look(scheme="dark"), Look(390, 844), Look(390, 844, "dark")])


@pytest.fixture(params=LOOKS, ids=lambda look: look.name)
def look(request: Any) -> Look:
    """Return Spanish, wide and narrow, light and dark."""
    return request.param


@pytest.fixture
def over_cap(transactional_db: Any, clinic: Clinic) -> RuleViolation:
    """The nurse above the cap and the pool, since an assignment of hers grew; noticed, and the rule changed since."""
    sync_groups()
    names = {"MAX_WEEKLY_HOURS": "Cap of weekly hours", "HOURS_OVER_POOL": "Hours above the pool"}
    for code, rule in install_rules().items():
        BusinessRule.objects.filter(pk=rule.pk).update(name=names.get(code, code.replace("_", " ").capitalize()))
    row = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=58, accepted=True)
    BusinessRule.objects.filter(code="MAX_WEEKLY_HOURS").update(threshold=50)
    sweep(actor=None)
    violation = RuleViolation.objects.get(rule__code="MAX_WEEKLY_HOURS")
    row.effective_hours = Decimal(61)
    BusinessRule.objects.filter(code="MAX_WEEKLY_HOURS").update(severity="WARNING")
    change_assignment(assignment=row, actor=clinic.manager, confirmed=True)
    sweep(actor=None)
    acknowledge_violation(violation=violation, actor=clinic.supervisor, reason="Vuelve Marta el lunes")
    rule = violation.rule
    rule.refresh_from_db()
    rule.threshold, rule.severity = Decimal(60), "BLOCKING"
    save_rules(rules=[rule], actor=clinic.admin)
    violation.refresh_from_db()
    return violation


def fits(page: Page, look: Look) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= look.width


def test_a_violation_explains_itself(
    visit: Any, clinic: Clinic, over_cap: RuleViolation, shoot: Any, look: Look
) -> None:
    path = reverse("admin:business_rules_ruleviolation_change", args=(over_cap.pk,))
    page = visit(path, user=clinic.manager, look=look)
    expect(page.get_by_role("heading", name="Qué lo cambió")).to_be_visible()
    expect(page.locator("#violation")).to_contain_text("La regla cambió")
    shoot(page, "violation-explained", full=True)
    fits(page, look)


def test_waiving_for_a_unit_and_ending_it(
    visit: Any, clinic: Clinic, over_cap: RuleViolation, shoot: Any, look: Look
) -> None:
    waive_violation(
        violation=over_cap, actor=clinic.admin, reason="Acordado con la jefatura", expires_on=TODAY + timedelta(days=5)
    )
    path = reverse("admin:business_rules_waiver_changelist")
    page = visit(path, user=clinic.manager, look=look)
    page.get_by_role("link", name="Dispensar en una unidad").click()
    dialog = page.locator("dialog.coveris-dialog")
    dialog.locator("[name=rule]").select_option(str(BusinessRule.objects.get(code="HOURS_OVER_POOL").pk))
    dialog.locator("[name=unit]").fill("H1")
    dialog.locator("[name=reason]").fill("Faltan dos enfermeras hasta fin de año")
    shoot(page, "waiver-unit")
    dialog.locator("button[type=submit]").click()
    expect(page.locator("#result_list, .result-list, main").first).to_contain_text("H1")
    page.locator(".coveris-granters > summary").click()
    shoot(page, "waiver-register", full=True)
    fits(page, look)
    waiver = Waiver.objects.get(org_unit=clinic.h1)
    page = visit(reverse("admin:business_rules_waiver_change", args=(waiver.pk,)), user=clinic.manager, look=look)
    page.locator(f"a[href='{reverse('admin:business_rules_waiver_end', args=(waiver.pk,))}']").click()
    dialog = page.locator("dialog.coveris-dialog")
    dialog.locator("[name=reason]").fill("Ya volvieron")
    dialog.locator("button[type=submit]").click()
    expect(page.locator(".coveris-badge", has_text="terminó").first).to_be_visible()
    shoot(page, "waiver-ended")


def test_why_not_rule_by_rule(visit: Any, clinic: Clinic, over_cap: RuleViolation, shoot: Any, look: Look) -> None:
    drain()
    PositionTagFactory(position=clinic.p2, tag=TagFactory(name="Instrumentación quirúrgica"))
    page = visit(
        f"{reverse('admin:assignments_assignment_add')}?employee={clinic.nurse.pk}&position={clinic.p2.pk}",
        user=clinic.admin, look=look,
    )  # fmt: skip
    page.locator("[name=starts_on]").fill(TODAY.strftime("%d/%m/%Y"))
    page.locator("[name=effective_hours]").fill("6")
    rules = page.locator(".coveris-impact-rules")
    rules.locator("> summary").click()
    rules.locator("details > summary").click()
    expect(rules).to_contain_text("Se cumple")
    shoot(page, "why-not", full=True)
    fits(page, look)


def test_the_health_of_the_rules(visit: Any, clinic: Clinic, over_cap: RuleViolation, shoot: Any, look: Look) -> None:
    RuleOverrideFactory(rule=BusinessRule.objects.get(code="NO_CONTRACT"), org_unit=clinic.h1, severity="OFF")
    RuleOverrideFactory(rule=over_cap.rule, org_unit=clinic.h2, threshold=Decimal(60))
    BusinessRule.objects.filter(code="UNIT_UNDER_COVERED").update(severity="BLOCKING")
    type(clinic.h1).objects.filter(pk=clinic.h1.pk).update(max_weekly_hours=70)
    waive_violation(
        violation=over_cap, actor=clinic.admin, reason="Acordado", expires_on=TODAY + timedelta(days=5)
    )  # fmt: skip
    page = visit(reverse("admin:business_rules_businessrule_health"), user=clinic.admin, look=look)
    expect(page.get_by_role("heading", name="Lo que pide atención")).to_be_visible()
    shoot(page, "rule-health", full=True)
    fits(page, look)
