"""What can be done to users."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.utils.translation import gettext as _

from apps.common.acting import acting
from apps.common.errors import Reason, Refusal

from .enums import Role
from .models import User

# What nobody changes about themselves: it could only widen one's own rights, or lock oneself out.
NOT_ONES_OWN = ("role", "is_active")


def create_user(
    *, email: str, actor: User | None, password: str | None = None, role: str = Role.VIEWER, **fields: Any
) -> User:
    """Create a person with a login and the rights of the role; without a password nobody can log in as them."""
    with acting(actor):
        _only_an_administrator(actor)
        user = User(email=User.objects.normalize_email(email), role=role, **fields)
        user.is_staff = role != Role.EMPLOYEE
        user.is_superuser = role == Role.ADMIN
        user.set_password(password)
        user.full_clean(exclude=["password"])
        user.save()
        return user


def change_user(*, user: User, actor: User | None, **fields: Any) -> User:
    """Change fields of a user; a new role brings its rights and takes the old ones.

    Nobody changes the own role or locks themselves out, and the last administrator stays one.
    """
    with acting(actor):
        _only_an_administrator(actor)
        before = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        _not_oneself(before, fields, actor)
        _not_the_last_administrator(before, fields)
        for name, value in fields.items():
            setattr(user, name, value)
        user.is_staff = user.role != Role.EMPLOYEE
        user.is_superuser = user.role == Role.ADMIN
        user.full_clean(exclude=["password"])
        user.save()
        return user


def set_password(*, user: User, password: str, actor: User | None) -> User:
    """Give a user a new password, which has to pass the validators; somebody else's must be changed at next login."""
    with acting(actor, reason="password"):
        if actor is not None and actor.pk != user.pk:
            _only_an_administrator(actor)
        validate_password(password, user)
        user.set_password(password)
        user.must_change_password = actor is not None and actor.pk != user.pk
        user.save()
        return user


def keep_group_in_step(*, user: User, actor: User | None) -> None:
    """Put the user into the group of their role and out of the others'."""
    group, _created = Group.objects.get_or_create(name=user.role)
    others = user.groups.filter(name__in=set(Role.values) - {user.role})
    user.groups.remove(*others)
    user.groups.add(group)


def _only_an_administrator(actor: User | None) -> None:
    if actor is not None and not (actor.is_active and actor.role == Role.ADMIN):
        raise Refusal(Reason(_("Only an administrator may do this to users."), code="forbidden", fixable=90))


def _not_oneself(before: User, fields: dict[str, Any], actor: User | None) -> None:
    if actor is None or actor.pk != before.pk:
        return
    for name in NOT_ONES_OWN:
        if name in fields and fields[name] != getattr(before, name):
            raise Refusal(
                Reason(
                    _("Nobody changes this about themselves: ask another administrator."),
                    code="own_rights",
                    field=name,
                )
            )


def _not_the_last_administrator(before: User, fields: dict[str, Any]) -> None:
    was_one = before.is_active and before.role == Role.ADMIN
    stays_one = fields.get("is_active", before.is_active) and fields.get("role", before.role) == Role.ADMIN
    if not was_one or stays_one:
        return
    # All of them locked, in one order: two administrators who demote each other at once come one after the other.
    administrators = User.objects.select_for_update(no_key=True).filter(role=Role.ADMIN, is_active=True).order_by("pk")
    if not any(administrator.pk != before.pk for administrator in administrators):
        raise Refusal(
            Reason(
                _("This is the last administrator who may log in: make somebody else one first."),
                code="last_administrator",
                field="role" if "role" in fields else "is_active",
            )
        )
