"""People who log in."""

import uuid

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from apps.common.history import history_triggers, records
from apps.common.models import Recorded

from .enums import Role
from .querysets import UserManager


class User(AbstractBaseUser, PermissionsMixin, Recorded):
    """A person with a login. Rights follow the role (groups are kept in step); the scope unit is an org.UnitScope."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    sub = models.UUIDField(_("identity"), unique=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(_("e-mail"), unique=True)
    given_name = models.CharField(_("given name"), max_length=100)
    family_name = models.CharField(_("family name"), max_length=100)
    role = models.CharField(_("role"), max_length=16, choices=Role, default=Role.VIEWER)
    language = models.CharField(
        _("language"), max_length=5, choices=[("es", "Español"), ("en", "English")], default="es"
    )
    is_active = models.BooleanField(_("may log in"), default=True)
    is_staff = models.BooleanField(_("may open the administration"), default=True)
    must_change_password = models.BooleanField(_("must change the password"), default=False)
    email_verified = models.BooleanField(_("e-mail verified"), default=False)

    history = records(excluded_fields=("password", "last_login"))
    objects = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["given_name", "family_name"]

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        ordering = ["family_name", "given_name", "id"]
        constraints = [
            models.UniqueConstraint(
                Lower("email"), name="users_user_email_once", violation_error_message=_("Somebody has this e-mail.")
            ),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="users_user_role_known"),
        ]
        triggers = history_triggers()

    def __str__(self) -> str:
        return f"{self.given_name} {self.family_name}".strip() or self.email

    def get_full_name(self) -> str:
        return str(self)

    def get_short_name(self) -> str:
        return self.given_name
