"""load_reference: what is missing is added, what staff did stays."""

from __future__ import annotations

import json
from decimal import Decimal
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import call_command
from django.utils import translation

from apps.business_rules.models import BusinessRule
from apps.business_rules.registry import defined_rules, rule_with_code
from apps.tags.models import TagCatalog

pytestmark = pytest.mark.django_db


def load() -> str:
    told = StringIO()
    call_command("load_reference", stdout=told)
    return told.getvalue()


def test_the_reference_tags_are_there() -> None:
    load()
    assert dict(TagCatalog.objects.values_list("name", "hours_delta")) == {
        "Jornada Completa": 48,
        "Jornada Insalubre 36h": 36,
        "Guardia 24h": 24,
        "Medio Tiempo 24h": 24,
        "Reducción Lactancia": -4,
    }


def test_every_rule_in_the_catalogue_has_code_behind_it_and_the_other_way_round() -> None:
    load()
    rules = {rule.code: rule for rule in BusinessRule.objects.all()}
    assert set(rules) == {rule.code for rule in defined_rules()}
    for code, rule in rules.items():
        definition = rule_with_code(code)
        assert definition is not None
        assert rule.subject_kind == definition.kind
    assert (rules["MAX_WEEKLY_HOURS"].threshold, rules["MAX_WEEKLY_HOURS"].severity) == (Decimal("60.00"), "BLOCKING")
    assert (rules["HOURS_OVER_POOL"].threshold, rules["HOURS_OVER_POOL"].severity) == (Decimal("0.00"), "WARNING")


def test_the_fixture_knows_the_whole_catalogue_once() -> None:
    rows = json.loads((settings.BASE_DIR / "fixtures/reference/20_rules.json").read_text(encoding="utf-8"))
    assert len({row["code"] for row in rows}) == len(rows) == 14
    assert {rule.code for rule in defined_rules()} <= {row["code"] for row in rows}


def test_names_are_stored_in_the_source_language_whatever_the_active_one() -> None:
    with translation.override("es"):
        load()
    assert BusinessRule.objects.get(code="MAX_WEEKLY_HOURS").name == "Cap of weekly hours"


def test_a_name_staff_gave_is_shown_as_written() -> None:
    load()
    rule = BusinessRule.objects.get(code="MAX_WEEKLY_HOURS")
    rule.name = "Tope del convenio"
    with translation.override("en"):
        assert str(rule) == "Tope del convenio"


def test_a_second_run_adds_nothing_and_leaves_edits_renames_and_removals_alone() -> None:
    load()
    BusinessRule.objects.filter(code="MAX_WEEKLY_HOURS").update(threshold=48, name="Tope", enabled=False)
    TagCatalog.objects.filter(code="GUARDIA_24").update(hours_delta=30)
    TagCatalog.objects.filter(code="JORNADA_COMPLETA").update(code="JC")
    TagCatalog.objects.filter(code="REDUCCION_LACTANCIA").delete()
    assert "0 tags, 0 rules and 0 scheduled jobs added" in load()
    rule = BusinessRule.objects.get(code="MAX_WEEKLY_HOURS")
    assert (rule.threshold, rule.name, rule.enabled) == (Decimal(48), "Tope", False)
    assert set(TagCatalog.objects.values_list("code", "hours_delta")) == {
        ("JC", 48),
        ("INSALUBRE_36", 36),
        ("GUARDIA_24", 30),
        ("MEDIO_TIEMPO_24", 24),
    }


def test_a_rule_that_came_with_a_later_version_is_added_then() -> None:
    load()
    BusinessRule.objects.get(code="HOURS_OVER_POOL").delete()
    BusinessRule.history.filter(code="HOURS_OVER_POOL").delete()
    assert "0 tags, 1 rules" in load()
