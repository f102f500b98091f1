"""Which part of the tree a user sees."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.common.history import history_triggers, records
from apps.common.models import Recorded


class UnitScope(Recorded):
    """The subtree a user works in; a user without one sees the whole tree. Stored here so that users knows no unit."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="unit_scope", verbose_name=_("user")
    )
    org_unit = models.ForeignKey("org.OrgUnit", models.PROTECT, related_name="scopes", verbose_name=_("unit"))

    history = records()

    class Meta:
        verbose_name = _("scope of a user")
        verbose_name_plural = _("scopes of users")
        triggers = history_triggers()

    def __str__(self) -> str:
        return f"{self.user} → {self.org_unit}"
