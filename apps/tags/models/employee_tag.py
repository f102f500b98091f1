"""What an employee holds, and when."""

import pgtrigger
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.changes.triggers import mark_triggers
from apps.common.history import history_triggers, records
from apps.common.models import DateRange, Recorded

from ..querysets import EmployeeTagQuerySet
from ..triggers import TagLogTrigger


class EmployeeTag(Recorded):
    """A tag held from one day to another, both included; the same tag never overlaps itself on one employee."""

    employee_path = "employee"

    employee = models.ForeignKey("org.Employee", models.PROTECT, related_name="tags", verbose_name=_("employee"))
    tag = models.ForeignKey("tags.TagCatalog", models.PROTECT, related_name="holders", verbose_name=_("tag"))
    valid_from = models.DateField(_("valid from"))
    valid_until = models.DateField(_("valid until"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=500, blank=True)

    history = records()
    objects = EmployeeTagQuerySet.as_manager()

    class Meta:
        verbose_name = _("tag of an employee")
        verbose_name_plural = _("tags of employees")
        ordering = ["employee", "-valid_from", "id"]
        default_permissions = ("add", "change", "delete", "view", "import", "export")
        constraints = [
            ExclusionConstraint(
                name="tags_employeetag_never_overlaps_itself",
                expressions=[
                    ("employee", RangeOperators.EQUAL),
                    ("tag", RangeOperators.EQUAL),
                    (DateRange("valid_from", "valid_until"), RangeOperators.OVERLAPS),
                ],
                violation_error_message=_("The employee already holds this tag on some of these days."),
            ),
            models.CheckConstraint(
                condition=models.Q(valid_until__isnull=True) | models.Q(valid_until__gte=models.F("valid_from")),
                name="tags_employeetag_ends_after_it_starts",
                violation_error_message=_("A tag cannot end before it starts."),
            ),
        ]
        indexes = [
            models.Index(
                fields=["employee", "tag"], include=["valid_from", "valid_until"], name="tags_employeetag_hot"
            ),
            # Contracts end on the same days; of those of one day the next look-ups are neighbours.
            models.Index(fields=["valid_until", "employee", "tag"], name="tags_employeetag_ending"),
            models.Index(fields=["valid_from", "employee", "tag"], name="tags_employeetag_beginning"),
        ]
        triggers = [
            *history_triggers(),
            *mark_triggers(employee="employee_id", watch=("employee_id", "tag_id", "valid_from", "valid_until")),
            TagLogTrigger(name="log_insert", operation=pgtrigger.Insert),
            TagLogTrigger(name="log_update", operation=pgtrigger.Update),
            TagLogTrigger(name="log_delete", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.tag} {self.valid_from} – {self.valid_until or '…'}"
