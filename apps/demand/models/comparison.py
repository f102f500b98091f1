"""Two weeks compared by a worker: an answer that takes longer than anybody waits, kept."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from .kept_answer import KeptAnswer


class Comparison(KeptAnswer):
    """Two weeks of a part of the house: under a unit (`root_id`), as far as a scope (`scope_id`) reaches; None = all.

    `answer` has all but the records, which are those of the last `run`.
    """

    root_id = models.BigIntegerField(null=True)
    scope_id = models.BigIntegerField(null=True)
    first = models.DateField(_("from"))
    second = models.DateField(_("until"))
    run = models.PositiveIntegerField(default=0)
    answer = models.JSONField(null=True)

    class Meta:
        verbose_name = _("comparison of two weeks")
        verbose_name_plural = _("comparisons of two weeks")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["root_id", "scope_id", "first", "second"], nulls_distinct=False, name="demand_comparison_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.first} – {self.second}"


class ComparedRecord(models.Model):
    """One record behind a cause in a kept comparison, in hour-days; `worth` and `short` say which comes first.

    Each run writes rows of its own, so that whoever turns the pages of the one before still finds them.
    """

    comparison = models.ForeignKey(
        Comparison, models.CASCADE, db_constraint=False, db_index=False, related_name="records",
        verbose_name=_("comparison of two weeks"),
    )  # fmt: skip
    run = models.PositiveIntegerField()
    cause = models.CharField(_("cause"), max_length=16)
    worth = models.BigIntegerField()
    short = models.BigIntegerField()
    record_id = models.BigIntegerField(null=True)
    position_id = models.BigIntegerField()
    employee_id = models.BigIntegerField(null=True)
    side = models.SmallIntegerField()
    required = models.BigIntegerField()
    assigned = models.BigIntegerField()
    unqualified = models.BigIntegerField()

    class Meta:
        verbose_name = _("record of a comparison")
        verbose_name_plural = _("records of comparisons")
        default_permissions = ()
        indexes = [
            models.Index(
                "comparison", "run", "cause", models.F("worth").desc(), models.F("short").desc(), "record_id",
                "position_id", "side", name="demand_compared_in_order",
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.comparison_id} {self.cause} {self.record_id}"
