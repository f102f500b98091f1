"""Prepared statements: the rows of the plain statement, whatever is asked and whatever happened to the connection."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import DataError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from apps.common import prepared

pytestmark = pytest.mark.django_db


def plain(sql: str, params: dict[str, Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def kept() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_prepared_statements WHERE name LIKE 'coveris%'")
        return sorted(name for (name,) in cursor.fetchall())


def plans(name: str) -> tuple[int, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE name = %s", [name])
        found: tuple[int, int] = cursor.fetchone()
        return found


VALUES: list[tuple[str, Any]] = [
    ("boolean", True),
    ("boolean", False),
    ("int", 0),
    ("int", -5),
    ("bigint", 2**62),
    ("text", ""),
    ("text", "O'Neill %s %(x)s \\ \u202e é 😀"),
    ("numeric", Decimal("1.50")),
    ("numeric", Decimal("-99999999999999999999.123456789")),
    ("numeric", None),
    ("date", date(2026, 12, 9)),
    ("timestamptz", datetime(2026, 12, 9, 23, 59, 59, 999999, tzinfo=UTC)),
    ("bigint[]", [1, 2, 2**62]),
    ("bigint[]", []),
    ("text[]", ["a", "b'", "{c,d}", ""]),
]


@pytest.mark.parametrize(("kind", "value"), VALUES)
def test_every_type_of_value_comes_back_as_from_the_plain_statement(kind: str, value: Any) -> None:
    sql = f"SELECT %(value)s::{kind}, %(value)s::{kind} IS NULL"
    for _again in range(2):
        assert prepared.fetch(sql, {"value": value}) == plain(sql, {"value": value})


@pytest.mark.parametrize("value", [[], (1, 2), [3]])
def test_any_finds_the_same(value: Any) -> None:
    sql = "SELECT n FROM generate_series(1, 4) AS n WHERE n = ANY (%(ids)s::bigint[]) ORDER BY n"
    assert prepared.fetch(sql, {"ids": list(value)}) == plain(sql, {"ids": list(value)})


def test_an_empty_list_may_stand_for_texts() -> None:
    sql = "SELECT n FROM unnest(ARRAY['a', 'b']) AS n WHERE n = ANY (%(codes)s::text[])"
    for codes in (["a"], [], ["a", "b"]):
        assert prepared.fetch(sql, {"codes": codes}) == plain(sql, {"codes": codes})


def test_what_is_empty_now_may_hold_something_next_time() -> None:
    sql = "SELECT %(limit)s::numeric, COALESCE(%(limit)s::numeric, 7)"
    for limit in (None, Decimal("3.25"), 4, None):
        assert prepared.fetch(sql, {"limit": limit}) == plain(sql, {"limit": limit})


@given(text=st.text(st.characters(blacklist_characters="\x00", blacklist_categories=["Cs"]), max_size=30))
def test_no_text_is_read_as_part_of_the_statement(text: str) -> None:
    assert prepared.fetch("SELECT %(text)s::text", {"text": text}) == [(text,)]


def test_a_type_without_a_place_is_told() -> None:
    with pytest.raises(TypeError, match="dict"):
        prepared.fetch("SELECT %(value)s", {"value": {}})


def test_a_percent_sign_is_one_and_parameters_not_used_are_left_out() -> None:
    sql = "SELECT 7 %% 4, 'abc' LIKE 'a%%', %(a)s::int + %(a)s::int + %(b)s::int"
    params = {"a": 1, "b": 2, "unused": [1]}
    assert prepared.fetch(sql, params) == plain(sql, params) == [(3, True, 4)]
    assert prepared.fetch("SELECT 100 %% 7", {}) == [(2,)]


def test_it_is_planned_once_for_all_values() -> None:
    before = set(kept())
    for number in range(8):
        prepared.fetch("SELECT n FROM generate_series(1, 9) AS n WHERE n > %(least)s", {"least": number})
    [name] = set(kept()) - before
    assert plans(name) == (8, 0)


def test_a_rollback_after_it_was_prepared_takes_nothing_away() -> None:
    sql = "SELECT 'rollback', %(a)s::int"
    with transaction.atomic():
        assert prepared.fetch(sql, {"a": 1}) == [("rollback", 1)]
        transaction.set_rollback(True)
    with transaction.atomic():
        assert prepared.fetch(sql, {"a": 2}) == [("rollback", 2)]


def test_a_statement_that_failed_is_asked_again() -> None:
    sql = "SELECT 1 / %(a)s::int"
    with pytest.raises(DataError), transaction.atomic():
        prepared.fetch(sql, {"a": 0})
    assert prepared.fetch(sql, {"a": 1}) == [(1,)]
    broken = "SELECT nothing_of_this_name FROM org_orgunit WHERE id = %(a)s"
    for _again in range(2):
        with pytest.raises(Exception, match="nothing_of_this_name"), transaction.atomic():
            prepared.fetch(broken, {"a": 1})


def test_many_statements_take_turns_and_only_so_many_are_kept() -> None:
    statements = [f"SELECT {number}, %(a)s::int" for number in range(prepared.KEPT + 6)]
    for turn in range(2):
        for number, sql in enumerate(statements):
            assert prepared.fetch(sql, {"a": turn}) == [(number, turn)]
    assert len(kept()) <= prepared.KEPT
    # What was used last is kept.
    before = kept()
    prepared.fetch(statements[-1], {"a": 5})
    assert kept() == before


def test_more_subjects_than_a_plan_for_a_few_is_good_for_are_planned_as_they_come() -> None:
    sql = "SELECT count(*), 'few' FROM generate_series(1, 1000) AS n WHERE n = ANY (%(ids)s)"
    before = kept()
    assert prepared.fetch(sql, {"ids": list(range(1, prepared.FEW + 2))}) == [(prepared.FEW + 1, "few")]
    assert kept() == before
    assert prepared.fetch(sql, {"ids": list(range(1, prepared.FEW + 1))}) == [(prepared.FEW, "few")]
    assert kept() != before


def test_a_column_that_comes_in_between_is_seen() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE prepared_probe AS SELECT 1 AS a")
        sql = "SELECT a FROM prepared_probe WHERE a = %(a)s"
        assert prepared.fetch(sql, {"a": 1}) == [(1,)]
        cursor.execute("ALTER TABLE prepared_probe ADD COLUMN b int DEFAULT 2")
        assert prepared.fetch(sql, {"a": 1}) == [(1,)]


def test_a_statement_that_gives_all_columns_survives_one_more() -> None:
    """A rule reads `s.*` of its subjects: inside it, so that the rows it gives stay of one type."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE prepared_probe AS SELECT 1 AS a")
        sql = (
            "WITH subject AS NOT MATERIALIZED (SELECT s.* FROM prepared_probe s) SELECT a FROM subject WHERE a = %(a)s"
        )
        assert prepared.fetch(sql, {"a": 1}) == [(1,)]
        cursor.execute("ALTER TABLE prepared_probe ADD COLUMN b int DEFAULT 2")
        assert prepared.fetch(sql, {"a": 1}) == [(1,)]


class TestTogether:
    """Statements that are sent together."""

    def test_each_gives_its_own_rows_and_one_that_writes_gives_none(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE prepared_probe (a int)")
        together = (
            ("INSERT INTO prepared_probe VALUES (%(a)s), (%(b)s)", {"a": 1, "b": 2}),
            ("SELECT a FROM prepared_probe WHERE a > %(least)s ORDER BY a", {"least": 0}),
            ("UPDATE prepared_probe SET a = a + 1 RETURNING a", {}),
            ("SELECT count(*), 7 %% 4 FROM prepared_probe WHERE a = ANY (%(ids)s)", {"ids": [2, 3]}),
        )
        assert prepared.fetch_all(*together) == [[], [(1,), (2,)], [(2,), (3,)], [(2, 3)]]
        assert prepared.fetch_all() == []

    def test_they_are_one_message_once_they_are_prepared(self, django_assert_num_queries: Any) -> None:
        together = [(f"SELECT {number} + %(a)s::int AS together", {"a": 1}) for number in range(5)]
        prepared.fetch_all(*together)
        with django_assert_num_queries(1):
            assert prepared.fetch_all(*together) == [[(number + 1,)] for number in range(5)]

    def test_many_subjects_in_one_of_them_leave_all_unprepared_and_in_order(self) -> None:
        before = kept()
        many = list(range(1, prepared.FEW + 2))
        statements = [("SELECT 'm', cardinality(%(ids)s::bigint[])", {"ids": ids}) for ids in (many, [1])]
        assert prepared.fetch_all(*statements, apart=True) == [[("m", len(many))], [("m", 1)]]
        assert kept() == before

    @pytest.mark.parametrize("is_known", [False, True], ids=["the first time", "once prepared"])
    def test_apart_takes_back_all_of_them_and_the_transaction_goes_on(self, is_known: bool) -> None:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE prepared_probe (a int)")
        insert = "INSERT INTO prepared_probe SELECT 6 / %(a)s::int"
        if is_known:
            prepared.fetch_all((insert, {"a": 6}), apart=True)
        with pytest.raises(DataError):
            prepared.fetch_all((insert, {"a": 1}), (insert, {"a": 0}), apart=True)
        prepared.fetch(insert, {"a": 2})
        assert plain("SELECT a FROM prepared_probe ORDER BY a", {}) == ([(1,)] if is_known else []) + [(3,)]


class TestConnections:
    """With real ends of transactions."""

    pytestmark = pytest.mark.django_db(transaction=True)

    def test_outside_a_transaction_nothing_is_prepared(self) -> None:
        sql = "SELECT 'outside', %(a)s::int"
        before = kept()
        assert prepared.fetch(sql, {"a": 3}) == [("outside", 3)]
        assert kept() == before

    def test_the_mode_of_planning_ends_with_the_transaction(self) -> None:
        with transaction.atomic():
            prepared.fetch("SELECT 'mode', %(a)s::int", {"a": 3})
            assert plain("SHOW plan_cache_mode", {}) == [("force_generic_plan",)]
        assert plain("SHOW plan_cache_mode", {}) == [("auto",)]

    def test_a_new_connection_prepares_anew(self) -> None:
        sql = "SELECT 'again', %(a)s::int"
        connection.close()  # what tests before this one prepared goes with their connection
        for number in range(3):
            with transaction.atomic():
                assert prepared.fetch(sql, {"a": number}) == [("again", number)]
                assert len(kept()) == 1
            connection.close()

    def test_two_connections_know_their_own(self) -> None:
        from tests.changes.conftest import in_background

        sql = "SELECT 'two', %(a)s::int"

        def there() -> tuple[list[Any], int]:
            with transaction.atomic():
                return prepared.fetch(sql, {"a": 2}), len(kept())

        with transaction.atomic():
            assert prepared.fetch(sql, {"a": 1}) == [("two", 1)]
            assert in_background(there).finish() == ([("two", 2)], 1)
            assert prepared.fetch(sql, {"a": 3}) == [("two", 3)]

    def test_each_of_them_sees_what_was_committed_while_the_one_before_it_waited(self) -> None:
        """What lets a lock and the sum that needs it travel together."""
        from tests.changes.conftest import holding, in_background, wait_for_a_waiter

        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO changes_heartbeat (name, beat_at) VALUES ('probe', '2026-01-01')")
        lock = ("SELECT name FROM changes_heartbeat WHERE name = 'probe' FOR UPDATE", {})
        look = ("SELECT count(*) FROM changes_heartbeat WHERE name LIKE %(like)s", {"like": "probe%"})

        def there() -> list[list[Any]]:
            with transaction.atomic():
                return prepared.fetch_all(look, lock, look)

        with holding(*lock[:1], []) as release:
            thread = in_background(there)
            wait_for_a_waiter()
            with connection.cursor() as cursor:
                cursor.execute("INSERT INTO changes_heartbeat (name, beat_at) VALUES ('probe 2', '2026-01-01')")
            release()
            assert thread.finish() == [[(1,)], [("probe",)], [(2,)]]
