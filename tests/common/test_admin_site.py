"""The admin site: the policy on every answer, the palette, pop-ups, who may bring a screen."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin import ModelAdmin
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.common.admin import BaseAdmin
from apps.org.models import Position
from project.admin_site import FOUND_PER_MODEL, CoverisAdminSite
from tests.factories import Clinic, PositionFactory, UserFactory
from tests.screens.site import PositionScreen

from .conftest import Browse
from .test_scope_of_screens import text

pytestmark = pytest.mark.django_db
HEADER = "Content-Security-Policy"


def test_every_kind_of_answer_carries_the_policy(
    clinic: Clinic, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = browse(clinic.admin)
    client.raise_request_exception = False
    stranger = Client(enforce_csrf_checks=True)
    answers = {
        200: client.get("/admin/org/position/"),
        302: stranger.get("/admin/"),
        400: client.get("/admin/org/employee/?national_id__startswith=2"),
        403: client.get("/admin/fsm/employeetransitionlog/add/"),
        404: client.get("/admin/org/position/0/change/"),
    }
    monkeypatch.setattr(PositionScreen, "get_queryset", lambda self, request: 1 / 0)
    answers[500] = client.get("/admin/org/position/")
    for status, answer in answers.items():
        assert answer.status_code == status
        policy = answer[HEADER]
        assert "script-src 'self';" in policy + ";", status
        assert "unsafe-eval" not in policy
        assert "frame-ancestors 'none'" in policy
    forged = stranger.post("/admin/login/", {"username": "a", "password": "b"})
    assert forged.status_code == 403
    assert "script-src 'self'" in forged[HEADER]
    assert "<script" not in text(forged) + text(answers[404]) + text(answers[500])


def test_error_pages_speak_the_readers_language_and_show_no_internals(
    clinic: Clinic, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = browse(clinic.admin)
    client.raise_request_exception = False
    monkeypatch.setattr(PositionScreen, "get_queryset", lambda self, request: 1 / 0)
    for address in ("/admin/org/orgunit/0/change/", "/admin/org/position/"):
        page = text(client.get(address))
        assert 'lang="es"' in page
        assert "ZeroDivisionError" not in page
        assert "Traceback" not in page


def test_only_pop_ups_may_be_framed_and_only_by_ourselves(clinic: Clinic, browse: Browse) -> None:
    client = browse(clinic.admin)
    page = client.get("/admin/org/orgunit/add/?_popup=1")
    assert "frame-ancestors 'self'" in page[HEADER]
    assert page["X-Frame-Options"] == "SAMEORIGIN"
    assert "frame-ancestors 'none'" in client.get("/admin/org/orgunit/add/")[HEADER]


def palette(client: Any, term: str) -> str:
    return text(client.get("/admin/search/", {"s": term}))


def test_the_palette_finds_records_in_scope_and_pages_one_may_open(clinic: Clinic, browse: Browse) -> None:
    assert "Enfermería de guardia" in palette(browse(clinic.manager), "guardia")
    assert "Instrumentación" not in palette(browse(clinic.manager), "instrument")
    assert "Instrumentación" in palette(browse(clinic.admin), "instrument")
    assert "/admin/org/position/" in palette(browse(clinic.manager), str(Position._meta.verbose_name_plural)[:4])


def test_the_palette_stops_at_a_few_of_each_kind_and_keeps_nothing(clinic: Clinic, browse: Browse) -> None:
    for number in range(30):
        PositionFactory(org_unit=clinic.h1, title=f"Camillero {number}")
    cache.clear()
    client = browse(clinic.manager)
    with CaptureQueriesContext(connection) as asked:
        page = palette(client, "camillero")
    assert page.count("Camillero") == 2 * FOUND_PER_MODEL  # the text and the data for the keyboard
    searched = [q["sql"] for q in asked if "LIKE" in q["sql"]]
    assert searched
    assert all(f"LIMIT {FOUND_PER_MODEL}" in sql for sql in searched)
    assert not getattr(cache, "_cache", {})


def test_the_palette_ignores_what_is_too_short_or_malformed(clinic: Clinic, browse: Browse) -> None:
    client = browse(clinic.manager)
    assert palette(client, "a") == ""
    assert "0" not in palette(client, "x\x00y")[:0]
    assert client.get("/admin/search/", {"s": "x\x00y"}).status_code == 200
    assert client.get("/admin/search/", {"s": "%" * 5_000}).status_code == 200


def test_who_has_not_logged_in_finds_nothing(clinic: Clinic, test_screens: None) -> None:
    assert Client().get("/admin/search/?s=guardia").status_code == 302


def test_an_employee_does_not_come_in(clinic: Clinic, browse: Browse) -> None:
    assert browse(UserFactory(role="EMPLOYEE")).get("/admin/org/position/").status_code == 302


def test_the_menu_has_the_lines_of_the_role(clinic: Clinic, browse: Browse) -> None:
    lines = [
        item["link"]
        for group in browse(clinic.viewer).get("/admin/org/position/").context["sidebar_navigation"]
        for item in group["items"]
    ]
    assert "/admin/org/position/" in lines
    assert not [line for line in lines if "users" in line]


def test_the_language_is_chosen_by_post_alone(clinic: Clinic, browse: Browse) -> None:
    client = browse(clinic.viewer)
    assert client.get("/admin/language/?language=en").cookies.get("django_language") is None
    answer = client.post("/admin/language/", {"language": "en", "next": "/admin/org/position/"})
    assert (answer.status_code, answer["Location"]) == (302, "/admin/org/position/")
    assert answer.cookies["django_language"].value == "en"
    assert client.post("/admin/language/", {"language": "en", "next": "https://evil.example/"})["Location"] == "/"


def test_screens_of_packages_stay_out_and_ours_must_have_the_base() -> None:
    site = CoverisAdminSite(name="trial")
    foreign = type("ForeignAdmin", (ModelAdmin,), {"__module__": "somewhere.admin"})
    site.register(Position, foreign)
    assert not site.is_registered(Position)
    site.unregister(Position)
    ours = type("OurAdmin", (ModelAdmin,), {"__module__": "apps.org.admin"})
    with pytest.raises(ImproperlyConfigured):
        site.register(Position, ours)
    site.register(Position, PositionScreen)
    assert isinstance(site._registry[Position], BaseAdmin)


def test_a_screen_without_its_service_or_its_scope_fails_the_checks() -> None:
    site = CoverisAdminSite(name="trial")

    class Careless(BaseAdmin):
        list_filter = ["org_unit"]

    class Unscoped(BaseAdmin):
        def perform_save(self, request: Any, obj: Any, form: Any, change: bool) -> None:
            obj.save()

    from django.contrib.auth.models import Group

    found = {error.id for error in Careless(Position, site).check()}
    assert {"coveris.E011", "coveris.E012"} <= found
    assert "coveris.E010" in {error.id for error in Unscoped(Group, site).check()}
    assert not [error for error in PositionScreen(Position, site).check() if error.id.startswith("coveris")]
