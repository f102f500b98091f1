"""Adjustments on screen: within scope, through the service, back to where the person came from."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from apps.demand.models import DemandAdjustment
from tests import factories

ADD, LIST = "admin:demand_demandadjustment_add", "admin:demand_demandadjustment_changelist"


def more(position: Any, **changed: Any) -> dict[str, Any]:
    return {
        "position": position.pk,
        "hours": "12",
        "from_day": "2026-12-14",
        "until_day": "",
        "reason": "beds",
        **changed,
    }


def test_a_manager_adds_one_and_returns_to_the_position(clinic: Any, as_user: Any) -> None:
    back = reverse("admin:org_position_change", args=(clinic.p1.pk,))
    response = as_user(clinic.manager).post(f"{reverse(ADD)}?back={back}&position={clinic.p1.pk}", more(clinic.p1))
    assert (response.status_code, response.headers["Location"]) == (302, back)
    adjustment = DemandAdjustment.objects.get()
    assert (adjustment.position, adjustment.hours) == (clinic.p1, 12)
    assert adjustment.history.latest().history_user == clinic.manager


def test_nobody_is_sent_to_another_site_afterwards(clinic: Any, as_user: Any) -> None:
    response = as_user(clinic.manager).post(f"{reverse(ADD)}?back=https://evil.example/", more(clinic.p1))
    assert response.status_code == 302 and "evil" not in response.headers["Location"]


def test_another_units_position_cannot_be_adjusted_nor_seen(clinic: Any, as_user: Any) -> None:
    other = factories.DemandAdjustmentFactory(position=clinic.p2, reason="MARKER")
    client = as_user(clinic.manager)
    assert client.post(reverse(ADD), more(clinic.p2)).status_code == 200
    assert DemandAdjustment.objects.count() == 1
    assert "MARKER" not in client.get(reverse(LIST)).content.decode()
    assert client.get(reverse("admin:demand_demandadjustment_change", args=(other.pk,))).status_code == 404


def test_two_on_one_day_and_an_end_before_its_start_are_refused_in_words(clinic: Any, as_user: Any) -> None:
    client = as_user(clinic.manager)
    client.post(reverse(ADD), more(clinic.p1))
    assert "already has an adjustment" in client.post(reverse(ADD), more(clinic.p1)).content.decode()
    html = client.post(reverse(ADD), more(clinic.p1, from_day="2026-12-20", until_day="2026-12-19")).content.decode()
    assert "cannot end before it starts" in html
    assert DemandAdjustment.objects.count() == 1


def test_a_viewer_reads_and_writes_nothing(clinic: Any, as_user: Any) -> None:
    adjustment = factories.DemandAdjustmentFactory(position=clinic.p1)
    client = as_user(clinic.viewer)
    assert client.get(reverse(LIST)).status_code == 200
    assert client.post(reverse(ADD), more(clinic.p1)).status_code == 403
    path = reverse("admin:demand_demandadjustment_delete", args=(adjustment.pk,))
    assert client.post(path, {"post": "yes"}).status_code == 403
    assert as_user(clinic.manager).post(path, {"post": "yes"}).status_code == 302
    assert not DemandAdjustment.objects.exists()
