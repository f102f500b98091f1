"""Units of the organisation, a tree of any depth."""

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from apps.changes.triggers import MarkTrigger, mark_triggers
from apps.common.history import history_triggers, records
from apps.common.models import Recorded

from ..enums import UnitKind
from ..querysets import OrgUnitQuerySet
from ..triggers import TreeTrigger


class OrgUnit(Recorded):
    """A clinic, department, service or unit. `path` has the ids from the root to the unit itself; triggers keep it."""

    code = models.CharField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=200)
    kind = models.CharField(_("kind"), max_length=16, choices=UnitKind, default=UnitKind.UNIT)
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="children", verbose_name=_("part of")
    )
    manager = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="managed_units",
        verbose_name=_("manager"),
    )  # fmt: skip
    max_weekly_hours = models.DecimalField(
        _("cap of weekly hours"), max_digits=8, decimal_places=2, null=True, blank=True,
        help_text=_("Empty: as the unit above. May lower the cap of the installation, never raise it."),
    )  # fmt: skip
    coverage_target = models.DecimalField(
        _("coverage target (%)"), max_digits=5, decimal_places=2, null=True, blank=True,
        help_text=_("Empty: as the unit above."),
    )  # fmt: skip
    headroom = models.DecimalField(
        _("headroom (%)"), max_digits=5, decimal_places=2, null=True, blank=True,
        help_text=_(
            "Hours kept above the required ones for leave, sickness and training: a second target. "
            "Empty: as the unit above."
        ),
    )  # fmt: skip
    is_active = models.BooleanField(
        _("offered in choices"), default=True, help_text=_("Hides the unit from choices; figures follow dates.")
    )
    path = ArrayField(models.BigIntegerField(), default=list, editable=False)

    kept_by_triggers = ("path",)
    raised_constraints = {
        "org_unit_no_cycle": ("parent", _("A unit cannot be part of itself or of a unit below it.")),
    }

    history = records(excluded_fields=kept_by_triggers)
    objects = OrgUnitQuerySet.as_manager()

    class Meta:
        verbose_name = _("unit")
        verbose_name_plural = _("units")
        ordering = ["code"]
        default_permissions = ("add", "change", "delete", "view", "import", "export")
        constraints = [
            models.CheckConstraint(condition=models.Q(kind__in=UnitKind.values), name="org_unit_kind_known"),
            models.CheckConstraint(
                condition=models.Q(parent__isnull=True) | ~models.Q(parent=models.F("id")),
                name="org_unit_not_its_own_parent",
                violation_error_message=_("A unit cannot be part of itself."),
            ),
            models.CheckConstraint(
                condition=models.Q(max_weekly_hours__isnull=True) | models.Q(max_weekly_hours__gt=0),
                name="org_unit_cap_positive",
                violation_error_message=_("The cap of weekly hours must be above 0."),
            ),
            models.CheckConstraint(
                condition=models.Q(coverage_target__isnull=True)
                | models.Q(coverage_target__gte=0, coverage_target__lte=100),
                name="org_unit_target_is_percent",
                violation_error_message=_("The coverage target is between 0 and 100."),
            ),
            models.CheckConstraint(
                condition=models.Q(headroom__isnull=True) | models.Q(headroom__gte=0, headroom__lte=100),
                name="org_unit_headroom_is_percent",
                violation_error_message=_("The headroom is between 0 and 100."),
            ),
        ]
        indexes = [
            GinIndex(fields=["path"], name="org_unit_path"),
            GinIndex(OpClass(Upper("name"), name="gin_trgm_ops"), name="org_unit_name_trgm"),
            GinIndex(OpClass(Upper("code"), name="gin_trgm_ops"), name="org_unit_code_trgm"),
        ]
        triggers = [
            # The path comes before the marks and the history in name order, which is the order they fire in.
            TreeTrigger(name="a_path_insert", operation=pgtrigger.Insert),
            TreeTrigger(name="a_path_update", operation=pgtrigger.Update),
            *history_triggers(),
            *mark_triggers(unit="id"),
            # Whoever held a unit holds less without it; who holds it now is found above it.
            *(
                MarkTrigger(name=f"parent_{verb}", operation=operation, subjects={"unit": "parent_id"}, watch=watch)
                for verb, operation, watch in (
                    ("update", pgtrigger.Update, ("parent_id",)),
                    ("delete", pgtrigger.Delete, None),
                )
            ),
            # What holds for everybody in the unit, and who is in it.
            *mark_triggers(subtree="id", watch=("parent_id", "max_weekly_hours", "coverage_target"), name="subtree"),
            # What units take from above is in their figures. One that is new, or gone, has nothing below it.
            MarkTrigger(
                name="headroom_update",
                operation=pgtrigger.Update,
                subjects={"headroom": "id"},
                watch=("parent_id", "headroom"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.code})"
