"""From text to tree and back; what is refused, and where it points."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from apps.business_rules.language.errors import ConditionError
from apps.business_rules.language.grammar import KEYWORDS, parse
from apps.business_rules.language.tree import (
    OPERATORS,
    And,
    Compare,
    Condition,
    Day,
    Empty,
    Holds,
    Not,
    Number,
    Or,
    Ref,
    Text,
    Threshold,
    Today,
    Truth,
    Within,
    all_of,
    any_of,
)
from apps.business_rules.language.writing import unparse

A, B, C = (Holds(Ref(name)) for name in "abc")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a and b or c", Or((And((A, B)), C))),
        ("a or b and c", Or((A, And((B, C))))),
        ("not a and b", And((Not(A), B))),
        ("not (a and b)", Not(And((A, B)))),
        ("(a or b) and c", And((Or((A, B)), C))),
        ("a and (b and c)", And((A, B, C))),
        ("A AND Not b", And((A, Not(B)))),
        ('a.b != "x\\"y"', Compare(Ref("a.b"), "!=", Text('x"y'))),
        ('f("X") <= -4.50', Compare(Ref("f", (Text("X"),)), "<=", Number(Decimal("-4.5")))),
        ("a >= today - 30 days", Compare(Ref("a"), ">=", Today(-30))),
        ("a = today", Compare(Ref("a"), "=", Today())),
        ("a = 2026-01-31", Compare(Ref("a"), "=", Day(date(2026, 1, 31)))),
        ("a < threshold", Compare(Ref("a"), "<", Threshold())),
        ("a = TRUE", Compare(Ref("a"), "=", Truth(True))),
        ("a > b.c", Compare(Ref("a"), ">", Ref("b.c"))),
        ("a in (1, 2)", Within(Ref("a"), (Number(Decimal(1)), Number(Decimal(2))))),
        ("a not in (1)", Not(Within(Ref("a"), (Number(Decimal(1)),)))),
        ("a is not empty", Not(Empty(Ref("a")))),
        ('a starts with "x"', Compare(Ref("a"), "starts with", Text("x"))),
        ("android and inner", And((Holds(Ref("android")), Holds(Ref("inner"))))),
    ],
)
def test_or_binds_loosest_then_and_then_not(text: str, tree: Condition) -> None:
    assert parse(text) == tree
    assert parse(unparse(tree)) == tree


names = st.from_regex(r"[a-z_][a-z0-9_]{0,8}(\.[a-z_][a-z0-9_]{0,5})?", fullmatch=True).filter(
    lambda name: name.split(".")[0] not in KEYWORDS
)
# Whatever a text area may hold, but for what the language refuses.
texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12).map(Text)
refs = st.builds(Ref, names, st.one_of(st.just(()), st.tuples(texts)))
literals = st.one_of(
    st.decimals(-(10**9), 10**9, places=2).map(Number),
    texts,
    st.dates(date(1000, 1, 1)).map(Day),
    st.integers(-36_500, 36_500).map(Today),
    st.booleans().map(Truth),
    st.just(Threshold()),
)
atom = st.one_of(
    st.builds(Holds, refs),
    st.builds(Empty, refs),
    st.builds(Compare, refs, st.sampled_from(OPERATORS), st.one_of(literals, refs)),
    st.builds(Within, refs, st.lists(literals, min_size=1, max_size=3).map(tuple)),
)
conditions = st.recursive(
    atom,
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=2, max_size=3).map(lambda terms: all_of(tuple(terms))),
        st.lists(inner, min_size=2, max_size=3).map(lambda terms: any_of(tuple(terms))),
    ),
    max_leaves=8,
)


@given(conditions)
def test_what_is_written_reads_as_the_same_tree(tree: Condition) -> None:
    text = unparse(tree)
    if len(text) <= 2000:
        assert parse(text) == tree
        assert unparse(parse(text)) == text


@given(st.text(max_size=60))
def test_whatever_is_written_is_a_condition_or_an_error_with_a_place_inside_it(text: str) -> None:
    try:
        parse(text)
    except ConditionError as error:
        assert 0 <= error.start <= len(text)
        assert error.start + error.length <= len(text)
        assert error.message


@pytest.mark.parametrize(
    ("text", "code", "marked", "suggestions"),
    [
        ("", "syntax", "", ()),
        ("balance > ", "syntax", "", None),
        ("a y b", "syntax", "y", ("and",)),
        ("a is vacío", "syntax", "vacío", ("empty",)),
        ("a and and b", "syntax", "and", ()),
        ('a = "x', "syntax", '"x', ()),
        ("a = 4,5", "syntax", ",", ()),
        ("a = 1e1000000", "syntax", "e1000000", ()),
        ("(a", "syntax", "a", ()),
        ("a)", "syntax", ")", ()),
        ("a = 2026-02-30", "value", "2026-02-30", ()),
        ("a = today + 99999 days", "value", "today + 99999 days", ()),
        ("a = 1234567890123", "number", "1234567890123", ()),
        ("a = 'x'", "syntax", "'", ()),
        ("a; drop table x", "syntax", ";", ()),
        ("a = \x00", "character", "\x00", ()),
        ("a = \ud800", "character", "\ud800", ()),
        (" or ".join(["a"] * 1500), "too_long", None, ()),
        (" or ".join(["a"] * 41), "too_many", "or", ()),
        ("(" * 500 + "a" + ")" * 500, "too_deep", "(", ()),
        ("not " * 300 + "a", "too_deep", "not", ()),
    ],
)
def test_an_error_points_at_its_place(text: str, code: str, marked: str | None, suggestions: tuple[str, ...]) -> None:
    with pytest.raises(ConditionError) as raised:
        parse(text)
    error = raised.value
    assert error.code == code
    if marked:
        assert text[error.start : error.start + error.length] == marked
    if suggestions is not None:
        assert error.suggestions == suggestions


def test_line_and_column_count_from_one() -> None:
    with pytest.raises(ConditionError) as raised:
        parse("a = 1\nand b !")
    assert (raised.value.line, raised.value.column) == (2, 7)


def test_an_error_speaks_the_active_language() -> None:
    with translation.override("es"), pytest.raises(ConditionError) as raised:
        parse("")
    assert raised.value.message == "Escriba una condición."


def test_forty_conditions_and_twenty_brackets_are_still_read() -> None:
    assert len(parse(" or ".join(["a"] * 40)).terms) == 40  # type: ignore[union-attr]
    assert parse("(" * 20 + "a" + ")" * 20) == A


def test_eight_threads_share_the_parser_without_mixing_anything_up() -> None:
    def one(number: int) -> bool:
        name = f"word{number}"
        if number % 3 == 0:
            with pytest.raises(ConditionError) as raised:
                parse(f"{name} = = 1")
            return raised.value.start == len(name) + 3
        return parse(f"{name} = {number} and not b") == And((Compare(Ref(name), "=", Number(Decimal(number))), Not(B)))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(one, range(2000)))


def test_every_kind_of_number_stays_what_it_was() -> None:
    assert parse("a = 0.10") == parse("a = 0.1")
    assert Decimal("123456789012") == parse("a = 123456789012").value.value  # type: ignore[union-attr]
