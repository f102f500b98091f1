"""The pages of webhooks: for administrators alone, the secret once, the answer of a trial, dead letters sent again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.users.enums import Role
from apps.webhooks.enums import ASKED_FOR, Topic
from apps.webhooks.models import WebhookDelivery, WebhookEndpoint
from apps.webhooks.sealing import unseal
from apps.webhooks.sending import send_due
from tests.factories import Clinic, UserFactory

from .conftest import Make
from .receivers import Receiver, says

pytestmark = pytest.mark.django_db(transaction=True)
ENDPOINTS, DELIVERIES = "/admin/webhooks/webhookendpoint/", "/admin/webhooks/webhookdelivery/"
Browse = Callable[[Any], Client]


@pytest.fixture
def browser(as_user: Browse, admin_user: Any) -> Client:
    return as_user(admin_user)


def filled(url: str, **more: Any) -> dict[str, Any]:
    return {"name": "Payroll", "url": url, "topics": list(ASKED_FOR), "org_unit": "", "is_active": "on", **more}


def test_a_new_webhook_shows_its_secret_once(browser: Client, hearing: Receiver) -> None:
    answer = browser.post(f"{ENDPOINTS}add/", filled(hearing.url))
    assert answer.status_code == 200
    endpoint = WebhookEndpoint.objects.get()
    secret = unseal(endpoint.sealed_secret)
    assert secret in answer.text
    assert "no-store" in answer["Cache-Control"]
    for page in ("", f"{endpoint.pk}/change/", f"{endpoint.pk}/history/"):
        assert secret not in browser.get(ENDPOINTS + page).text
        assert endpoint.sealed_secret not in browser.get(ENDPOINTS + page).text
    exported = browser.post(f"{ENDPOINTS}export/", {"shape": "csv"})
    text = b"".join(exported.streaming_content).decode()
    assert "Payroll" in text
    assert secret not in text
    assert endpoint.sealed_secret not in text
    assert endpoint.history.get().history_user is not None


def test_a_forbidden_address_is_said_at_its_field(browser: Client, settings: Any) -> None:
    settings.COVERIS_WEBHOOK_NETWORKS = []
    answer = browser.post(f"{ENDPOINTS}add/", filled("https://127.0.0.1/"))
    assert answer.status_code == 200
    assert "is not a public address" in answer.text
    assert not WebhookEndpoint.objects.exists()
    answer = browser.post(f"{ENDPOINTS}add/", filled("http://1.1.1.1/"))
    assert "must begin with https://" in answer.text
    answer = browser.post(f"{ENDPOINTS}add/", filled("https://1.1.1.1/", topics=[]))
    assert not WebhookEndpoint.objects.exists()


def test_a_change_keeps_the_secret_and_is_told_in_the_history(
    browser: Client, endpoint_at: Make, hearing: Receiver
) -> None:
    endpoint, secret = endpoint_at(hearing.url)
    answer = browser.post(
        f"{ENDPOINTS}{endpoint.pk}/change/", filled(hearing.url, name="Other", topics=[Topic.EMPLOYEE_STATUS])
    )
    assert answer.status_code == 302
    endpoint.refresh_from_db()
    assert (endpoint.name, endpoint.topics, unseal(endpoint.sealed_secret)) == ("Other", ["employee.status"], secret)
    assert endpoint.history.count() == 2


def test_a_new_secret_is_asked_for_and_shown_once(browser: Client, endpoint_at: Make, hearing: Receiver) -> None:
    endpoint, old = endpoint_at(hearing.url)
    address = f"{ENDPOINTS}{endpoint.pk}/secret/"
    asked = browser.get(address)
    assert asked.status_code == 200
    assert old not in asked.text
    endpoint.refresh_from_db()
    assert unseal(endpoint.sealed_secret) == old
    answer = browser.post(address, {"old": "kept"})
    endpoint.refresh_from_db()
    new = unseal(endpoint.sealed_secret)
    assert new != old
    assert new in answer.text
    assert unseal(endpoint.sealed_old_secret) == old
    browser.post(address, {"old": "ended"})
    endpoint.refresh_from_db()
    assert endpoint.sealed_old_secret == ""


def test_a_trial_is_sent_and_its_page_shows_the_answer(browser: Client, endpoint_at: Make, hearing: Receiver) -> None:
    endpoint, _secret = endpoint_at(hearing.url)
    hearing.behaviour = says(200, b"<b>hello</b>")
    assert browser.get(f"{ENDPOINTS}{endpoint.pk}/trial/").status_code == 200
    assert not WebhookDelivery.objects.exists()
    answer = browser.post(f"{ENDPOINTS}{endpoint.pk}/trial/", {})
    assert answer.status_code == 302
    page = browser.get(answer["Location"])
    assert 'http-equiv="refresh"' in page.text
    send_due()
    page = browser.get(answer["Location"])
    assert "&lt;b&gt;hello&lt;/b&gt;" in page.text
    assert 'http-equiv="refresh"' not in page.text


def test_a_trial_of_a_webhook_that_is_off_is_refused_in_words(
    browser: Client, endpoint_at: Make, hearing: Receiver
) -> None:
    endpoint, _secret = endpoint_at(hearing.url, is_active=False)
    answer = browser.post(f"{ENDPOINTS}{endpoint.pk}/trial/", {})
    assert "switch it on" in answer.text
    assert not WebhookDelivery.objects.exists()


def dead(endpoint: WebhookEndpoint, number: int) -> list[WebhookDelivery]:
    rows = [
        WebhookDelivery(
            endpoint=endpoint, topic=Topic.EMPLOYEE_STATUS, state="DEAD", last_error="No answer.", attempts=11
        )
        for _number in range(number)
    ]
    return WebhookDelivery.objects.bulk_create(rows)


def test_dead_letters_are_counted_on_the_list_filtered_and_sent_again(
    browser: Client, endpoint_at: Make, hearing: Receiver
) -> None:
    endpoint, _secret = endpoint_at(hearing.url)
    letters = dead(endpoint, 3)
    listed = browser.get(ENDPOINTS)
    link = f"{DELIVERIES}?endpoint__id__exact={endpoint.pk}&amp;state__exact=DEAD"
    assert f'<a href="{link}">3</a>' in listed.text
    shown = browser.get(link.replace("&amp;", "&"))
    assert shown.status_code == 200
    assert str(letters[0].event) in shown.text
    assert str(letters[0].event) not in browser.get(f"{DELIVERIES}?state__exact=SENT").text
    assert browser.get(f"{DELIVERIES}{letters[0].pk}/change/").status_code == 200
    answer = browser.post(DELIVERIES, {"action": "send_again", "_selected_action": [one.pk for one in letters]})
    assert answer.status_code == 302
    assert send_due().taken == 3


def test_an_endpoint_that_fails_is_seen_on_the_list(browser: Client, endpoint_at: Make, hearing: Receiver) -> None:
    endpoint, _secret = endpoint_at(hearing.url)
    hearing.behaviour = says(500)
    WebhookDelivery.objects.create(endpoint=endpoint, topic=Topic.EMPLOYEE_STATUS)
    assert "nothing sent yet" in browser.get(ENDPOINTS).text
    send_due()
    assert "fails" in browser.get(ENDPOINTS).text


def test_the_list_costs_the_same_with_two_endpoints_and_with_twenty(
    browser: Client, endpoint_at: Make, hearing: Receiver
) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(ENDPOINTS).status_code == 200
        return len(queries)

    for number in range(2):
        dead(endpoint_at(hearing.url, name=f"a{number}")[0], 2)
    asked()
    few = asked()
    for number in range(18):
        dead(endpoint_at(hearing.url, name=f"b{number}")[0], 2)
    assert asked() == few


@pytest.mark.parametrize("role", [role for role in Role if role != Role.ADMIN])
def test_nobody_but_an_administrator_sees_or_does_anything(
    as_user: Browse, endpoint_at: Make, hearing: Receiver, role: Role
) -> None:
    endpoint, secret = endpoint_at(hearing.url)
    [letter] = dead(endpoint, 1)
    browser = as_user(UserFactory(role=role, is_staff=True))
    for address in (
        ENDPOINTS, f"{ENDPOINTS}add/", f"{ENDPOINTS}export/", f"{ENDPOINTS}{endpoint.pk}/change/",
        f"{ENDPOINTS}{endpoint.pk}/secret/", f"{ENDPOINTS}{endpoint.pk}/trial/", f"{ENDPOINTS}{endpoint.pk}/delete/",
        f"{ENDPOINTS}{endpoint.pk}/history/", DELIVERIES, f"{DELIVERIES}{letter.pk}/change/",
    ):  # fmt: skip
        for answer in (browser.get(address), browser.post(address, {"old": "ended", "post": "yes"})):
            assert answer.status_code in (302, 403, 404), address
            assert endpoint.url not in answer.text
    endpoint.refresh_from_db()
    assert unseal(endpoint.sealed_secret) == secret
    assert WebhookDelivery.objects.count() == 1


def test_an_administrator_of_a_part_has_the_webhooks_of_this_part_alone(
    as_user: Browse, clinic: Clinic, endpoint_at: Make, hearing: Receiver
) -> None:
    own, _secret = endpoint_at(hearing.url, name="own", org_unit=clinic.h1)
    other, _secret = endpoint_at(hearing.url, name="another's", org_unit=clinic.h2)
    whole, _secret = endpoint_at(hearing.url, name="everybody's")
    browser = as_user(UserFactory(role=Role.ADMIN, unit=clinic.h1))
    assert browser.get(f"{ENDPOINTS}{own.pk}/change/").status_code == 200
    for endpoint in (other, whole):
        assert browser.get(f"{ENDPOINTS}{endpoint.pk}/change/").status_code == 404
        assert browser.post(f"{ENDPOINTS}{endpoint.pk}/secret/", {"old": "ended"}).status_code == 404
    # Nor may one be made that tells of more than they see.
    answer = browser.post(f"{ENDPOINTS}add/", filled(hearing.url, name="mine"))
    assert "outside the part of the organisation" in answer.text
    assert not WebhookEndpoint.objects.filter(name="mine").exists()


def test_a_webhook_is_taken_away_with_its_deliveries(browser: Client, endpoint_at: Make, hearing: Receiver) -> None:
    endpoint, _secret = endpoint_at(hearing.url)
    dead(endpoint, 2)
    assert browser.get(f"{ENDPOINTS}{endpoint.pk}/delete/").status_code == 200
    assert browser.post(f"{ENDPOINTS}{endpoint.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not WebhookEndpoint.objects.exists()
    assert not WebhookDelivery.objects.exists()
