"""The catalogue of rules."""

import pgtrigger
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.common.history import history_triggers, records

from ..querysets import CatalogueQuerySet
from .rule_content import CONTENT, RuleContent, content_constraints


def _distinct(columns: tuple[str, ...]) -> str:
    new, old = (", ".join(f'{row}."{column}"' for column in columns) for row in ("NEW", "OLD"))
    return f"({new}) IS DISTINCT FROM ({old})"


class BusinessRule(RuleContent):
    """A rule as it acts; an edit acts at the next evaluation.

    `version` counts its contents, kept by a trigger; the history has them all.
    """

    code = models.CharField(_("code"), max_length=60, unique=True)
    version = models.PositiveIntegerField(_("version"), default=1, db_default=1, editable=False)

    kept_by_triggers = ("version",)

    history = records()
    objects = CatalogueQuerySet.as_manager()

    class Meta:
        verbose_name = _("rule")
        verbose_name_plural = _("rules")
        ordering = ["code"]
        default_permissions = ("add", "change", "delete", "view", "export")
        constraints = content_constraints("rules")
        triggers = [
            pgtrigger.Trigger(
                name="a_count_version",
                level=pgtrigger.Row,
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                func=f"""
                    NEW.version := OLD.version + CASE WHEN {_distinct(CONTENT)} THEN 1 ELSE 0 END;
                    RETURN NEW;
                """,
            ),
            *history_triggers(),
        ]

    def __str__(self) -> str:
        return self.label
