"""Answers that take longer than anybody waits: workers find them, and they are kept."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class KeptAnswer(models.Model):
    """An answer asked for while `requested_at` is set; whoever looks for it holds an advisory lock (kept_answers.py).

    `computed_at` and `seen_on` are the moment and the day of the one that is kept, `upto` is the number of the last
    mark there was then.
    """

    requested_at = models.DateTimeField(_("asked for"), null=True, db_default=Now())
    started_at = models.DateTimeField(_("begun"), null=True)
    done = models.PositiveIntegerField(_("positions looked at"), default=0)
    to_do = models.PositiveIntegerField(_("positions to look at"), default=0)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    failure = models.TextField(_("failed"), blank=True)
    computed_at = models.DateTimeField(_("computed"), null=True)
    looked_at = models.DateTimeField(_("last looked at"), db_default=Now())
    seen_on = models.DateField(null=True)
    upto = models.BigIntegerField(default=0)

    class Meta:
        abstract = True

    @property
    def is_asked(self) -> bool:
        return self.requested_at is not None

    @property
    def percent(self) -> int:
        """Return how far whoever looks for it has come."""
        return self.done * 100 // self.to_do if self.to_do else 0
