"""What a condition may cost: looked at before it is saved, and held while it runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import DatabaseError, DataError, OperationalError, ProgrammingError, connection, transaction
from django.utils.translation import gettext as _
from psycopg.errors import QueryCanceled

from apps.common.clock import today
from apps.common.prepared import Statement

from ..questions import Question
from ..subjects import kind_named
from .compiling import Compiler, check, look_up
from .errors import ConditionError
from .grammar import parse, parse_reference
from .messages import placeholders
from .reading import Reading
from .tree import Condition, Threshold, atoms
from .vocabulary import Sight
from .writing import unparse

# A scan of a table of a few pages costs next to nothing; the joins of any condition cost more than that.
LEAST_SCAN = 1_000.0


@dataclass(frozen=True)
class Checked:
    """A condition that may be kept: its tree, its canonical text, what it costs and how many match today."""

    condition: Condition
    text: str
    cost: float
    most: float
    matches: int


@contextmanager
def limited(seconds: int | None = None) -> Iterator[None]:
    """Let statements of the block run for so long (COVERIS_RULE_SECONDS), or for as long as they might if that is less.

    Needs a transaction or makes one, and gives back what was. A statement that takes longer fails with an
    OperationalError, which rolls the block back.
    """
    with transaction.atomic():
        before = _set_timeout(1_000 * (settings.COVERIS_RULE_SECONDS if seconds is None else seconds))
        yield
        _set_timeout(before, or_less=False)


def _set_timeout(milliseconds: int, or_less: bool = True) -> int:
    """Set the timeout of the transaction's statements, or leave a shorter one; return what it was (0 = none)."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
                SELECT setting::int, set_config('statement_timeout',
                    (CASE WHEN %(or_less)s AND setting::int BETWEEN 1 AND %(wanted)s THEN setting
                        ELSE %(wanted)s::text END), true)
                FROM pg_settings WHERE name = 'statement_timeout'
            """,
            {"wanted": milliseconds, "or_less": or_less},
        )
        before: int = cursor.fetchone()[0]
        return before


# What was is kept in a setting of ours, so that it can be given back without asking for it first.
LIMIT = """
    WITH was AS MATERIALIZED (SELECT current_setting('statement_timeout') AS text)
    SELECT set_config('coveris.timeout', text, true), set_config('statement_timeout', CASE
        WHEN text::interval BETWEEN '1 ms' AND make_interval(secs => %(seconds)s) THEN text
        ELSE %(seconds)s * 1000 || 'ms' END, true)
    FROM was
"""
UNLIMIT = "SELECT set_config('statement_timeout', current_setting('coveris.timeout'), true)"


def limiting() -> tuple[Statement, Statement]:
    """Return what goes before and after statements sent together that may take as long as `limited` lets them."""
    return (LIMIT, {"seconds": settings.COVERIS_RULE_SECONDS}), (UNLIMIT, {})


@contextmanager
def in_time_for_a_list(text: str) -> Iterator[None]:
    """Let the block read what meets a condition; raise ConditionError if that takes longer than COVERIS_SEARCH_SECONDS.

    What it reads is read to the end inside the block, or it is not bounded.
    """
    try:
        with limited(settings.COVERIS_SEARCH_SECONDS):
            yield
    except DatabaseError as error:
        if not lies_in_the_statement(error):
            raise
        raise ConditionError(
            _("Nobody could be found in time: leave out a word of the condition, or narrow the list down first."),
            code="time", text=text, span=(0, len(text)),
        ) from error  # fmt: skip


def lies_in_the_statement(error: DatabaseError) -> bool:
    """Say whether asking something else would help: not where the database is away, or a lock could not be had."""
    return isinstance(error, DataError | ProgrammingError) or isinstance(error.__cause__, QueryCanceled)


def check_condition(kind: str, text: str, *, measure: str = "", message: str = "") -> Checked:
    """Return a rule's condition if it can be kept: known words, fitting values, bounded cost; raise ConditionError.

    The cost is the planner's for everyone there is, in scans of the subject's table (COVERIS_RULE_COST_CAP), and the
    condition is run once within COVERIS_RULE_SECONDS. `measure` and `message` are the rule's; both may be empty.
    """
    sight = Sight.of_rules()
    condition = parse(text)
    check(condition, kind, sight, text)
    check_measure(kind, measure)
    placeholders(message, kind)
    reading = Reading(kind, Question(today(), due={}))
    compiler = Compiler(reading, sight, threshold="NULL::numeric", text=text)
    where = compiler.where(condition)
    table, row = kind_named(kind).table, reading.subject.row
    sql = f"SELECT count(*) FROM {table} {row} {reading.joined} WHERE {where}"
    scan = max(_cost(f"SELECT id FROM {table}", {}), LEAST_SCAN)
    cost, most = _cost(sql, reading.params), scan * settings.COVERIS_RULE_COST_CAP
    if cost > most:
        raise ConditionError(
            _("This condition costs too much to be asked about everyone: %(times)d times a look at each; at most "
              "%(most)d. Leave out a word, or split the rule.")
            % {"times": cost / scan, "most": settings.COVERIS_RULE_COST_CAP},
            code="cost", text=text, span=(0, len(text)),
        )  # fmt: skip
    try:
        with limited(), connection.cursor() as cursor:
            cursor.execute(sql, reading.params)
            matches = cursor.fetchone()[0]
    except OperationalError as error:
        raise ConditionError(
            _("This condition takes longer than %(seconds)d seconds.") % {"seconds": settings.COVERIS_RULE_SECONDS},
            code="time", text=text, span=(0, len(text)),
        ) from error  # fmt: skip
    return Checked(condition, unparse(condition), cost, most, matches)


def uses_threshold(condition: Condition) -> bool:
    """Say whether a condition compares anything with the rule's threshold."""
    return any(isinstance(getattr(atom, "value", None), Threshold) for atom, _as_it_stands in atoms(condition))


def check_measure(kind: str, text: str) -> None:
    """Refuse a measure that is no figure; an empty one is none."""
    if not text.strip():
        return
    ref = parse_reference(text)
    typed = look_up(ref, kind, Sight.of_rules(), text)
    if not typed.type.is_figure:
        raise ConditionError(
            _("“%(word)s” is %(type)s: what is measured is a figure.") % {"word": ref.name, "type": typed.type.label},
            code="type", text=text, span=ref.span,
        )  # fmt: skip


def _cost(sql: str, params: dict[str, Any]) -> float:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
        plan = cursor.fetchone()[0]
    plan = json.loads(plan) if isinstance(plan, str) else plan
    return float(plan[0]["Plan"]["Total Cost"])
