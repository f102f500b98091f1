"""Rows of a condition and back, and what is offered while one is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.business_rules.language.completion import complete
from apps.business_rules.language.grammar import parse
from apps.business_rules.language.rows import Row, as_rows, from_rows
from apps.business_rules.language.vocabulary import Sight
from apps.business_rules.language.writing import unparse
from tests.factories import Clinic, TagFactory

SIGHT = Sight.of_rules()


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("balance < 0", [Row("balance", "<", ("0",))]),
        ("balance < pool", [Row("balance", "<", ("pool",), is_word=True)]),
        ("balance < threshold", [Row("balance", "<", ("threshold",))]),
        ('name contains "a \\"b\\" or c"', [Row("name", "contains", ('a "b" or c',))]),
        ("last_day <= today + 30 days", [Row("last_day", "<=", ("today + 30 days",))]),
        ('has_tag("RN")', [Row("has_tag", "is true", (), "RN")]),
        ('not has_tag("RN")', [Row("has_tag", "is not true", (), "RN")]),
        ('days_to_tag_expiry("RN") < 30', [Row("days_to_tag_expiry", "<", ("30",), "RN")]),
        ("last_day is not empty", [Row("last_day", "is not empty")]),
        ('status in ("ACTIVE", "NOTICE")', [Row("status", "in", ("ACTIVE", "NOTICE"))]),
        ("pool not in (36, 40)", [Row("pool", "not in", ("36", "40"))]),
        ("on_leave and balance < 0 and unit.depth = 2",
         [Row("on_leave", "is true"), Row("balance", "<", ("0",)), Row("unit.depth", "=", ("2",))]),
    ],
)  # fmt: skip
def test_what_all_must_hold_becomes_rows_and_text_again_without_loss(text: str, rows: list[Row]) -> None:
    tree = parse(text)
    assert as_rows(tree) == rows
    assert from_rows(rows, "employee", SIGHT) == tree
    assert unparse(from_rows(rows, "employee", SIGHT)) == text


@pytest.mark.parametrize("text", ["a or b", "not (a and b)", "a and (b or c)", "not a = 1", "not not a"])
def test_what_is_more_than_rows_stays_text(text: str) -> None:
    assert as_rows(parse(text)) is None


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30).filter(str.strip))
def test_whatever_stands_in_the_value_of_a_row_is_only_a_value(value: str) -> None:
    tree = from_rows([Row("name", "=", (value,))], "employee", SIGHT)
    assert as_rows(tree) == [Row("name", "=", (value,))]


def offered(text: str, kind: str = "employee", sight: Sight = SIGHT) -> list[str]:
    """Return what is put in where | stands."""
    cursor = text.index("|")
    return [item.insert for item in complete(text.replace("|", ""), cursor, kind, sight).items]


@pytest.mark.parametrize(
    ("text", "fits", "does_not"),
    [
        ("|", {"balance", "not ", "name"}, {"and ", "or ", "< "}),
        ("bal|", {"balance", "lowest_balance"}, {"name"}),
        ("unit.co|", {"unit.code", "unit.coverage_percent"}, {"balance"}),
        ("balance |", {"< ", "is empty", "in ("}, {"contains ", "balance"}),
        ("name |", {"contains ", "starts with "}, {"< "}),
        ("on_leave |", {"and ", "or "}, {"< ", "not "}),
        ("balance < |", {"threshold", "pool"}, {"balance", "name", "hired_on"}),
        ("hired_on > |", {"today", "today - 30 days", "last_day"}, {"balance"}),
        ("status = |", {'"ACTIVE"'}, {"balance"}),
        ('status = "AC|', {'"ACTIVE"'}, {'"NOTICE"'}),
        ('status in ("ACTIVE", |', {'"NOTICE"'}, {"balance"}),
        ("on_leave = |", {"true", "false"}, set()),
        ("balance < 0 |", {"and ", "or "}, {"< ", "balance"}),
        ("balance < 0 and |", {"balance", "not "}, {"and "}),
        ("(balance < 0 or |) and on_leave", {"balance"}, {"and "}),
        ("has|", {'has_tag("'}, {"balance"}),
    ],
)
def test_what_fits_is_offered_and_what_does_not_is_not(text: str, fits: set[str], does_not: set[str]) -> None:
    found = set(offered(text))
    assert fits <= found
    assert not does_not & found
    for one in fits:
        complete(text.replace("|", one), len(one), "employee", SIGHT)


def test_a_text_that_makes_no_sense_before_the_cursor_offers_nothing() -> None:
    assert offered("balance = = |") == []


@pytest.mark.django_db
def test_codes_are_offered_inside_the_quotes_and_close_the_bracket(clinic: Clinic) -> None:
    TagFactory(code="RN", name="Registered nurse")
    TagFactory(code="ICU", name="Intensive care")
    assert offered('has_tag("|') == [*(f'"{code}")' for code in sorted(tags()))]
    assert offered('has_tag("nurse|') == ['"RN")']
    found = complete('has_tag("I") and on_leave', 10, "employee", SIGHT)
    assert (found.start, found.end) == (8, 12)
    assert offered('unit.code = "|', sight=Sight.of(clinic.manager)) == ['"H1"']


def tags() -> list[str]:
    from apps.tags.models import TagCatalog

    return list(TagCatalog.objects.values_list("code", flat=True))
