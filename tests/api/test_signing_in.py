"""Cookies, CSRF, refreshing, signing out: who is not signed in any more is not, at once."""

from __future__ import annotations

import threading
from typing import Any

import jwt
import pytest
from django.conf import settings
from django.db import connection
from django.test import override_settings

from apps.api.models import TokenFamily
from apps.org.models import Position

from .conftest import PASSWORD, Person


def test_who_signs_in_gets_cookies_that_no_script_reads_and_no_token_in_the_body(house: Any) -> None:
    person = Person(house.manager)
    for name, path in (("coveris_access", "/api/"), ("coveris_refresh", "/api/v1/auth/")):
        cookie = person.client.cookies[name]
        assert cookie["httponly"] and cookie["samesite"] == "Strict" and cookie["path"] == path
    me = person.get("auth/me/").json()
    assert (me["email"], me["role"], me["unit_code"]) == ("manager@example.org", "MANAGER", "H1")
    assert "ey" not in {str(value)[:2] for value in me.values()}


@pytest.mark.parametrize("given", [{"email": "nobody@example.org"}, {"password": "wrong"}])
def test_a_wrong_address_and_a_wrong_password_get_the_same_answer(house: Any, given: dict[str, str]) -> None:
    answer = Person().post("auth/login/", {"email": house.manager.email, "password": PASSWORD} | given)
    assert (answer.status_code, answer.json()) == (
        401, {"code": "wrong_credentials", "detail": "E-mail or password are not right.", "errors": []},
    )  # fmt: skip


def test_nobody_reads_anything_without_signing_in(house: Any) -> None:
    answer = Person().get("positions/")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


def test_a_change_without_the_csrf_token_is_refused(who: Any, house: Any) -> None:
    body = {"code": "N1", "title": "Nuevo", "unit_code": "H1", "required_weekly_hours": "10"}
    for csrf, headers in ((False, {}), (False, {"X-CSRFToken": "x" * 32})):
        answer = who("manager").ask("POST", "positions/", body, csrf=csrf, **headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf")
    assert not Position.objects.filter(code="N1").exists()
    assert who("manager").post("positions/", body).status_code == 201  # the canary: with it, it works


def test_a_refresh_token_is_good_once_and_its_second_use_ends_the_sign_in(house: Any) -> None:
    person = Person(house.manager)
    old = person.client.cookies["coveris_refresh"].value
    assert person.post("auth/token/refresh/").status_code == 204
    new = person.client.cookies["coveris_refresh"].value
    assert new != old and person.get("auth/me/").status_code == 200
    person.client.cookies["coveris_refresh"] = old
    assert person.post("auth/token/refresh/").status_code == 401
    person.client.cookies["coveris_refresh"] = new
    assert person.post("auth/token/refresh/").status_code == 401
    assert person.get("auth/me/").status_code == 401
    assert TokenFamily.objects.get().ended == "REUSED"


def test_signing_out_ends_both_tokens(house: Any) -> None:
    person = Person(house.manager)
    kept = {name: person.client.cookies[name].value for name in ("coveris_access", "coveris_refresh")}
    assert person.post("auth/logout/").status_code == 204
    assert person.get("auth/me/").status_code == 401
    for name, value in kept.items():
        person.client.cookies[name] = value
    assert person.get("auth/me/").status_code == 401
    assert person.post("auth/token/refresh/").status_code == 401


def test_who_may_not_log_in_any_more_is_out_with_the_next_request(house: Any) -> None:
    person = Person(house.manager)
    house.manager.is_active = False
    house.manager.save()
    assert person.get("positions/").status_code == 401


def test_a_new_password_ends_every_other_sign_in(house: Any) -> None:
    here, elsewhere = Person(house.manager), Person(house.manager)
    asked = {"current": PASSWORD, "new": "another-good-password-9"}
    assert here.post("auth/password/", asked | {"current": "wrong"}).json()["errors"][0]["field"] == "current"
    assert here.post("auth/password/", asked | {"new": "123"}).json()["errors"][0]["field"] == "new"
    assert here.post("auth/password/", asked).status_code == 204
    assert here.get("auth/me/").status_code == 200
    assert elsewhere.get("auth/me/").status_code == 401


def test_a_password_somebody_else_chose_is_changed_before_anything_else(house: Any) -> None:
    house.manager.must_change_password = True
    house.manager.save()
    person = Person(house.manager)
    answer = person.get("positions/")
    assert (answer.status_code, answer.json()["code"]) == (403, "password_change_required")
    assert person.get("auth/me/").status_code == 200


FORGED = {
    "of nobody": lambda claims, key: jwt.encode(claims, "x" * 50, algorithm="HS256"),
    "unsigned": lambda claims, key: jwt.encode(claims, None, algorithm="none"),
    "of another algorithm": lambda claims, key: jwt.encode(claims, key, algorithm="HS384"),
    "over": lambda claims, key: jwt.encode(claims | {"exp": 1}, key, algorithm="HS256"),
    "to come": lambda claims, key: jwt.encode(claims | {"nbf": 4_000_000_000}, key, algorithm="HS256"),
    "without an end": lambda claims, key: jwt.encode(
        {name: value for name, value in claims.items() if name != "exp"}, key, algorithm="HS256"
    ),
    "for refreshing": lambda claims, key: jwt.encode(claims | {"token_type": "refresh"}, key, algorithm="HS256"),
    "of another issuer": lambda claims, key: jwt.encode(claims | {"iss": "others"}, key, algorithm="HS256"),
    "of no family": lambda claims, key: jwt.encode(claims | {"fam": "x"}, key, algorithm="HS256"),
    "of another password": lambda claims, key: jwt.encode(claims | {"pwd": "x"}, key, algorithm="HS256"),
    "of a list": lambda claims, key: jwt.encode(claims | {"fam": ["x"]}, key, algorithm="HS256"),
    "no token": lambda claims, key: "a.b.c",
    "huge": lambda claims, key: "e" * 20_000,
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_a_forged_token_signs_nobody_in(house: Any, forge: Any) -> None:
    person = Person(house.manager)
    good = person.client.cookies["coveris_access"].value
    claims = jwt.decode(good, options={"verify_signature": False})
    person.client.cookies["coveris_access"] = forge(claims, settings.SECRET_KEY)
    assert person.get("positions/").status_code == 401
    # The canary: the same claims, signed as they should be.
    person.client.cookies["coveris_access"] = jwt.encode(claims, settings.SECRET_KEY, algorithm="HS256")
    assert person.get("positions/").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_twenty_refreshes_at_once_one_succeeds(house: Any) -> None:
    person = Person(house.manager)
    refresh, csrf = (person.client.cookies[name].value for name in ("coveris_refresh", "csrftoken"))
    statuses: list[int] = []
    start = threading.Barrier(20)

    def again() -> None:
        other = Person()
        other.client.cookies["coveris_refresh"], other.client.cookies["csrftoken"] = refresh, csrf
        start.wait()
        statuses.append(other.post("auth/token/refresh/").status_code)
        connection.close()

    threads = [threading.Thread(target=again) for _number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [204, *[401] * 19]


def test_who_asks_to_sign_in_too_often_waits(house: Any) -> None:
    from django.core.cache import caches

    from apps.api.throttles import Login

    caches["throttles"].clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Login, "THROTTLE_RATES", {"login": "5/hour"})
        answers = [Person().post("auth/login/", {"email": "a@b.co", "password": "x"}) for _number in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    caches["throttles"].clear()


def test_requests_go_on_uncounted_while_the_store_is_away(house: Any) -> None:
    from django.core.cache import caches

    away = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    with override_settings(CACHES=settings.CACHES | {"throttles": away}), pytest.MonkeyPatch.context() as patch:
        from apps.api.throttles import Counted

        patch.setattr(Counted, "cache", caches["throttles"])
        assert Person(house.manager).get("positions/").status_code == 200
