"""What conditions mean, against a plain Python reading of the same tree; empty values above all."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.business_rules.language.compiling import check
from apps.business_rules.language.grammar import parse
from apps.business_rules.language.search import search
from apps.business_rules.language.tree import (
    And,
    Compare,
    Condition,
    Empty,
    Holds,
    Not,
    Number,
    Or,
    Ref,
    Text,
    Today,
    Truth,
    Within,
    all_of,
    any_of,
)
from apps.business_rules.language.vocabulary import Sight
from apps.business_rules.language.writing import unparse
from apps.org.models import OrgUnit
from tests.conftest import TODAY
from tests.factories import OrgUnitFactory, UserFactory

pytestmark = pytest.mark.django_db


# The oracle: a row is a dict, an empty value None. A comparison with an empty value is false.


def holds(condition: Condition, row: dict[str, Any]) -> bool:
    match condition:
        case Not(term):
            return not holds(term, row)
        case And(terms):
            return all(holds(term, row) for term in terms)
        case Or(terms):
            return any(holds(term, row) for term in terms)
        case Holds(ref):
            return row[ref.name] is True
        case Empty(ref):
            return row[ref.name] is None
        case Within(ref, values):
            return any(compared(row[ref.name], "=", plain(value, row)) for value in values)
        case Compare(ref, "!=", value):
            return not compared(row[ref.name], "=", plain(value, row))
        case Compare(ref, operator, value):
            return compared(row[ref.name], operator, plain(value, row))
    raise AssertionError(condition)


def plain(value: Any, row: dict[str, Any]) -> Any:
    match value:
        case Ref(name):
            return row[name]
        case Today(offset):
            return TODAY + timedelta(days=offset)
    return value.value


def compared(left: Any, operator: str, right: Any) -> bool:
    if left is None or right is None:
        return False
    if isinstance(left, str):
        left, right = left.upper(), right.upper()
    match operator:
        case "=":
            return bool(left == right)
        case "<":
            return bool(left < right)
        case "<=":
            return bool(left <= right)
        case ">":
            return bool(left > right)
        case ">=":
            return bool(left >= right)
        case "contains":
            return right in left
    return bool(left.startswith(right))


def row_of(unit: OrgUnit) -> dict[str, Any]:
    return {
        "code": unit.code,
        "name": unit.name or None,
        "kind": unit.kind,
        "is_active": unit.is_active,
        "max_weekly_hours": unit.max_weekly_hours,
        "coverage_target": unit.coverage_target,
        "parent.name": (unit.parent.name or None) if unit.parent else None,
        "parent.is_active": unit.parent.is_active if unit.parent else None,
        "parent.max_weekly_hours": unit.parent.max_weekly_hours if unit.parent else None,
    }


@pytest.fixture
def units(db: Any) -> list[dict[str, Any]]:
    """Twelve units in which every combination of empty and filled values occurs."""
    parent = None
    for number in range(12):
        unit = OrgUnitFactory(
            code=f"U{number}",
            name=["Urgencias", "", "50%_off", "ÑANDÚ \\ "][number % 4],
            kind=["UNIT", "SERVICE"][number % 2],
            is_active=number % 3 != 0,
            max_weekly_hours=[None, Decimal(40), Decimal("36.5")][number % 3],
            coverage_target=[None, Decimal(80)][number // 6],
            parent=parent if number % 4 else None,
        )
        parent = unit
    return [{"pk": unit.pk, **row_of(unit)} for unit in OrgUnit.objects.select_related("parent")]


figures = st.sampled_from([Decimal(40), Decimal("36.5"), Decimal(0), Decimal(80)]).map(Number)
sought = st.sampled_from(["urgencias", "U", "%", "_", "\\", "ñandú", "U1", "x' OR '1'='1", "50%"]).map(Text)
kinds = st.sampled_from(["UNIT", "SERVICE", "clinic"]).map(Text)
order = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
hours = st.sampled_from(["max_weekly_hours", "parent.max_weekly_hours"]).map(Ref)
texts = st.sampled_from(["name", "code", "parent.name"]).map(Ref)
truths = st.sampled_from(["is_active", "parent.is_active"]).map(Ref)
filled = st.sampled_from(["max_weekly_hours", "coverage_target", "name", "parent.name", "parent.is_active"]).map(Ref)
atom = st.one_of(
    st.builds(Compare, hours, order, st.one_of(figures, hours)),
    st.builds(Compare, st.just(Ref("coverage_target")), order, figures),
    st.builds(Compare, texts, st.sampled_from(["=", "!=", "contains", "starts with"]), sought),
    st.builds(Compare, texts, st.sampled_from(["=", "!="]), texts),
    st.builds(Compare, st.just(Ref("kind")), st.sampled_from(["=", "!="]), kinds),
    st.builds(Compare, truths, st.sampled_from(["=", "!="]), st.booleans().map(Truth)),
    st.builds(Within, hours, st.lists(figures, min_size=1, max_size=3).map(tuple)),
    st.builds(Within, texts, st.lists(sought, min_size=1, max_size=3).map(tuple)),
    st.builds(Holds, truths),
    st.builds(Empty, filled),
)
conditions = st.recursive(
    atom,
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=2, max_size=3).map(lambda terms: all_of(tuple(terms))),
        st.lists(inner, min_size=2, max_size=3).map(lambda terms: any_of(tuple(terms))),
    ),
    max_leaves=6,
)


@given(tree=conditions)
@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_the_database_finds_what_plain_logic_finds(units: list[dict[str, Any]], tree: Condition) -> None:
    admin = UserFactory.build(role="ADMIN", is_active=True)
    admin.pk = 0
    text = unparse(tree)
    check(tree, "unit", Sight.of(admin), text)
    found = set(search(OrgUnit.objects.all(), "unit", text, admin).values_list("pk", flat=True))
    assert found == {row["pk"] for row in units if holds(parse(text), row)}


@pytest.mark.parametrize(
    ("condition", "codes"),
    [
        ("max_weekly_hours = 40", {"B"}),
        ("max_weekly_hours != 40", {"A", "C"}),
        ("not (max_weekly_hours = 40)", {"A", "C"}),
        ("max_weekly_hours > 40", {"C"}),
        ("not (max_weekly_hours > 40)", {"A", "B"}),
        ("max_weekly_hours in (40, 50)", {"B", "C"}),
        ("max_weekly_hours not in (40)", {"A", "C"}),
        ("max_weekly_hours is empty", {"A"}),
        ("max_weekly_hours is not empty", {"B", "C"}),
        ("max_weekly_hours = parent.max_weekly_hours", set()),
        ("max_weekly_hours != parent.max_weekly_hours", {"A", "B", "C"}),
        ("not parent.is_active", {"A", "B", "C"}),
    ],
)
def test_a_comparison_with_nothing_is_false_and_not_and_unequal_are_its_opposite(
    db: Any, condition: str, codes: set[str]
) -> None:
    for code, cap in (("A", None), ("B", 40), ("C", 50)):
        OrgUnitFactory(code=code, max_weekly_hours=cap)
    admin = UserFactory(role="ADMIN")
    assert set(search(OrgUnit.objects.all(), "unit", condition, admin).values_list("code", flat=True)) == codes


def test_today_is_the_day_of_the_question(clinic: Any, settings: Any) -> None:
    from apps.org.models import Employee

    def found() -> set[str]:
        rows = search(Employee.objects.all(), "employee", "hired_on = today - 1 day", clinic.admin)
        return set(rows.values_list("employee_number", flat=True))

    assert found() == {"E3"}
    settings.COVERIS_TODAY = date(2020, 1, 7)
    assert found() == {"E1", "E2"}


ATTACKS = [
    "'; DROP TABLE org_orgunit; --",
    '" OR 1=1 --',
    "%(w_0)s",
    "%s",
    "%%",
    "{row}",
    "\\",
    "$1",
    "U0'||(SELECT national_id FROM org_employee)||'",
    "/*",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_text_is_only_ever_a_value(db: Any, attack: str) -> None:
    admin = UserFactory(role="ADMIN")
    OrgUnitFactory(name="Urgencias")
    OrgUnitFactory(code="CANARY", name=attack)
    for operator in ("=", "contains", "starts with"):
        text = unparse(Compare(Ref("name"), operator, Text(attack)))
        assert list(search(OrgUnit.objects.all(), "unit", text, admin).values_list("code", flat=True)) == ["CANARY"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM org_orgunit")
        assert cursor.fetchone()[0] == 2


def test_a_figure_is_bound_too(units: list[dict[str, Any]]) -> None:
    rows = search(OrgUnit.objects.all(), "unit", "coverage_target > 12345.67", UserFactory(role="ADMIN"))
    sql, values = rows.query.sql_with_params()
    assert "12345.67" not in sql
    assert Decimal("12345.67") in values
