"""The tags there are."""

import pgtrigger
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from apps.changes.triggers import mark_triggers
from apps.common.history import history_triggers, records
from apps.common.models import Recorded
from apps.common.triggers import stays_while_logged

from ..enums import TagType
from ..querysets import TagCatalogQuerySet
from ..triggers import ContractTrigger


class TagCatalog(Recorded):
    """A contract, qualification, certification or exception somebody can hold; its hours add to the holder's pool."""

    code = models.CharField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=200, unique=True)
    type = models.CharField(_("type"), max_length=16, choices=TagType)
    hours_delta = models.DecimalField(
        _("weekly hours"), max_digits=8, decimal_places=2, default=0,
        help_text=_("Added to the hours of whoever holds it; negative takes away."),
    )  # fmt: skip
    expires = models.BooleanField(_("must have an end"), default=False)
    first_warning_days = models.PositiveSmallIntegerField(_("first warning (days before)"), null=True, blank=True)
    last_warning_days = models.PositiveSmallIntegerField(_("last warning (days before)"), null=True, blank=True)
    is_active = models.BooleanField(_("offered in choices"), default=True)

    history = records()
    objects = TagCatalogQuerySet.as_manager()

    class Meta:
        verbose_name = _("tag")
        verbose_name_plural = _("tag catalogue")
        ordering = ["name"]
        default_permissions = ("add", "change", "delete", "view", "import", "export")
        constraints = [
            models.CheckConstraint(condition=models.Q(type__in=TagType.values), name="tags_catalog_type_known"),
            models.CheckConstraint(
                condition=models.Q(first_warning_days__isnull=True)
                | models.Q(last_warning_days__isnull=True)
                | models.Q(first_warning_days__gte=models.F("last_warning_days")),
                name="tags_catalog_first_warning_first",
                violation_error_message=_("The first warning comes before the last one."),
            ),
        ]
        indexes = [
            GinIndex(OpClass(Upper("name"), name="gin_trgm_ops"), name="tags_catalog_name_trgm"),
            GinIndex(OpClass(Upper("code"), name="gin_trgm_ops"), name="tags_catalog_code_trgm"),
        ]
        triggers = [
            *history_triggers(),
            stays_while_logged("tags_tagchangelog.tag_id"),
            *mark_triggers(tag="id", watch=("hours_delta", "type")),
            ContractTrigger(name="contract_update", operation=pgtrigger.Update),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.code})"
