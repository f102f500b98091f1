"""Positions that at most one person could fill, as workers found them in a large house."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from ..querysets import OfVisiblePositions
from .kept_answer import KeptAnswer


class Dependence(KeptAnswer):
    """When the positions that hang on one person were last looked for in the whole house: one row (id 1)."""

    class Meta:
        verbose_name = _("look for positions that hang on one person")
        verbose_name_plural = _("looks for positions that hang on one person")
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="demand_dependence_one_row")]

    def __str__(self) -> str:
        return f"{self.computed_at}"


class DependentPosition(models.Model):
    """A position that nobody (`many` 0) or one person (`employee`) could fill, with its house and required tags."""

    position = models.OneToOneField(
        "org.Position", models.DO_NOTHING, db_constraint=False, primary_key=True, related_name="+",
        verbose_name=_("position"),
    )  # fmt: skip
    house_id = models.BigIntegerField()
    tags = ArrayField(models.BigIntegerField(), default=list)
    many = models.PositiveSmallIntegerField()
    employee_id = models.BigIntegerField(null=True)

    objects = OfVisiblePositions.as_manager()

    class Meta:
        verbose_name = _("position that hangs on one person")
        verbose_name_plural = _("positions that hang on one person")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.position_id}: {self.many}"
