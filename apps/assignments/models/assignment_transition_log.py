"""The transitions of assignments."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.common.triggers import append_only
from apps.fsm.models import TransitionLog

from ..querysets import OfVisibleAssignments


class AssignmentTransitionLog(TransitionLog):
    """The transitions of an assignment."""

    subject = models.ForeignKey(
        "assignments.Assignment", models.PROTECT, null=True, db_constraint=False, related_name="transition_logs",
        verbose_name=_("assignment"),
    )  # fmt: skip
    objects = OfVisibleAssignments.as_manager()

    class Meta:
        verbose_name = _("assignment transition")
        verbose_name_plural = _("assignment transitions")
        ordering = ["-id"]
        default_permissions = ("view", "export")
        indexes = [
            models.Index(fields=["subject", "-id"]),
            models.Index(fields=["-created_at"]),
            models.Index(fields=["deed"], name="deed_assignmentlog", condition=models.Q(deed__isnull=False)),
        ]
        triggers = [append_only()]
