"""What can be done to users."""

from typing import Any

from django.contrib.auth.models import Group

from apps.common.acting import acting

from .enums import Role
from .models import User


def create_user(
    *, email: str, actor: User | None, password: str | None = None, role: str = Role.VIEWER, **fields: Any
) -> User:
    """Create a person with a login and the rights of the role; without a password nobody can log in as them."""
    with acting(actor):
        user = User(email=User.objects.normalize_email(email), role=role, **fields)
        user.is_staff = role != Role.EMPLOYEE
        user.is_superuser = role == Role.ADMIN
        user.set_password(password)
        user.full_clean(exclude=["password"])
        user.save()
        return user


def change_user(*, user: User, actor: User | None, **fields: Any) -> User:
    """Change fields of a user; a new role brings its rights and takes the old ones."""
    with acting(actor):
        for name, value in fields.items():
            setattr(user, name, value)
        user.is_staff = user.role != Role.EMPLOYEE
        user.is_superuser = user.role == Role.ADMIN
        user.full_clean(exclude=["password"])
        user.save()
        return user


def set_password(*, user: User, password: str, actor: User | None) -> User:
    """Give a user a new password."""
    with acting(actor, reason="password"):
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
