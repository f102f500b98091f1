"""Who is signed in to the interface, and what was asked for twice."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from .querysets import TokenFamilyQuerySet


class TokenFamily(models.Model):
    """One sign-in and every token that followed from it: of its refresh tokens the last one alone is good."""

    class Ended(models.TextChoices):
        """Why no token of a family is good any more."""

        SIGNED_OUT = "SIGNED_OUT", _("Signed out")
        REUSED = "REUSED", _("A refresh token was used twice")
        PASSWORD = "PASSWORD", _("The password was changed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("user"))
    current = models.UUIDField(_("refresh token in force"), default=uuid.uuid4)
    created_at = models.DateTimeField(_("signed in"), db_default=Now())
    refreshed_at = models.DateTimeField(_("last refreshed"), db_default=Now())
    expires_at = models.DateTimeField(_("ends"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    ended = models.CharField(_("why it ended"), max_length=16, choices=Ended, blank=True)

    objects = TokenFamilyQuerySet.as_manager()

    class Meta:
        verbose_name = _("sign-in of the interface")
        verbose_name_plural = _("sign-ins of the interface")
        ordering = ["-created_at"]
        default_permissions = ()
        indexes = [models.Index(fields=["expires_at"], name="api_family_expires")]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.created_at:%Y-%m-%d %H:%M}"


class AnsweredRequest(models.Model):
    """The answer to a POST that carried an Idempotency-Key, given once more to whoever repeats it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("user"))
    key = models.CharField(_("key"), max_length=200)
    asked = models.CharField(_("fingerprint of what was asked"), max_length=64)
    status = models.PositiveSmallIntegerField(_("status"), default=0)
    answer = models.JSONField(_("answer"), null=True)
    created_at = models.DateTimeField(_("asked at"), db_default=Now())

    class Meta:
        verbose_name = _("answered request")
        verbose_name_plural = _("answered requests")
        ordering = ["-id"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="api_one_answer_a_key")]
        indexes = [models.Index(fields=["created_at"], name="api_answered_at")]

    def __str__(self) -> str:
        return self.key
