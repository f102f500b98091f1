"""The reference data every installation starts with."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import models
from django.utils import translation

from apps.business_rules.models import BusinessRule
from apps.business_rules.registry import rule_with_code
from apps.common.acting import acting
from apps.tags.models import TagCatalog
from worker.schedule import install as install_schedule

FOLDER = settings.BASE_DIR / "fixtures" / "reference"


class Command(BaseCommand):
    help = (
        "Add the reference tags and rules and the schedule where they are missing. Safe to repeat: what staff "
        "changed, renamed or removed since stays as they left it."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        with acting(None, reason="reference data", origin="command"):
            tags = add_missing(TagCatalog, _rows("10_tags.json"))
            rules = add_missing(BusinessRule, [rule for row in _rows("20_rules.json") if (rule := _defined(row))])
        jobs = install_schedule()
        self.stdout.write(f"load_reference: {tags} tags, {rules} rules and {jobs} scheduled jobs added")


def add_missing(model: type[models.Model], rows: list[dict[str, Any]]) -> int:
    """Add the rows whose code this installation never had and whose name is free; return how many.

    The history remembers codes that staff changed or removed, so that those do not come back.
    """
    codes = [row["code"] for row in rows]
    ever = set(model.history.filter(code__in=codes).values_list("code", flat=True))  # type: ignore[attr-defined]
    new = [model(**row) for row in rows if row["code"] not in ever]
    before = model._default_manager.count()
    model._default_manager.bulk_create(new, ignore_conflicts=True)
    return model._default_manager.count() - before


def _rows(name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return rows


def _defined(row: dict[str, Any]) -> dict[str, Any] | None:
    """Return the catalogue entry of a rule code stands behind; one that would never be asked is not offered.

    Names and descriptions are kept in the source language and shown translated (BusinessRule.label).
    """
    rule = rule_with_code(row["code"])
    if rule is None:
        return None
    with translation.override(None):
        return row | {"subject_kind": rule.kind, "name": str(rule.name), "description": str(rule.description)}
