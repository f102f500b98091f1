"""What one deed wrote, read from the history, and how it is put back: set by set, whatever the number of rows.

For each table the deed wrote to there are two temporary ones: `touched` (id, its first history row, whether the record
was there before and whether the deed left it there) and `before` (the records that were, with the values they had).
A record the deed made is deleted, one it changed gets its values, one it deleted is made again under its key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import connection
from django.db.models import CASCADE

# The house order of locks (docs/locking.md); everything else comes after, by name.
FIRST = ("org.employee", "org.position", "assignments.assignment")
Params = Sequence[Any] | dict[str, Any] | None


def run(sql: str, params: Params = None) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.rowcount


def rows(sql: str, params: Params = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def recorded() -> list[Any]:
    """Return every model with a history, in the house order of locks."""
    found = [
        model
        for model in apps.get_models()
        if model.__module__.startswith("apps.") and hasattr(model._meta, "simple_history_manager_attribute")
    ]
    place = {label: number for number, label in enumerate(FIRST)}
    return sorted(found, key=lambda model: (place.get(model._meta.label_lower, len(FIRST)), model._meta.label_lower))


@dataclass(frozen=True)
class Key:
    """What no two rows of a table may have in common: expressions with their operators, of rows that meet a condition.

    Read from the database, so that unique columns, unique constraints and exclusion constraints are one thing.
    """

    expressions: tuple[str, ...]
    operators: tuple[str, ...]
    condition: str

    def of(self, relation: str) -> str:
        """Return the SELECT of a relation's ids and keys."""
        keys = ", ".join(f"{expression} AS k{number}" for number, expression in enumerate(self.expressions))
        return f"SELECT id, {keys} FROM {relation} WHERE {self.condition or 'true'}"

    @property
    def meet(self) -> str:
        """Return the condition that two rows, a and b, cannot stand side by side."""
        return " AND ".join(f"a.k{number} {operator} b.k{number}" for number, operator in enumerate(self.operators))


@dataclass(frozen=True)
class Track:
    """What a deed did to one table."""

    model: Any
    label: str

    @property
    def table(self) -> str:
        return str(self.model._meta.db_table)

    @cached_property
    def history(self) -> str:
        return str(history_of(self.model)._meta.db_table)

    @property
    def touched(self) -> str:
        return f"undo_{self.table}"

    @property
    def before(self) -> str:
        return f"undo_{self.table}_before"

    @property
    def pending(self) -> str:
        return f"undo_{self.table}_pending"

    @property
    def made(self) -> str:
        return f"(SELECT id FROM {self.touched} WHERE NOT was)"

    @cached_property
    def columns(self) -> list[str]:
        """Return the columns the history keeps, without the key."""
        own = {field.column for field in self.model._meta.concrete_fields if not field.primary_key}
        return [field.column for field in history_of(self.model)._meta.concrete_fields if field.column in own]

    def select(self, alias: str) -> str:
        return ", ".join(f'{alias}."{column}"' for column in self.columns)

    @cached_property
    def keys(self) -> list[Key]:
        return [
            Key(tuple(expressions), tuple(operators or ["="] * len(expressions)), condition or "")
            for expressions, operators, condition in rows(KEYS, [self.table])
        ]

    @cached_property
    def references(self) -> list[tuple[str, Any]]:
        """Return (column, model) of what the rows refer to and the database insists on."""
        return [
            (field.column, field.related_model)
            for field in self.model._meta.concrete_fields
            if field.is_relation and field.db_constraint and field.column in self.columns
        ]

    @cached_property
    def hangers(self) -> list[tuple[Any, Any]]:
        """Return (model, field) of everything that refers to rows of this table and that the database insists on."""
        return [
            (relation.related_model, relation.field)
            for relation in self.model._meta.get_fields(include_hidden=True)
            if relation.auto_created
            and (relation.one_to_many or relation.one_to_one)
            and getattr(relation.field, "db_constraint", False)
        ]


KEYS = """
    SELECT array(SELECT pg_get_indexdef(i.indexrelid, k, false) FROM generate_series(1, i.indnkeyatts) k),
           (SELECT array_agg(o.oprname::text ORDER BY u.place)
            FROM unnest(c.conexclop) WITH ORDINALITY u(oid, place) JOIN pg_operator o ON o.oid = u.oid),
           pg_get_expr(i.indpred, i.indrelid)
    FROM pg_index i
    LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype = 'x'
    WHERE i.indrelid = %s::regclass AND (i.indisunique OR i.indisexclusion) AND NOT i.indisprimary
"""


def history_of(model: Any) -> Any:
    return getattr(model, model._meta.simple_history_manager_attribute).model


class Rewinding:
    """One deed being put back, inside a transaction. `settled` are deeds that were undone, and their undoing."""

    def __init__(self, deed: UUID):
        self.deed = deed
        self.settled: list[UUID] = []
        self.tracks = [Track(model, model._meta.label_lower) for model in self._written()]

    def of(self, model: Any) -> Track | None:
        return next((track for track in self.tracks if track.model is model), None)

    def _written(self) -> list[Any]:
        models = recorded()
        asked = " UNION ALL ".join(
            f'SELECT {number} WHERE EXISTS (SELECT FROM "{history_of(model)._meta.db_table}" WHERE deed = %(deed)s)'
            for number, model in enumerate(models)
        )
        return [models[number] for (number,) in sorted(rows(asked, {"deed": self.deed}))]

    # What it did

    def find(self) -> None:
        """Read what the deed did into the temporary tables. What it wrote cannot change any more."""
        for track in self.tracks:
            run(f"DROP TABLE IF EXISTS {track.touched}, {track.before}, {track.pending}")
            run(
                f"""
                CREATE TEMP TABLE {track.touched} ON COMMIT DROP AS
                SELECT mine.id, mine.first, f.history_type <> '+' AS was, l.history_type <> '-' AS stays
                FROM (
                    SELECT id, min(history_id) AS first, max(history_id) AS last FROM {track.history}
                    WHERE deed = %s GROUP BY id
                ) mine
                JOIN {track.history} f ON f.history_id = mine.first
                JOIN {track.history} l ON l.history_id = mine.last
                """,
                [self.deed],
            )
            run(f"CREATE UNIQUE INDEX ON {track.touched} (id)")
            run(f"ANALYZE {track.touched}")
            run(
                f"""
                CREATE TEMP TABLE {track.before} ON COMMIT DROP AS
                SELECT DISTINCT ON (h.id) h.id, h.history_type, {track.select("h")}
                FROM {track.touched} t JOIN {track.history} h ON h.id = t.id AND h.history_id < t.first
                WHERE t.was ORDER BY h.id, h.history_id DESC
                """
            )
            run(f"CREATE UNIQUE INDEX ON {track.before} (id)")
            run(f"ANALYZE {track.before}")

    def lock(self) -> None:
        """Lock what the deed touched and whom it belongs to, in the house order; nothing new can hang on it now.

        FOR UPDATE, which the foreign keys of others wait for: what is about to go may not be chosen meanwhile.
        """
        for model in recorded():
            ids = [f"SELECT id FROM {track.touched}" for track in self.tracks if track.model is model]
            if model._meta.label_lower in FIRST[:2]:
                ids += [
                    f'SELECT "{column}" FROM {relation}'
                    for track in self.tracks
                    for column, target in track.references
                    if target is model
                    for relation in (track.before, f"{track.table} WHERE id IN (SELECT id FROM {track.touched})")
                ]
            if ids:
                run(
                    f"SELECT count(*) FROM (SELECT id FROM {model._meta.db_table} WHERE id IN ({' UNION '.join(ids)}) "
                    "ORDER BY id FOR UPDATE) AS locked"
                )

    def compare(self) -> None:
        """Read which rows differ now from what they were: those that are to be written. Call after `lock`."""
        for track in self.tracks:
            run(
                f"""
                CREATE TEMP TABLE {track.pending} ON COMMIT DROP AS
                SELECT b.id FROM {track.before} b JOIN {track.table} s ON s.id = b.id
                WHERE ({track.select("s")}) IS DISTINCT FROM ({track.select("b")})
                """
            )
            run(f"ANALYZE {track.pending}")

    # What stands against it; each yields (track, id, …) of at most `limit` rows

    def unknown(self, limit: int) -> Iterator[tuple[Track, Any]]:
        """Yield rows that were there before and whose values then are on no record."""
        for track in self.tracks:
            sql = f"""
                SELECT t.id FROM {track.touched} t LEFT JOIN {track.before} b ON b.id = t.id
                WHERE t.was AND (b.id IS NULL OR b.history_type = '-') ORDER BY t.id LIMIT {limit}
            """
            for (pk,) in rows(sql):
                yield track, pk

    def changed_since(self, limit: int) -> Iterator[tuple[Track, Any, str, Any, Any]]:
        """Yield rows with a later history: the type of its first row, when, and by whom."""
        for track in self.tracks:
            sql = f"""
                SELECT DISTINCT ON (h.id) h.id, h.history_type, h.history_date, h.history_user_id
                FROM {track.history} h JOIN {track.touched} t ON t.id = h.id
                WHERE h.history_id > t.first AND h.history_id > (SELECT min(first) FROM {track.touched})
                  AND {self._foreign("h")}
                ORDER BY h.id, h.history_id LIMIT {limit}
            """
            for found in rows(sql, self._params()):
                yield track, *found

    def moved_since(self, limit: int) -> Iterator[tuple[Track, Any, str, Any, Any]]:
        """Yield rows that the deed moved and that moved on since: the transition, when, and by whom."""
        for model in recorded():
            if not hasattr(model, "machine"):
                continue
            log = model._meta.get_field("transition_logs").related_model._meta.db_table
            sql = f"""
                SELECT DISTINCT ON (l.subject_id) l.subject_id, l.transition, l.created_at, l.actor_id
                FROM (SELECT subject_id, max(id) AS last FROM {log} WHERE deed = %(deed)s GROUP BY subject_id) mine
                JOIN {log} l ON l.subject_id = mine.subject_id AND l.id > mine.last
                WHERE {self._foreign("l")} ORDER BY l.subject_id, l.id LIMIT {limit}
            """
            for found in rows(sql, self._params()):
                yield self.of(model) or Track(model, model._meta.label_lower), *found

    def hanging(self, also: Iterable[tuple[str, Any, str]], limit: int) -> Iterator[tuple[Track, Any, Any, Any]]:
        """Yield made rows that something else hangs on since: that other's model and id.

        `also` are ties without a foreign key: the label of the model, the other one, and the condition on its row r
        that names the made row c.
        """
        for track in self.tracks:
            ties = [
                (model, f'r."{field.column}" = c.id')
                for model, field in track.hangers
                if hasattr(model._meta, "simple_history_manager_attribute")
                or field.remote_field.on_delete is not CASCADE
            ]
            ties += [(model, tie) for label, model, tie in also if label == track.label]
            for model, tie in ties:
                mine = self.of(model)
                own = f"AND NOT EXISTS (SELECT FROM {mine.touched} t WHERE t.id = r.{_pk(model)})" if mine else ""
                sql = f"""
                    SELECT DISTINCT ON (c.id) c.id, r.{_pk(model)}
                    FROM {track.made} c JOIN {model._meta.db_table} r ON {tie}
                    WHERE true {own} ORDER BY c.id, r.{_pk(model)} LIMIT {limit}
                """
                for pk, other in rows(sql):
                    yield track, pk, model, other

    def lacking(self, limit: int) -> Iterator[tuple[Track, Any]]:
        """Yield rows that would again refer to something that is gone."""
        for track in self.tracks:
            for column, target in track.references:
                back = self.of(target)
                again = f"AND NOT EXISTS (SELECT FROM {back.before} o WHERE o.id = b.{column})" if back else ""
                sql = f"""
                    SELECT b.id FROM {track.before} b
                    LEFT JOIN {target._meta.db_table} s ON s.{_pk(target)} = b.{column}
                    WHERE b.{column} IS NOT NULL AND s.{_pk(target)} IS NULL {again} ORDER BY b.id LIMIT {limit}
                """
                for (pk,) in rows(sql):
                    yield track, pk

    def in_the_way(self, limit: int) -> Iterator[tuple[Track, Any, Any]]:
        """Yield rows whose place somebody else has taken since: those days, that name; and the other's id."""
        for track in self.tracks:
            # Only what is written can meet anything: what differs, and what is made again.
            written = (
                f"(SELECT b.* FROM {track.before} b WHERE EXISTS (SELECT FROM {track.pending} p WHERE p.id = b.id)"
                f" OR NOT EXISTS (SELECT FROM {track.table} s WHERE s.id = b.id)) AS written"
            )
            for key in track.keys:
                sql = f"""
                    SELECT DISTINCT ON (a.id) a.id, b.id
                    FROM ({key.of(written)}) a JOIN ({key.of(track.table)}) b ON {key.meet} AND a.id <> b.id
                    WHERE NOT EXISTS (SELECT FROM {track.touched} t WHERE t.id = b.id)
                    ORDER BY a.id, b.id LIMIT {limit}
                """
                for pk, other in rows(sql):
                    yield track, pk, other

    def _foreign(self, alias: str) -> str:
        return f"{alias}.deed IS DISTINCT FROM %(deed)s AND ({alias}.deed IS NULL OR {alias}.deed <> ALL(%(settled)s))"

    def _params(self) -> dict[str, Any]:
        return {"deed": self.deed, "settled": self.settled}

    # Putting it back

    def delete_made(self, track: Track) -> int:
        """Delete what the deed made, and what the house keeps about it without a history of its own."""
        for model, field in track.hangers:
            if field.remote_field.on_delete is CASCADE and not hasattr(model._meta, "simple_history_manager_attribute"):
                run(f'DELETE FROM {model._meta.db_table} WHERE "{field.column}" IN {track.made}')
        return run(f"DELETE FROM {track.table} WHERE id IN {track.made}")

    def restore_changed(self, track: Track) -> int:
        """Give the rows the values they had; None in the way of another: first those that take no place still held.

        One statement, unless rows of the deed changed places with each other.
        """
        stamp = ", updated_at = clock_timestamp()" if _has(track.model, "updated_at") else ""
        sets = ", ".join(f'"{column}" = b."{column}"' for column in track.columns)
        done = 0
        while True:
            waiting = self._waiting(track)
            free = " AND s.id <> ALL(%(waiting)s)" if waiting else ""
            written = run(
                f"UPDATE {track.table} s SET {sets}{stamp} FROM {track.before} b JOIN {track.pending} p ON p.id = b.id "
                f"WHERE s.id = b.id{free}",
                {"waiting": waiting} if waiting else None,
            )
            done += written
            if not waiting:
                return done
            if not written:
                raise Stuck(track)
            run(f"DELETE FROM {track.pending} WHERE id <> ALL(%s)", [waiting])

    def _waiting(self, track: Track) -> list[Any]:
        """Return the rows whose place is still held by another row that is to be put back."""
        pending = f"(SELECT b.* FROM {track.before} b JOIN {track.pending} p ON p.id = b.id) AS coming"
        here = f"(SELECT s.* FROM {track.table} s JOIN {track.pending} p ON p.id = s.id) AS staying"
        asked = " UNION ".join(
            f"SELECT a.id FROM ({key.of(pending)}) a JOIN ({key.of(here)}) b ON {key.meet} AND a.id <> b.id"
            for key in track.keys
        )
        return [pk for (pk,) in rows(asked)] if asked else []

    def make_again(self, track: Track) -> int:
        """Insert what the deed deleted, under its old keys."""
        # What no history keeps and no database default fills, triggers will (a unit's path).
        rest = {
            field.column: field.get_db_prep_save(field.get_default(), connection)
            for field in track.model._meta.concrete_fields
            if not field.primary_key and field.column not in track.columns and not field.has_db_default()
        }
        names = ", ".join(f'"{column}"' for column in [*track.columns, *rest])
        values = "".join(f", %({column})s" for column in rest)
        return run(
            f"INSERT INTO {track.table} (id, {names}) SELECT b.id, {track.select('b')}{values} FROM {track.before} b "
            f"JOIN {track.touched} t ON t.id = b.id WHERE NOT t.stays ORDER BY b.id",
            rest or None,
        )


class Stuck(Exception):
    """Rows hold each other's places in a circle."""

    def __init__(self, track: Track):
        self.track = track
        super().__init__(track.label)


def _pk(model: Any) -> str:
    return str(model._meta.pk.column)


def _has(model: Any, name: str) -> bool:
    return any(field.name == name for field in model._meta.concrete_fields)
