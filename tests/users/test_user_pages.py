"""Users are the administrator's: added, changed, scoped, given passwords, and never locked out altogether."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.common.errors import Refusal
from apps.org.querysets import scope_of
from apps.users.enums import Role
from apps.users.models import User
from apps.users.services import change_user, create_user, set_password
from tests import factories

LIST, ADD = "admin:users_user_changelist", "admin:users_user_add"
PASSWORD = "Tres tristes tigres 7"


def person(**fields: Any) -> dict[str, Any]:
    return {
        "given_name": "Carla", "family_name": "Ruiz", "email": "carla@example.org", "role": "SUPERVISOR",
        "language": "es", "is_active": "on", "scope_unit": "", "first_password": "", **fields,
    }  # fmt: skip


def page_of(user: User) -> str:
    return reverse("admin:users_user_change", args=(user.pk,))


def test_an_administrator_adds_a_user_with_role_unit_and_first_password(clinic: Any, as_user: Any) -> None:
    data = person(scope_unit=clinic.h1.pk, first_password=PASSWORD)
    assert as_user(clinic.admin).post(reverse(ADD), data).status_code == 302
    user = User.objects.get(email="carla@example.org")
    assert (user.role, user.is_staff, user.is_superuser, scope_of(user)) == ("SUPERVISOR", True, False, clinic.h1.pk)
    assert user.check_password(PASSWORD) and user.must_change_password
    assert list(user.groups.values_list("name", flat=True)) == ["SUPERVISOR"]
    assert user.history.latest().history_user == clinic.admin


def test_a_weak_first_password_is_refused_on_its_field(clinic: Any, as_user: Any) -> None:
    response = as_user(clinic.admin).post(reverse(ADD), person(first_password="12345"))
    assert "first_password" in response.context["adminform"].form.errors
    assert not User.objects.filter(email="carla@example.org").exists()


def test_an_e_mail_is_once_whatever_the_case(clinic: Any, as_user: Any) -> None:
    response = as_user(clinic.admin).post(reverse(ADD), person(email="ADMIN@example.org"))
    assert response.status_code == 200 and response.context["adminform"].form.errors
    assert User.objects.filter(email__iexact="admin@example.org").count() == 1


@pytest.mark.parametrize("who", ["manager", "supervisor", "viewer"])
def test_nobody_else_reads_or_writes_users(clinic: Any, as_user: Any, who: str) -> None:
    client = as_user(getattr(clinic, who))
    assert client.get(reverse(LIST)).status_code == 403
    assert client.get(page_of(clinic.admin)).status_code in (403, 404)
    assert client.post(reverse(ADD), person()).status_code == 403
    assert client.post(page_of(clinic.viewer), person(role="ADMIN")).status_code in (403, 404)
    assert client.post(
        reverse("admin:users_user_password", args=(clinic.admin.pk,)), {"password": PASSWORD}
    ).status_code in (403, 404)
    assert not User.objects.filter(email="carla@example.org").exists()


def test_changing_role_and_unit_changes_rights_and_sight(clinic: Any, as_user: Any) -> None:
    data = person(email=clinic.viewer.email, role="MANAGER", scope_unit=clinic.h2.pk)
    assert as_user(clinic.admin).post(page_of(clinic.viewer), data).status_code == 302
    user = User.objects.get(pk=clinic.viewer.pk)
    assert user.has_perm("org.change_position") and scope_of(user) == clinic.h2.pk
    as_user(clinic.admin).post(page_of(user), data | {"scope_unit": ""})
    assert scope_of(user) is None


def test_nobody_changes_the_own_role_by_a_forged_post(clinic: Any, as_user: Any) -> None:
    factories.UserFactory(role=Role.ADMIN)
    as_user(clinic.admin).post(page_of(clinic.admin), person(email=clinic.admin.email, role="VIEWER", is_active=""))
    clinic.admin.refresh_from_db()
    assert (clinic.admin.role, clinic.admin.is_active) == ("ADMIN", True)


def test_the_service_refuses_what_the_page_does_not_offer(clinic: Any) -> None:
    other = factories.UserFactory(role=Role.ADMIN)
    with pytest.raises(Refusal, match="another administrator"):
        change_user(user=clinic.admin, actor=clinic.admin, role=Role.VIEWER)
    change_user(user=User.objects.get(pk=clinic.admin.pk), actor=other, role=Role.VIEWER)
    with pytest.raises(Refusal, match="last administrator"):
        change_user(user=User.objects.get(pk=other.pk), actor=None, is_active=False)
    with pytest.raises(Refusal, match="Only an administrator"):
        create_user(email="x@example.org", actor=clinic.manager, given_name="X", family_name="Y")
    with pytest.raises(Refusal, match="Only an administrator"):
        set_password(user=other, password=PASSWORD, actor=clinic.manager)


@pytest.fixture(autouse=True)
def in_english() -> Any:
    from django.utils import translation

    with translation.override("en"):
        yield


def test_a_password_somebody_else_set_must_be_changed_before_anything_else(
    clinic: Any, as_user: Any, client: Any
) -> None:
    path = reverse("admin:users_user_password", args=(clinic.viewer.pk,))
    assert as_user(clinic.admin).get(path).status_code == 200
    assert as_user(clinic.admin).post(path, {"password": PASSWORD}).status_code == 302
    viewer = as_user(User.objects.get(pk=clinic.viewer.pk))
    change = reverse("admin:password_change")
    for name in ("admin:index", "admin:org_orgunit_changelist", "admin:search"):
        response = viewer.get(reverse(name))
        assert (response.status_code, response.headers["Location"]) == (302, change)
    assert viewer.get(change).status_code == 200
    mine = {
        "old_password": PASSWORD,
        "new_password1": "Pablito clavo 1 clavito",
        "new_password2": "Pablito clavo 1 clavito",
    }
    assert viewer.post(change, mine).status_code == 302
    assert viewer.get(reverse("admin:index")).status_code == 200
    clinic.viewer.refresh_from_db()
    assert clinic.viewer.check_password("Pablito clavo 1 clavito") and not clinic.viewer.must_change_password


def test_a_weak_password_for_somebody_is_refused_with_the_reason(clinic: Any, as_user: Any) -> None:
    path = reverse("admin:users_user_password", args=(clinic.viewer.pk,))
    response = as_user(clinic.admin).post(path, {"password": "12345"})
    assert response.status_code == 200 and "too short" in response.content.decode()
    clinic.viewer.refresh_from_db()
    assert not clinic.viewer.check_password("12345")


def test_groups_have_no_screen() -> None:
    assert Group not in admin.site._registry


def test_the_list_costs_the_same_with_two_users_and_with_twenty(clinic: Any, as_user: Any) -> None:
    client = as_user(clinic.admin)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(reverse(LIST)).status_code == 200
        return len(captured)

    queries()
    few = queries()
    for _number in range(15):
        factories.UserFactory(unit=clinic.h1)
    assert queries() == few
