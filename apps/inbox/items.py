"""The items of the inbox: what waits for somebody, from everywhere, in one statement and one order.

An item is never stored: it is there as long as the violation, the proposal, the cliff or the failure behind it is, and
what people decided about it is joined by its key. Nothing here walks a whole table. Without a narrowing (`root`,
`words`, one's own, the sleeping ones, some chosen subjects) each rule is read from an index in the order of the page;
with one, the subjects it leaves are found first, and what is open about them after. A unit that holds many others
(`walked`) narrows nothing: the index is read in its order and each row asked where its subject lies.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from apps.business_rules.definitions import definition_of
from apps.business_rules.language.errors import ConditionError
from apps.business_rules.models import BusinessRule
from apps.business_rules.registry import rule_with_code

from .enums import HOUSEKEEPING, OF_RULE, RULE_KINDS, AlertKind, SubjectKind
from .models.subscription import CLIFF_DAYS, CLIFF_LEAD, COVERAGE_DAYS, COVERAGE_LEAD

COUNTED = 10_000
# For who has a large part of the organisation, whose items are looked at one by one.
COUNTED_WALKING = 1_000
WORDS, FOUND_BY_A_WORD = 6, 2_000
# Proposals about to expire are told so many days before, failures so many days after; marks are late after 30 s.
EXPIRES_WITHIN, FAILED_WITHIN, LATE_AFTER = timedelta(days=3), timedelta(days=7), timedelta(seconds=30)
# Worse than any number: the value of what is broken without being measured.
WORST = 999_999_999
TOKEN = re.compile(r"([A-Z_]+)\.(\d{0,18})\.([A-Z_]*)\.([a-z]+)\.(\d{1,18})")


class Whose(StrEnum):
    """Who looks after an item."""

    ALL = "all"
    MINE = "mine"
    NOBODY = "unassigned"


class Sleep(StrEnum):
    """Whether items put to sleep are left out, alone asked for, or told as any other."""

    AWAKE = "awake"
    ASLEEP = "asleep"
    BOTH = "both"


@dataclass(frozen=True)
class Key:
    """What makes an item the same item from day to day."""

    kind: AlertKind
    subject_kind: SubjectKind
    subject_id: int
    rule_id: int | None = None
    cause: str = ""

    @property
    def token(self) -> str:
        """Return it as text, for addresses and snapshots."""
        return f"{self.kind}.{self.rule_id or ''}.{self.cause}.{self.subject_kind}.{self.subject_id}"

    @classmethod
    def read(cls, token: str) -> Key | None:
        """Return the key a text names; None for anything else."""
        found = TOKEN.fullmatch(token)
        if found is None or found[1] not in AlertKind or found[4] not in SubjectKind:
            return None
        rule = int(found[2]) if found[2] else None
        kind = AlertKind(found[1])
        if (kind in RULE_KINDS) != (rule is not None):
            return None
        return cls(kind, SubjectKind(found[4]), int(found[5]), rule, found[3])


@dataclass(frozen=True)
class Item:
    """One item. `rank` 0 is BLOCKING, 1 WARNING, 2 INFO; a higher `value` is worse (compared with itself alone).

    `day` is the day it is about, gone or to come; None where it simply is so. `record_id` is that of the violation,
    the assignment (of cliffs and proposals), the dead letter, the evaluation or the digest. `extra` has the figures of
    a cliff in hundredths. What people decided stands beside it.
    """

    key: Key
    rank: int
    day: date | None
    since: datetime
    value: Decimal
    record_id: int
    extra: dict[str, Any]
    is_noted: bool
    assigned_to_id: Any = None
    assigned_to: str = ""
    snoozed_until: date | None = None
    is_asleep: bool = False
    note: str = ""


@dataclass(frozen=True)
class Asked:
    """What is wanted: `root` is a unit whose subtree the subjects lie in, `ranks` and `kinds` empty mean all.

    `walked` says that it holds so many units that rows are looked at one by one; what is found is the same. `chosen`
    are subjects (kind, id) that alone are asked for.
    """

    today: date
    user_id: Any
    kinds: Collection[AlertKind] = ()
    ranks: Collection[int] = ()
    root: int | None = None
    words: str = ""
    whose: Whose = Whose.ALL
    sleep: Sleep = Sleep.AWAKE
    housekeeping: bool = False
    cliff_lead: int = CLIFF_LEAD
    coverage_lead: int = COVERAGE_LEAD
    only: Key | None = None
    walked: bool = False
    chosen: Collection[tuple[SubjectKind, int]] | None = None

    @property
    def counted(self) -> int:
        """Return how far items are counted and paged to."""
        return COUNTED_WALKING if self.walked else COUNTED


@dataclass(frozen=True)
class Found:
    """A page of items, and how many there are of each kind, whatever kinds were asked for; `most` + 1 means “more”."""

    items: Sequence[Item]
    counts: dict[AlertKind, int] = field(default_factory=dict)
    most: int = COUNTED

    def count_of(self, kinds: Collection[AlertKind] = ()) -> int:
        """Return how many items these kinds have together; beyond `most` it means “more”."""
        return sum(number for kind, number in self.counts.items() if not kinds or kind in kinds)


def find(asked: Asked, *, limit: int, offset: int = 0, counted: bool = True) -> Found:
    """Return a page of what waits, the worst and most urgent first. Two queries: the rules, and all the rest."""
    query = _Query(asked)
    sql = query.page(limit, offset)
    if counted:
        sql = f"{sql} UNION ALL {query.totals()}"
    with connection.cursor() as cursor:
        cursor.execute(f"WITH {', '.join(query.ctes())} SELECT * FROM ({sql}) told ORDER BY place", query.params)
        rows = cursor.fetchall()
    counts: dict[AlertKind, int] = {}
    for row in rows:
        if row[0] is None and row[8]:
            counts[AlertKind(row[1])] = counts.get(AlertKind(row[1]), 0) + int(row[8])
    return Found([_item(row) for row in rows if row[0] is not None], counts, asked.counted)


def count_by_rank(asked: Asked, most: int) -> dict[int, int]:
    """Return how many of the first so many items have each rank: whole for the worst, cut for what comes after."""
    query = _Query(asked)
    with connection.cursor() as cursor:
        cursor.execute(f"WITH {', '.join(query.ctes())} {query.ranks(most)}", query.params)
        return dict(cursor.fetchall())


def find_one(key: Key, asked: Asked) -> Item | None:
    """Return the item of a key as it is now, wherever it is and however far ahead; None if it is over."""
    wide = Asked(
        today=asked.today, user_id=asked.user_id, sleep=Sleep.BOTH, housekeeping=asked.housekeeping,
        cliff_lead=CLIFF_DAYS, coverage_lead=COVERAGE_DAYS, only=key, kinds=(key.kind,),
    )  # fmt: skip
    items = find(wide, limit=1, counted=False).items
    return items[0] if items else None


def count_mine(user_id: Any, today: date) -> int:
    """Return how many items assigned to the user are awake and still there: for the menu, one small query."""
    with connection.cursor() as cursor:
        cursor.execute(_MINE, {"user": user_id, "today": today})
        return int(cursor.fetchone()[0])


_MINE = """
    SELECT count(*) FROM inbox_attention t
    WHERE t.assigned_to_id = %(user)s AND (t.snoozed_until IS NULL OR t.snoozed_until <= %(today)s)
      AND CASE WHEN t.rule_id IS NOT NULL THEN EXISTS (
              SELECT FROM business_rules_ruleviolation v
              WHERE v.rule_id = t.rule_id AND v.subject_kind = t.subject_kind AND v.subject_id = t.subject_id
                AND v.state IN ('OPEN', 'ACKNOWLEDGED'))
          WHEN t.kind = 'CLIFF' THEN EXISTS (
              SELECT FROM inbox_cliffalert c
              WHERE c.assignment_id = t.subject_id AND c.cause = t.cause AND c.day >= %(today)s)
          WHEN t.kind = 'PROPOSAL' THEN EXISTS (
              SELECT FROM assignments_assignment a WHERE a.id = t.subject_id AND a.status = 'PROPOSED')
          ELSE TRUE END
"""


def _item(row: Sequence[Any]) -> Item:
    (_place, kind, rank, day, since, subject_kind, subject_id, rule_id, value, cause, record_id, noted, extra,
     owner_id, owner, until, asleep, noted_at, note) = row  # fmt: skip
    return Item(
        key=Key(AlertKind(kind), SubjectKind(subject_kind), subject_id, rule_id, cause),
        rank=rank,
        day=date.fromisoformat(day) if day else None,
        since=since,
        value=value,
        record_id=record_id,
        extra=json.loads(extra) if extra else {},
        is_noted=noted or noted_at is not None,
        assigned_to_id=owner_id,
        assigned_to=owner or "",
        snoozed_until=until,
        is_asleep=bool(asleep),
        note=note or "",
    )


@dataclass(frozen=True)
class _Rules:
    """The rules of the catalogue by what the statement asks about them."""

    kinds: dict[int, AlertKind]
    subjects: dict[int, str]
    lower: Sequence[int] = ()
    by_day: Sequence[int] = ()
    by_hours: Sequence[int] = ()

    @classmethod
    def read(cls) -> _Rules:
        rows = list(BusinessRule.objects.order_by("pk"))
        return cls(
            kinds={row.pk: OF_RULE.get(row.code, AlertKind.RULE) for row in rows},
            subjects={row.pk: row.subject_kind for row in rows},
            lower=[row.pk for row in rows if _gets_worse_downwards(row)],
            # What counts days gets worse by itself each night; that it comes nearer is no news.
            by_day=[row.pk for row in rows if OF_RULE.get(row.code) == AlertKind.EXPIRY],
            by_hours=[row.pk for row in rows if OF_RULE.get(row.code) == AlertKind.VACANT],
        )

    def of(self, kinds: Collection[AlertKind]) -> list[int]:
        return [pk for pk, kind in self.kinds.items() if kind in kinds]


_DIRECTIONS: dict[tuple[int, int], bool] = {}


def _gets_worse_downwards(row: BusinessRule) -> bool:
    if not row.is_own:
        known = rule_with_code(row.code)
        return known is not None and known.worse == "lower"
    key = (row.pk, row.version)
    if key not in _DIRECTIONS:
        try:
            definition = definition_of(row)
        except ConditionError:
            return False
        _DIRECTIONS[key] = definition is not None and definition.worse == "lower"
    return _DIRECTIONS[key]


OPEN = "v.state IN ('OPEN', 'ACKNOWLEDGED')"
# As in the index inbox_open_violations, word for word.
RANK = "CASE v.severity WHEN 'BLOCKING' THEN 0 WHEN 'WARNING' THEN 1 ELSE 2 END"
DAY = "COALESCE(v.facts->>'ends_on', v.facts->>'week', v.facts->>'since', '') COLLATE \"C\""
IN_BRANCH = "rank, day, since, record_id"
ORDER = "rank, day, since, record_id, kind, subject_kind"
COLUMNS = "kind, rank, day, since, subject_kind, subject_id, rule_id, value, cause, record_id, noted, extra"
NO_RULE, NO_EXTRA = "NULL::bigint AS rule_id", "NULL::jsonb AS extra"


_NOTHING = f"""
    SELECT ''::text AS kind, 2 AS rank, ''::text COLLATE "C" AS day, NULL::timestamptz AS since,
        ''::text AS subject_kind, 0::bigint AS subject_id, {NO_RULE}, 0::numeric AS value, ''::text AS cause,
        0::bigint AS record_id, FALSE AS noted, {NO_EXTRA}
    WHERE FALSE
"""


class _Query:
    """The parts of the statement for what is asked, and their parameters."""

    def __init__(self, asked: Asked):
        self.asked = asked
        self.rules = _Rules.read()
        now = timezone.now()
        self.params: dict[str, Any] = {
            "today": asked.today,
            "user": asked.user_id,
            "root": asked.root,
            "ranks": list(asked.ranks),
            "lower": list(self.rules.lower),
            "by_day": list(self.rules.by_day),
            "by_hours": list(self.rules.by_hours),
            "cliffs_until": asked.today + timedelta(days=asked.cliff_lead),
            "coverage_until": (asked.today + timedelta(days=asked.coverage_lead)).isoformat(),
            "stalled_before": now - timedelta(days=settings.COVERIS_STALLED_DAYS),
            "expires_until": asked.today + EXPIRES_WITHIN,
            "failed_after": now - FAILED_WITHIN,
            "late_before": now - LATE_AFTER,
            "zone": settings.TIME_ZONE,
        }
        if asked.only:
            self.params |= {
                "only_subject": asked.only.subject_kind.value, "only_id": asked.only.subject_id,
                "only_rule": asked.only.rule_id, "only_cause": asked.only.cause,
            }  # fmt: skip

    @property
    def is_narrow(self) -> bool:
        """Say whether the subjects are found before what is open about them."""
        asked = self.asked
        return (
            (asked.root is not None and not asked.walked)
            or bool(asked.words)
            or asked.whose == Whose.MINE
            or asked.sleep == Sleep.ASLEEP
            or asked.chosen is not None
        ) and asked.only is None

    @property
    def looks_at_each(self) -> bool:
        """Say whether each row is asked whether its subject lies under the unit."""
        return self.asked.root is not None and self.asked.walked and self.asked.only is None

    # What surrounds the branches

    def ctes(self) -> list[str]:
        """Return what comes first: nothing, or the subjects that are left and, found once, all that waits for them."""
        if not self.is_narrow:
            return ["nothing AS (SELECT)"]
        waiting = " UNION ALL ".join(branch for _kind, branch in self._branches(()))
        return [*self._sight(), f"waiting AS MATERIALIZED ({waiting})"]

    def page(self, limit: int, offset: int) -> str:
        self.params |= {"limit": limit, "offset": offset}
        branches = self._first(limit + offset)
        return f"""
            SELECT row_number() OVER (ORDER BY {_of("x", ORDER)}) AS place, {_of("x", COLUMNS)}, t.assigned_to_id,
                CASE WHEN o.id IS NOT NULL THEN trim(concat(o.given_name, ' ', o.family_name)) END AS owner,
                t.snoozed_until, {self._quiet("x", "t")} AS is_asleep, t.acknowledged_at, t.note
            FROM (SELECT * FROM ({branches}) every ORDER BY {ORDER} LIMIT %(limit)s OFFSET %(offset)s) x
            LEFT JOIN inbox_attention t
                ON t.subject_kind = x.subject_kind AND t.subject_id = x.subject_id AND {_is_same("t", "x")}
            LEFT JOIN users_user o ON o.id = t.assigned_to_id
        """

    def _first(self, most: int) -> str:
        """Return what has at least the first so many items in it."""
        self.params |= {"most": most, "kinds": list(self.asked.kinds)}
        if self.is_narrow:
            return "SELECT * FROM waiting WHERE cardinality(%(kinds)s::text[]) = 0 OR kind = ANY (%(kinds)s)"
        branches = " UNION ALL ".join(
            f"(SELECT * FROM ({branch}) one ORDER BY {IN_BRANCH} LIMIT %(most)s)"
            for _kind, branch in self._branches(self.asked.kinds, by_rule=True)
        )
        # A kind without a rule, or not for this person, leaves no branch.
        return branches or _NOTHING

    def ranks(self, most: int) -> str:
        """Return how many of the first so many have each rank."""
        first = self._first(most)
        return (
            f"SELECT rank, count(*) FROM (SELECT rank FROM ({first}) every ORDER BY {ORDER} LIMIT %(most)s) worst "
            "GROUP BY rank"
        )

    def totals(self) -> str:
        """Return one row a kind, with how many there are in the column of values."""
        if self.is_narrow:
            number = "SELECT kind, count(*) AS number FROM waiting GROUP BY kind"
        else:
            capped = [
                f"SELECT '{kind}' AS kind, count(*) AS number FROM ({branch} LIMIT {self.asked.counted + 1}) one"
                for kind, branch in self._branches(())
            ]
            number = " UNION ALL ".join(capped)
        return f"""
            SELECT NULL::bigint, kind, NULL::int, NULL::text, NULL::timestamptz, NULL::text, NULL::bigint,
                NULL::bigint, number::numeric, NULL::text, NULL::bigint, NULL::boolean, NULL::jsonb, NULL::uuid,
                NULL::text, NULL::date, NULL::boolean, NULL::timestamptz, NULL::text
            FROM ({number}) counted
        """

    # What narrows

    def _sight(self) -> list[str]:
        asked, ctes, narrowed = self.asked, [], []
        if asked.root is not None and not asked.walked:
            ctes += _UNDER
            narrowed.append("below")
        if asked.chosen is not None:
            self.params |= {
                "chosen_kinds": [kind.value for kind, _pk in asked.chosen],
                "chosen_ids": [pk for _kind, pk in asked.chosen],
            }
            ctes.append(
                "chosen AS (SELECT * FROM unnest(%(chosen_kinds)s::text[], %(chosen_ids)s::bigint[]) c (kind, id))"
            )
            narrowed.append("chosen")
        if asked.words:
            ctes += self._words()
            narrowed.append("named")
        if asked.whose == Whose.MINE:
            ctes.append(
                "mine AS (SELECT subject_kind AS kind, subject_id AS id FROM inbox_attention "
                "WHERE assigned_to_id = %(user)s)"
            )
            narrowed.append("mine")
        if asked.sleep == Sleep.ASLEEP:
            ctes.append(
                "sleepers AS (SELECT subject_kind AS kind, subject_id AS id FROM inbox_attention "
                "WHERE snoozed_until > %(today)s)"
            )
            narrowed.append("sleepers")
        both = " INTERSECT ".join(f"SELECT kind::text, id FROM {name}" for name in narrowed)
        return [*ctes, f"sight AS MATERIALIZED (SELECT DISTINCT kind, id FROM ({both}) narrowed)"]

    def _words(self) -> list[str]:
        """Return the subjects each word of which stands in their name or code, and what hangs on them."""
        words = self.asked.words.split()[:WORDS]
        for number, word in enumerate(words):
            escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
            self.params[f"word_{number}"] = f"%{escaped}%"

        def matching(*columns: str) -> str:
            return " AND ".join(
                "(" + " OR ".join(f"UPPER({column}) LIKE UPPER(%(word_{number})s)" for column in columns) + ")"
                for number in range(len(words))
            )

        def inside(kind: str) -> str:
            if self.asked.root is None:
                return ""
            if self.looks_at_each:
                return f"AND {_lies_under(f"'{kind}'", 'r.id', kind)}"
            return f"AND r.id IN (SELECT id FROM below WHERE kind = '{kind}')"

        people, places, units = (
            f"""SELECT r.id FROM {table} r WHERE {matching(*columns)} {inside(kind)} LIMIT {FOUND_BY_A_WORD}"""
            for kind, table, columns in (
                ("employee", "org_employee", ("r.family_name", "r.given_name", "r.employee_number")),
                ("position", "org_position", ("r.title", "r.code")),
                ("unit", "org_orgunit", ("r.name", "r.code")),
            )
        )
        return [
            f"people_named AS MATERIALIZED ({people})",
            f"places_named AS MATERIALIZED ({places})",
            f"""named AS (
                SELECT 'employee' AS kind, id FROM people_named UNION ALL SELECT 'position', id FROM places_named
                UNION ALL SELECT 'unit', id FROM ({units}) units_named
                UNION ALL SELECT 'assignment', a.id FROM assignments_assignment a JOIN people_named p
                    ON p.id = a.employee_id WHERE a.status IN ('PROPOSED', 'ACTIVE') AND NOT a.voided
                UNION ALL SELECT 'assignment', a.id FROM assignments_assignment a JOIN places_named p
                    ON p.id = a.position_id WHERE a.status IN ('PROPOSED', 'ACTIVE') AND NOT a.voided
            )""",
        ]

    # The branches

    def _branches(self, kinds: Collection[AlertKind], by_rule: bool = False) -> Iterator[tuple[AlertKind, str]]:
        """Yield kind and SELECT; where the subjects are known, those of all rules together (as RULE)."""
        wanted = [kind for kind in AlertKind if not kinds or kind in kinds]
        narrow_to_units = self.asked.root is not None or bool(self.asked.words)
        if self.is_narrow:
            yield AlertKind.RULE, self._violations()
        for kind in wanted:
            if kind in RULE_KINDS:
                if not self.is_narrow:
                    yield from self._of_rules(kind, by_rule)
            elif kind in HOUSEKEEPING:
                if self.asked.housekeeping and not narrow_to_units:
                    figures = kind == AlertKind.FIGURES
                    for branch in (self._letters(), self._lateness()) if figures else (self._runs(), self._digests()):
                        yield kind, branch
            else:
                yield kind, self._cliffs() if kind == AlertKind.CLIFF else self._proposals()

    def _of_rules(self, kind: AlertKind, by_rule: bool) -> Iterator[tuple[AlertKind, str]]:
        """Yield what breaks the rules of a kind: together, or each by itself in the order of its index."""
        ids = self.rules.of([kind])
        if not by_rule and ids:
            yield kind, self._violations(f"v.rule_id = ANY ({self._listed(kind)})", kind)
        for pk in ids if by_rule else ():
            self.params[f"rule_{pk}"] = pk
            yield kind, self._violations(f"v.rule_id = %(rule_{pk})s", kind, self.rules.subjects[pk])

    def _listed(self, kind: AlertKind) -> str:
        self.params[f"rules_{kind}"] = self.rules.of([kind])
        return f"%(rules_{kind})s::bigint[]"

    def _violations(self, which: str = "", kind: AlertKind | None = None, subject: str = "") -> str:
        """Return the violations of rules of a kind; without one those of all rules, each with its kind.

        `subject` is the kind of subject the rules have, where it is one.
        """
        value = """CASE
            WHEN v.rule_id = ANY (%(by_day)s) THEN DATE '2000-01-01' - NULLIF(v.facts->>'ends_on', '')::date
            WHEN v.rule_id = ANY (%(by_hours)s) THEN (v.facts->>'hours')::numeric
            WHEN v.rule_id = ANY (%(lower)s) THEN -v.observed ELSE v.observed END"""
        in_sight = "v.facts->>'week' <= %(coverage_until)s"
        also = [OPEN, which]
        if kind is None:
            expiry, under = self._listed(AlertKind.EXPIRY), self._listed(AlertKind.UNDER_COVERED)
            also.append(f"({RANK} < 2 OR v.rule_id = ANY ({expiry}))")
            also.append(f"(v.rule_id <> ALL ({under}) OR {in_sight})")
            cases = " ".join(
                f"WHEN v.rule_id = ANY ({self._listed(each)}) THEN '{each}'"
                for each in RULE_KINDS
                if each != AlertKind.RULE
            )
            told = f"CASE {cases} ELSE 'RULE' END"
        else:
            told = f"'{kind}'"
            if kind != AlertKind.EXPIRY:
                also.append(f"{RANK} < 2")
            if kind == AlertKind.UNDER_COVERED:
                also.append(in_sight)
        return self._branch(
            f"SELECT ({told})::text AS kind, {RANK} AS rank, {DAY} AS day, v.first_seen AS since, "
            f"v.subject_kind::text AS subject_kind, v.subject_id, v.rule_id, "
            f"COALESCE({value}, {WORST})::numeric(14, 2) AS value, ''::text AS cause, v.id AS record_id, "
            f"v.state = 'ACKNOWLEDGED' AS noted, {NO_EXTRA}",
            "business_rules_ruleviolation v", also, ("v.subject_kind", "v.subject_id", "v.rule_id", "''"),
            same=lambda t: f"{t}.rule_id = v.rule_id AND {t}.subject_kind = v.subject_kind "
            f"AND {t}.subject_id = v.subject_id",
            subject=subject,
        )  # fmt: skip

    def _cliffs(self) -> str:
        return self._branch(
            f"SELECT 'CLIFF'::text AS kind, CASE WHEN c.accepted >= c.missing THEN 2 ELSE 1 END AS rank, "
            f"to_char(c.day, 'YYYY-MM-DD') COLLATE \"C\" AS day, c.first_seen AS since, "
            f"'assignment'::text AS subject_kind, c.assignment_id AS subject_id, {NO_RULE}, "
            f"(c.missing / 100.0)::numeric(14, 2) AS value, c.cause::text AS cause, c.assignment_id AS record_id, "
            f"FALSE AS noted, jsonb_build_object('missing', c.missing, 'accepted', c.accepted, 'proposed', c.proposed, "
            f"'follows_on', c.follows_on) AS extra",
            "inbox_cliffalert c", ["c.day BETWEEN %(today)s AND %(cliffs_until)s"],
            ("'assignment'", "c.assignment_id", "NULL::bigint", "c.cause"),
            same=lambda t: f"{t}.kind = 'CLIFF' AND {t}.cause = c.cause AND {t}.subject_kind = 'assignment' "
            f"AND {t}.subject_id = c.assignment_id",
            subject="assignment",
        )  # fmt: skip

    def _proposals(self) -> str:
        return self._branch(
            f"SELECT 'PROPOSAL'::text AS kind, 1 AS rank, "
            f"to_char(COALESCE(a.expires_on, (a.created_at AT TIME ZONE %(zone)s)::date), 'YYYY-MM-DD') "
            f"COLLATE \"C\" AS day, "
            f"a.created_at AS since, 'assignment'::text AS subject_kind, a.id AS subject_id, {NO_RULE}, "
            f"0::numeric(14, 2) AS value, ''::text AS cause, a.id AS record_id, FALSE AS noted, "
            f"jsonb_build_object('expires_on', a.expires_on) AS extra",
            "assignments_assignment a",
            ["a.status = 'PROPOSED'", "(a.created_at < %(stalled_before)s OR a.expires_on <= %(expires_until)s)"],
            ("'assignment'", "a.id", "NULL::bigint", "''"),
            same=lambda t: f"{t}.kind = 'PROPOSAL' AND {t}.subject_kind = 'assignment' AND {t}.subject_id = a.id",
            subject="assignment",
        )  # fmt: skip

    def _housekeeping(self, kind: AlertKind, subject: SubjectKind, pk: str, since: str, table: str, also: str) -> str:
        return self._branch(
            f"SELECT '{kind}'::text AS kind, 1 AS rank, ''::text COLLATE \"C\" AS day, {since} AS since, "
            f"'{subject}'::text AS subject_kind, {pk} AS subject_id, {NO_RULE}, 0::numeric(14, 2) AS value, "
            f"''::text AS cause, {pk} AS record_id, FALSE AS noted, {NO_EXTRA}",
            table, [also], (f"'{subject}'", pk, "NULL::bigint", "''"),
            same=lambda t: f"{t}.kind = '{kind}' AND {t}.subject_kind = '{subject}' AND {t}.subject_id = {pk}",
        )  # fmt: skip

    def _letters(self) -> str:
        return self._housekeeping(
            AlertKind.FIGURES, SubjectKind.LETTER, "l.id", "l.created_at", "changes_deadletter l", "TRUE"
        )

    def _lateness(self) -> str:
        return self._housekeeping(
            AlertKind.FIGURES, SubjectKind.FIGURES, "m.id", "m.since",
            "(SELECT 0::bigint AS id, min(created_at) AS since FROM changes_mark) m", "m.since < %(late_before)s",
        )  # fmt: skip

    def _runs(self) -> str:
        last = "SELECT max(id) FROM business_rules_evaluationrun WHERE finished_at IS NOT NULL AND unit_code = ''"
        return self._housekeeping(
            AlertKind.FAILURE, SubjectKind.RUN, "r.id", "r.finished_at", "business_rules_evaluationrun r",
            f"r.id = ({last}) AND r.failure <> ''",
        )  # fmt: skip

    def _digests(self) -> str:
        return self._housekeeping(
            AlertKind.FAILURE, SubjectKind.DIGEST, "d.id", "d.claimed_at", "inbox_digest d",
            "d.outcome = 'FAILED' AND d.claimed_at > %(failed_after)s",
        )  # fmt: skip

    def _branch(
        self, select: str, table: str, also: list[str], key: tuple[str, ...], same: Any, subject: str = ""
    ) -> str:
        """Return a branch with what is asked of every kind of item put into it."""
        asked, (subject_kind, subject_id, rule, cause) = self.asked, key
        join = ""
        if self.is_narrow:
            join = f"JOIN sight ON sight.kind = {subject_kind} AND sight.id = {subject_id}"
        if self.looks_at_each:
            also = [*also, _lies_under(subject_kind, subject_id, subject)]
        inner = f"{select} FROM {table} {join} WHERE {' AND '.join(filter(None, also))}"
        if asked.only is not None:
            inner += (
                f" AND {subject_kind} = %(only_subject)s AND {subject_id} = %(only_id)s"
                f" AND {rule} IS NOT DISTINCT FROM %(only_rule)s::bigint AND {cause} = %(only_cause)s"
            )
        if asked.whose == Whose.MINE:
            inner += f" AND EXISTS (SELECT FROM inbox_attention t WHERE {same('t')} AND t.assigned_to_id = %(user)s)"
        elif asked.whose == Whose.NOBODY:
            inner += (
                f" AND NOT EXISTS (SELECT FROM inbox_attention t WHERE {same('t')} AND t.assigned_to_id IS NOT NULL)"
            )
        if asked.ranks:
            inner = f"SELECT * FROM ({inner}) graded WHERE rank = ANY (%(ranks)s)"
        if asked.sleep != Sleep.BOTH:
            does = "NOT EXISTS" if asked.sleep == Sleep.AWAKE else "EXISTS"
            inner = (
                f"SELECT x.* FROM ({inner}) x WHERE {does} (SELECT FROM inbox_attention t "
                f"WHERE t.subject_kind = x.subject_kind AND t.subject_id = x.subject_id AND {_is_same('t', 'x')} "
                f"AND {self._quiet('x', 't')})"
            )
        return inner

    @staticmethod
    def _quiet(item: str, attention: str) -> str:
        """Return whether an item sleeps: until the day named, and only while it is no worse than when put to sleep."""
        return (
            f"({attention}.snoozed_until > %(today)s AND {item}.rank >= {attention}.seen_rank "
            f"AND {item}.value <= {attention}.seen_value)"
        )


def _of(row: str, columns: str) -> str:
    return ", ".join(f"{row}.{column}" for column in columns.split(", "))


def _is_same(attention: str, item: str) -> str:
    return (
        f"{attention}.kind = {item}.kind AND {attention}.cause = {item}.cause "
        f"AND {attention}.rule_id IS NOT DISTINCT FROM {item}.rule_id"
    )


def _lies_under(kind: str, pk: str, only: str = "") -> str:
    """Return the condition that a subject (SQL of its kind and id) lies under the unit, asked of a row by itself.

    Values, not EXISTS: of an EXISTS the planner would read everything under the unit first. `only` is the kind where
    it is known to be one.
    """
    if only:
        return f"({kind} = '{only}' AND {_EACH_UNDER[only].format(pk=pk)})"
    cases = " ".join(f"WHEN '{each}' THEN {condition.format(pk=pk)}" for each, condition in _EACH_UNDER.items())
    return f"CASE {kind} {cases} ELSE FALSE END"


# Names of their own, for they stand inside branches that have names too.
_INSIDE = "there.path @> ARRAY[%(root)s::bigint]"
_GIVEN = "given.status IN ('PROPOSED', 'ACTIVE') AND NOT given.voided"
_EACH_UNDER = {
    "unit": f"(SELECT there.id FROM org_orgunit there WHERE there.id = {{pk}} AND {_INSIDE}) IS NOT NULL",
    "position": f"""(
        SELECT place.id FROM org_position place JOIN org_orgunit there ON there.id = place.org_unit_id
        WHERE place.id = {{pk}} AND {_INSIDE}) IS NOT NULL""",
    "employee": f"""((
        SELECT person.id FROM org_employee person JOIN org_orgunit there ON there.id = person.home_unit_id
        WHERE person.id = {{pk}} AND {_INSIDE}) IS NOT NULL
    OR (
        SELECT given.id FROM assignments_assignment given JOIN org_position place ON place.id = given.position_id
        JOIN org_orgunit there ON there.id = place.org_unit_id
        WHERE given.employee_id = {{pk}} AND {_GIVEN} AND (given.ends_on IS NULL OR given.ends_on >= %(today)s)
        AND {_INSIDE} LIMIT 1) IS NOT NULL)""",
    "assignment": f"""(
        SELECT given.id FROM assignments_assignment given
        JOIN org_position place ON place.id = given.position_id JOIN org_orgunit there ON there.id = place.org_unit_id
        JOIN org_employee person ON person.id = given.employee_id JOIN org_orgunit home ON home.id = person.home_unit_id
        WHERE given.id = {{pk}} AND {_GIVEN} AND ({_INSIDE} OR home.path @> ARRAY[%(root)s::bigint])) IS NOT NULL""",
}

# What is below a unit, as `visible_to` says it, put so that each part is found by an index: one way in at a time.
_UNDER = [
    "units AS MATERIALIZED (SELECT id FROM org_orgunit WHERE path @> ARRAY[%(root)s::bigint])",
    "places AS MATERIALIZED (SELECT p.id FROM org_position p JOIN units u ON u.id = p.org_unit_id)",
    "people AS MATERIALIZED (SELECT e.id FROM org_employee e JOIN units u ON u.id = e.home_unit_id)",
    """below AS MATERIALIZED (
        SELECT 'unit' AS kind, id FROM units UNION ALL SELECT 'position', id FROM places
        UNION ALL SELECT 'employee', id FROM people
        UNION ALL SELECT 'employee', a.employee_id FROM assignments_assignment a JOIN places p ON p.id = a.position_id
            WHERE a.status IN ('PROPOSED', 'ACTIVE') AND NOT a.voided AND (a.ends_on IS NULL OR a.ends_on >= %(today)s)
        UNION ALL SELECT 'assignment', a.id FROM assignments_assignment a JOIN places p ON p.id = a.position_id
            WHERE a.status IN ('PROPOSED', 'ACTIVE') AND NOT a.voided
        UNION ALL SELECT 'assignment', a.id FROM assignments_assignment a JOIN people p ON p.id = a.employee_id
            WHERE a.status IN ('PROPOSED', 'ACTIVE') AND NOT a.voided
    )""",
]
