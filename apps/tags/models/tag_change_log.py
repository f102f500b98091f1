"""What happened to the tags of employees."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.common.triggers import append_only
from apps.fsm.querysets import OfVisibleEmployees

from ..enums import TagChange


class TagChangeLog(models.Model):
    """A tag added, changed or removed; append-only, written by a trigger.

    Whose and which are kept by id alone, for the undo of an import may take them away (apps.fsm.models.TransitionLog).
    """

    employee_path = "employee"

    employee = models.ForeignKey(
        "org.Employee", models.PROTECT, null=True, db_constraint=False, related_name="tag_changes",
        verbose_name=_("employee"),
    )  # fmt: skip
    tag = models.ForeignKey(
        "tags.TagCatalog", models.PROTECT, null=True, db_constraint=False, related_name="+", verbose_name=_("tag")
    )
    change = models.CharField(_("change"), max_length=16, choices=TagChange)
    before = models.JSONField(_("before"), null=True, blank=True)
    after = models.JSONField(_("after"), null=True, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DO_NOTHING, db_constraint=False, null=True, blank=True, related_name="+",
        verbose_name=_("by"),
    )  # fmt: skip
    reason = models.TextField(_("reason"), blank=True)
    created_at = models.DateTimeField(_("when"), db_default=Now(), editable=False)

    objects = OfVisibleEmployees.as_manager()

    class Meta:
        verbose_name = _("tag change")
        verbose_name_plural = _("tag changes")
        ordering = ["-id"]
        default_permissions = ("view", "export")
        indexes = [models.Index(fields=["employee", "-id"]), models.Index(fields=["-created_at"])]
        triggers = [append_only()]

    def __str__(self) -> str:
        return f"{self.get_change_display()}: {self.tag or '–'}"
