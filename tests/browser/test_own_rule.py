"""A rule of one's own from the first word to the way back, by an administrator, in Spanish."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.business_rules.models import BusinessRule, RuleDraft, RuleViolation
from apps.business_rules.services import run_waiting_sweeps
from apps.business_rules.services.drafts import publish_draft, save_draft, simulate_draft
from apps.changes.drain import drain
from apps.users.groups import sync_groups
from tests.browser.conftest import NARROW, WIDE, Look, everyday, settle
from tests.factories import AssignmentFactory, Clinic

LOOKS = everyday([Look(*size, scheme, "es") for size in (WIDE, NARROW) for scheme in ("light", "dark")])


@pytest.fixture
def busy(clinic: Clinic) -> Clinic:
    """The nurse gives 50 hours, the surgeon 30."""
    sync_groups()
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=50, accepted=True)
    AssignmentFactory(employee=clinic.surgeon, position=clinic.p2, effective_hours=30, accepted=True)
    drain()
    return clinic


def confirm(page: Page, button: str, **typed: str) -> None:
    """Fill in the dialog and press its button."""
    dialog = page.locator("dialog.coveris-dialog")
    expect(dialog).to_be_visible()
    for label, text in typed.items():
        dialog.get_by_label(label.replace("_", " ")).fill(text)
    dialog.get_by_role("button", name=button).click()
    settle(page)


def simulate(page: Page) -> None:
    page.get_by_role("button", name="Simular").click()
    expect(page.locator("#in-one-sentence")).to_be_visible()
    settle(page)


def test_a_rule_is_created_tried_published_changed_and_taken_back(
    visit: Callable[..., Page], busy: Clinic, shoot: Callable[..., Any]
) -> None:
    page = visit("/admin/business_rules/businessrule/", user=busy.admin)
    page.get_by_role("link", name="Nueva regla").click()
    page.get_by_role("link", name="Asignación").click()
    settle(page)

    # Written: the condition with completion, then looked at as rows.
    page.get_by_label("Nombre").fill("Semana larga")
    area = page.get_by_role("combobox", name="Condición")
    area.press_sequentially("effective_h")
    expect(page.get_by_role("option").first).to_contain_text("effective_hours")
    area.press("ArrowDown")
    area.press("Enter")
    area.press_sequentially("> threshold")
    area.press("Escape")
    expect(page.get_by_text("Significa:")).to_be_visible()
    page.get_by_role("button", name="Filas").click()
    expect(page.locator(".coveris-condition-row")).to_have_count(1)
    page.get_by_role("button", name="Texto", exact=True).click()
    page.get_by_label("Mensaje").fill("{who} suma {effective_hourz} h por semana")
    page.get_by_label("Medida").select_option("effective_hours")
    page.get_by_label("Severidad").select_option("WARNING")
    page.get_by_label("Umbral").fill("40")
    page.get_by_role("button", name="Guardar").first.click()
    settle(page)
    expect(page.get_by_text("effective_hourz»")).to_be_visible()
    shoot(page, "own-rule-error", full=True)
    expect(area).to_have_value("effective_hours > threshold")
    page.get_by_label("Mensaje").fill("{who} suma {effective_hours} h por semana")
    page.get_by_role("button", name="Guardar").first.click()
    page.wait_for_url("**/effect/")
    settle(page)

    # Looked at before it acts.
    expect(page.get_by_role("button", name="Publicar")).to_be_disabled()
    expect(page.locator("#why-not-publish")).to_contain_text("Primero hay que ver qué haría")
    simulate(page)
    expect(page.locator("#in-one-sentence")).to_contain_text("Infracciones: 0 ahora, 1 si rigiera.")
    expect(page.locator("#effect")).to_contain_text("50,00 h por semana")
    assert not BusinessRule.objects.filter(code="SEMANA_LARGA").exists()

    page.get_by_role("link", name="Publicar").click()
    confirm(page, "Publicar", Por_qué="acuerdo de mayo")
    page.wait_for_url("**/versions/")
    expect(page.locator("#versions")).to_contain_text("acuerdo de mayo")
    run_waiting_sweeps()
    page.goto("/admin/business_rules/ruleviolation/")
    expect(page.locator("#result_list")).to_contain_text("suma 50,00 h por semana")

    # Changed by a draft: nobody breaks it any more.
    rule = BusinessRule.objects.get(code="SEMANA_LARGA")
    page.goto(f"/admin/business_rules/businessrule/{rule.pk}/change/")
    settle(page)
    expect(page.get_by_text("effective_hours > threshold")).to_be_visible()
    page.get_by_role("link", name="Proponer un cambio").click()
    confirm(page, "Empezar el borrador", Por_qué="era muy estricta")
    page.wait_for_url("**/ruledraft/*/change/")
    page.get_by_label("Umbral").fill("55")
    page.get_by_role("button", name="Guardar").first.click()
    page.wait_for_url("**/effect/")
    simulate(page)
    expect(page.locator("#in-one-sentence")).to_contain_text("Infracciones: 1 ahora, 0 si rigiera.")
    page.get_by_role("link", name="Publicar").click()
    confirm(page, "Publicar")
    page.wait_for_url("**/versions/")
    run_waiting_sweeps()
    assert not RuleViolation.objects.unresolved().exists()

    # And back.
    page.get_by_role("link", name="Volver a esta versión").click()
    confirm(page, "Volver", Motivo="el acuerdo sigue")
    expect(page.locator("#versions")).to_contain_text("Versión 3")
    run_waiting_sweeps()
    assert RuleViolation.objects.unresolved().count() == 1
    rule.refresh_from_db()
    assert (rule.threshold, rule.version) == (40, 3)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_its_pages_fit_every_screen(
    visit: Callable[..., Page], busy: Clinic, shoot: Callable[..., Any], look: Look
) -> None:
    draft = RuleDraft(
        code="SEMANA_LARGA", name="Semana larga", subject_kind="assignment", severity="WARNING", threshold=40,
        condition="effective_hours > threshold", message="{who} suma {effective_hours} h por semana",
        measure="effective_hours",
    )  # fmt: skip
    save_draft(draft=draft, actor=busy.admin)
    simulate_draft(draft=draft, actor=busy.admin)
    rule = publish_draft(draft=draft, actor=busy.admin, reason="acuerdo de mayo")
    change = RuleDraft(
        rule=rule, code=rule.code, subject_kind=rule.subject_kind, based_on=rule.version, name=rule.name,
        severity="BLOCKING", threshold=25, message=rule.message,
        condition='effective_hours > threshold and status = "ACTIVE"', measure=rule.measure,
        note="nadie debería pasar de 25 horas en un solo puesto",
    )  # fmt: skip
    save_draft(draft=change, actor=busy.admin)
    page = visit("/admin/business_rules/businessrule/", user=busy.admin, look=look)
    case = f"/admin/business_rules/businessrule/{rule.pk}/cases/record/"
    pages = {
        "list": "/admin/business_rules/businessrule/",
        "kinds": "/admin/business_rules/ruledraft/add/",
        "form": f"/admin/business_rules/ruledraft/{change.pk}/change/",
        "draft": f"/admin/business_rules/ruledraft/{change.pk}/effect/",
        "catalogue-form": f"/admin/business_rules/businessrule/{rule.pk}/change/",
        "drafts": f"/admin/business_rules/businessrule/{rule.pk}/drafts/",
        "pin-proposal": f"/admin/business_rules/businessrule/{rule.pk}/cases/proposal/",
        "drafts-list": "/admin/business_rules/ruledraft/",
    }

    def fits(name: str) -> None:
        settle(page)
        shoot(page, f"own-rule-{name}", full=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= look.width, name

    for name, address in pages.items():
        page.goto(address)
        fits(name)
    page.goto(case)
    page.get_by_label("Caso").fill("30 horas están bien")
    page.get_by_label("Código").fill("E2/P2/2026-01-01")
    page.get_by_label("Se espera").select_option("ALLOWED")
    page.get_by_role("button", name="Fijar").click()
    expect(page.locator("#cases")).to_contain_text("30 horas están bien")
    fits("cases")
    page.goto(pages["draft"])
    settle(page)
    simulate(page)
    expect(page.locator("#pinned-cases")).to_be_visible()
    fits("simulated")
    BusinessRule.objects.filter(pk=rule.pk).update(threshold=45)
    page.goto(pages["draft"])
    fits("stale")
    page.goto(f"/admin/business_rules/businessrule/{rule.pk}/versions/")
    expect(page.locator("#versions")).to_contain_text("Versión 2")
    fits("versions")
