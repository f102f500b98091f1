"""What a position asks of whoever fills it."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.changes.triggers import mark_triggers
from apps.common.history import history_triggers, records
from apps.common.models import Recorded

from ..enums import Level
from ..querysets import PositionTagQuerySet


class PositionTag(Recorded):
    """A tag a position requires or prefers."""

    position = models.ForeignKey("org.Position", models.CASCADE, related_name="tags", verbose_name=_("position"))
    tag = models.ForeignKey("tags.TagCatalog", models.PROTECT, related_name="wanted_by", verbose_name=_("tag"))
    level = models.CharField(_("level"), max_length=16, choices=Level, default=Level.REQUIRED)

    history = records()
    objects = PositionTagQuerySet.as_manager()

    class Meta:
        verbose_name = _("tag of a position")
        verbose_name_plural = _("tags of positions")
        ordering = ["position", "-level", "tag"]
        constraints = [
            models.UniqueConstraint(
                fields=["position", "tag"],
                name="tags_positiontag_once",
                violation_error_message=_("The position already names this tag."),
            ),
            models.CheckConstraint(condition=models.Q(level__in=Level.values), name="tags_positiontag_level_known"),
        ]
        triggers = [
            *history_triggers(),
            *mark_triggers(position="position_id", watch=("position_id", "tag_id", "level")),
        ]

    def __str__(self) -> str:
        return f"{self.tag} ({self.get_level_display()})"
