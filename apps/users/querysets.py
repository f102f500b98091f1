"""Questions about users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth.base_user import BaseUserManager
from django.db import models

from .enums import Role

if TYPE_CHECKING:
    from .models import User


class UserQuerySet(models.QuerySet["User"]):
    def visible_to(self, user: User) -> UserQuerySet:
        """Return everybody for an ADMIN, oneself for anybody else."""
        if user.is_active and user.role == Role.ADMIN:
            return self.all()
        return self.filter(pk=user.pk)

    def editable_by(self, user: User) -> UserQuerySet:
        return self.all() if user.is_active and user.role == Role.ADMIN else self.none()


class UserManager(BaseUserManager.from_queryset(UserQuerySet)):  # type: ignore[misc]
    """Looks people up by e-mail whatever the case; `createsuperuser` comes through here."""

    def get_by_natural_key(self, email: str | None) -> User:
        return self.get(email__iexact=email)

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        from .services import create_user

        return create_user(email=email, password=password, role=Role.ADMIN, actor=None, **fields)
