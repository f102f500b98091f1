"""Webhooks as an administrator meets them: a new one, its secret, a trial and its answer, dead letters."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from apps.users.groups import sync_groups
from apps.webhooks.enums import ASKED_FOR, Topic
from apps.webhooks.models import WebhookDelivery, WebhookEndpoint, WebhookHealth
from apps.webhooks.sealing import unseal
from apps.webhooks.sending import send_due
from apps.webhooks.services import save_endpoint
from tests.factories import Clinic
from tests.webhooks.receivers import Receiver, receiver, says

from .conftest import Look, everyday

ENDPOINTS, DELIVERIES = "/admin/webhooks/webhookendpoint/", "/admin/webhooks/webhookdelivery/"
LOOKS = [Look(), Look(scheme="dark", language="en"), Look(390, 844), Look(390, 844, "dark", "en")]


@pytest.fixture
def hearing(settings: Any) -> Iterator[Receiver]:
    settings.COVERIS_WEBHOOK_NETWORKS, settings.COVERIS_WEBHOOK_HTTP = [ip_network("127.0.0.0/8")], True
    with receiver(says(200, b'{"received": true}')) as running:
        yield running


@pytest.fixture
def told(transactional_db: Any, clinic: Clinic, hearing: Receiver) -> Clinic:
    """A clinic with a receiver that works, one that fails and one that is off."""
    sync_groups()
    made = {}
    for name, topics, unit in (
        ("Liquidación de sueldos", list(ASKED_FOR), None),
        ("Tablero de guardias del servicio de urgencias", [Topic.POSITION_COVERAGE], clinic.h1),
        ("Antiguo", [Topic.EMPLOYEE_STATUS], None),
    ):
        made[name] = WebhookEndpoint(
            name=name, url=hearing.url, topics=topics, org_unit=unit, is_active=name != "Antiguo"
        )
        save_endpoint(endpoint=made[name], actor=None)
    works, fails, _off = made.values()
    now = timezone.now()
    WebhookHealth.objects.create(endpoint=works, last_success_at=now)
    WebhookHealth.objects.create(endpoint=fails, failures=14, last_failure_at=now, rests_until=now)
    data = {"position": {"id": 5, "code": "P1"}, "week": "2026-12-07", "from": "VACANT", "to": "PARTIAL"}
    for place, state in enumerate(("SENT", "DEAD", "WAITING", "DEAD")):
        WebhookDelivery.objects.create(
            endpoint=works if state == "SENT" else fails, topic=Topic.POSITION_COVERAGE, data=data, state=state,
            attempts=place, last_status=200 if state == "SENT" else 503, sent_at=now if state == "SENT" else None,
            last_error="" if state == "SENT" else "El receptor respondió 503.",
            answer="" if state == "SENT" else "<html>Service Unavailable</html>",
        )  # fmt: skip
    return clinic


def fits(page: Page) -> None:
    assert page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth") <= 0


@pytest.mark.parametrize("look", everyday(LOOKS), ids=lambda look: look.name)
def test_every_page_of_webhooks_fits_every_look(told: Clinic, visit: Any, shoot: Any, look: Look) -> None:
    page = visit(ENDPOINTS, user=told.admin, look=look)
    fits(page)
    shoot(page, "webhooks-list")
    endpoint = WebhookEndpoint.objects.get(org_unit=told.h1)
    letter = WebhookDelivery.objects.filter(state="DEAD").first()
    assert letter is not None
    for name, address in (
        ("form", f"{ENDPOINTS}{endpoint.pk}/change/"),
        ("add", f"{ENDPOINTS}add/"),
        ("secret-asked", f"{ENDPOINTS}{endpoint.pk}/secret/"),
        ("deliveries", DELIVERIES),
        ("delivery", f"{DELIVERIES}{letter.pk}/change/"),
    ):
        page.goto(address)
        page.wait_for_load_state("networkidle")
        fits(page)
        shoot(page, f"webhooks-{name}", full=True)


@pytest.mark.parametrize("look", [Look(language="en"), Look(390, 844, "dark", "es")], ids=lambda look: look.name)
def test_a_webhook_is_made_its_secret_copied_and_a_trial_sent(
    told: Clinic, visit: Any, shoot: Any, hearing: Receiver, look: Look
) -> None:
    page = visit(f"{ENDPOINTS}add/", user=told.admin, look=look)
    page.locator("#id_name").fill("New")
    page.locator("#id_url").fill(hearing.url)
    for box in page.locator("input[name=topics]").all():
        box.check()
    page.locator("[name=_save]").first.click()
    expect(page.locator("#secret")).to_be_visible()
    endpoint = WebhookEndpoint.objects.get(name="New")
    assert page.locator("#secret").inner_text() == unseal(endpoint.sealed_secret)
    fits(page)
    shoot(page, "webhooks-secret")
    page.locator("a.coveris-button", has_text="copi").click()
    page.locator(f"a[href$='{endpoint.pk}/trial/']").click()
    dialog = page.locator("dialog[open]")
    expect(dialog).to_be_visible()
    shoot(page, "webhooks-trial")
    dialog.locator("button[type=submit]").click()
    page.wait_for_url(f"**{DELIVERIES}*/change/")
    shoot(page, "webhooks-trial-waits")
    send_due()
    expect(page.get_by_text('{"received": true}')).to_be_visible(timeout=10_000)
    shoot(page, "webhooks-trial-answered")
    [trial] = [one for one in hearing.heard if one.headers["Coveris-Event"] == Topic.TRIAL]
    assert trial.is_signed_by(unseal(endpoint.sealed_secret))


def test_dead_letters_are_chosen_and_sent_again(told: Clinic, visit: Any) -> None:
    page = visit(f"{DELIVERIES}?state__exact=DEAD", user=told.admin, look=Look(language="en"))
    for box in page.locator("input[name=_selected_action]").all():
        box.check()
    page.locator("select[name=action]").select_option("send_again")
    page.locator("button[name=index], #changelist-actions button[type=submit]").first.click()
    expect(page.get_by_text("2 deliveries are on their way again.")).to_be_visible()
    assert not WebhookDelivery.objects.filter(state="DEAD").exists()
