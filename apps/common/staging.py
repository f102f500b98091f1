"""A sheet on its way in: its rows lie in temporary tables, matched with what is stored, and are written from there.

`sheet_rows` has one row a line of the sheet:
  line, bad (columns that could not be read), doubts, version, key (as people read it), v_… (cells as read, of the key,
  of references and of what is no plain value), e_… (what the model's columns hold in the end), pk (stored, or taken
  from the sequence for a new one), stored (null for a new one), known (its key says which record it is),
  seen (the stored version that was compared), status, move, wrong_state, ending, changes (columns), refused.
`sheet_problems` has what is wrong with lines: column, code, and what its sentence needs.

Everything is a few statements whatever the number of rows; all of it belongs to the transaction under way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.sql import Query
from django.utils.translation import gettext as _

from .errors import Reason, Refusal
from .saving import in_words, kept_by_others

if TYPE_CHECKING:
    from .resources import SheetResource

WRITTEN_BY_ITSELF = ("created_at", "updated_at")


def literal(queryset: QuerySet[Any]) -> str:
    """Return a queryset as SQL with its values in place, to stand inside a statement that has parameters of its own."""
    sql, params = queryset.query.sql_with_params()
    return _composed(sql, params)


def condition(model: Any, q: Q, *, qualified: bool) -> str:
    """Return a condition as SQL with its values in place, on bare column names or on those of the model's table."""
    if not q:
        return "true"
    query = Query(model, alias_cols=qualified)
    where = query.build_where(q)
    sql, params = where.as_sql(query.get_compiler(connection=connection), connection)
    return _composed(sql, params)


def _composed(sql: str, params: Sequence[Any]) -> str:
    composed: str = connection.ops.compose_sql(sql, params)  # type: ignore[attr-defined]
    return composed.replace("%", "%%")


def column_type(field: Any) -> str:
    """Return the type of a column without its length: too long a text is to be refused, not cut."""
    return str(field.cast_db_type(connection) or field.db_type(connection)).split("(")[0]


def fields_of(model: Any) -> list[Any]:
    """Return the fields a sheet's row has an e_ column for: all but the key and what others write."""
    left = {*WRITTEN_BY_ITSELF, *getattr(model, "kept_by_triggers", ())}
    return [field for field in model._meta.concrete_fields if not field.primary_key and field.name not in left]


@dataclass(frozen=True)
class Check:
    """What is wrong with a row of `sheet_rows` s where `when` holds; `about` (jsonb) is what its sentence needs."""

    column: str
    code: str
    when: str
    about: str = "NULL::jsonb"


class LinesRefused(Refusal):
    """A service said no to some lines; `by_line` says why."""

    def __init__(self, by_line: Mapping[int, Sequence[Reason]]):
        self.by_line = by_line
        super().__init__([reason for reasons in by_line.values() for reason in reasons])


class StagedSheet:
    """The staged rows of one sheet, and what a kind of sheet does with them.

    `among` narrows everything that is written to some lines (None = all that are not refused), `only` to a part of
    these (SQL on s).
    """

    def __init__(self, resource: SheetResource, actor: Any, present: Sequence[str]):
        self.resource, self.actor, self.present = resource, actor, list(present)
        self.model = resource.model()
        self.among: list[int] | None = None
        self.only = "true"

    # Asking and refusing

    def fetch(self, sql: str, params: Mapping[str, Any] | None = None) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(sql, params or {})
            return cursor.fetchall()

    def in_turn(self, sql: str, params: Mapping[str, Any] | None = None, *, size: int) -> Iterator[list[Any]]:
        """Yield the rows of a query, so many at a time."""
        with connection.chunked_cursor() as cursor:
            cursor.execute(sql, params or {})
            while rows := cursor.fetchmany(size):
                yield rows

    def execute(self, sql: str, params: Mapping[str, Any] | None = None) -> int:
        """Carry a statement out; return how many rows it was about."""
        with connection.cursor() as cursor:
            cursor.execute(sql, params or {})
            return int(cursor.rowcount)

    def refuse(self, checks: Iterable[Check], params: Mapping[str, Any] | None = None, *, source: str = "") -> None:
        """Note what is wrong with the rows, one pass for all checks. `source` replaces `sheet_rows s`."""
        lines = [
            f"SELECT {number} AS number, '{check.column}' AS col, '{check.code}' AS code, {check.about} AS about "
            f"WHERE {check.when}"
            for number, check in enumerate(checks)
        ]
        if lines:
            self.execute(
                f"""INSERT INTO sheet_problems (line, col, code, about)
                SELECT s.line, p.col, p.code, p.about FROM {source or "sheet_rows s"}
                CROSS JOIN LATERAL ({" UNION ALL ".join(lines)}) AS p ORDER BY s.line, p.number""",
                params,
            )

    def settle(self) -> None:
        """Take what has a problem out of what is to be written."""
        self.execute(
            "UPDATE sheet_rows s SET refused = true FROM (SELECT DISTINCT line FROM sheet_problems) p"
            " WHERE p.line = s.line AND NOT s.refused"
        )

    # Writing

    @property
    def chosen(self) -> str:
        """Return SQL for the rows of s whose turn it is: they change something and nothing is wrong with them."""
        lines = "" if self.among is None else " AND s.line = ANY (%(among)s)"
        return f"{EFFECTIVE} AND {self.only}{lines}"

    @property
    def params(self) -> dict[str, Any]:
        return {} if self.among is None else {"among": self.among}

    @contextmanager
    def narrowed(self, only: str) -> Iterator[None]:
        """Write only these of the chosen rows inside the block."""
        before, self.only = self.only, f"({self.only}) AND ({only})"
        try:
            yield
        finally:
            self.only = before

    def lock(self, model: Any, ids: str) -> None:
        """Lock records that the chosen rows name (SQL on s), in the order of their keys (docs/locking.md)."""
        table = model._meta.db_table
        self.fetch(
            f"""SELECT count(*) FROM (SELECT 1 FROM "{table}" t
            WHERE t.id IN (SELECT {ids} FROM sheet_rows s WHERE {self.chosen})
            ORDER BY t.id FOR NO KEY UPDATE) locked""",
            self.params,
        )

    def write(self) -> None:
        """Change, then insert the chosen rows: what is new may begin where a changed row now ends.

        Raise LinesRefused for rows that end up out of the actor's scope, Refusal for a broken constraint.
        """
        table = f'"{self.model._meta.db_table}"'
        own = [column for column in self.resource.columns().values() if column.name in self.present]
        left = kept_by_others(self.model)
        names = {
            self.field(column.name).column: column.name
            for column in own
            if column.attribute and not column.only_with and self.field(column.name).name not in left
        }
        with in_words():
            if names:
                sets = ", ".join(f'"{name}" = s."e_{name}"' for name in names)
                moment = ", updated_at = statement_timestamp()" if self.has("updated_at") else ""
                self.execute(
                    f"""UPDATE {table} SET {sets}{moment} FROM sheet_rows s
                    WHERE {table}.id = s.pk AND {self.chosen} AND s.stored IS NOT NULL AND s.changes && %(own)s""",
                    {**self.params, "own": list(names.values())},
                )
            fields = fields_of(self.model)
            columns = ", ".join(f'"{field.column}"' for field in fields)
            values = ", ".join(f's."e_{field.column}"' for field in fields)
            kept = [self.model._meta.get_field(name) for name in getattr(self.model, "kept_by_triggers", ())]
            defaults = {f"kept_{field.column}": field.get_db_prep_save(field.get_default(), connection)
                        for field in kept}  # fmt: skip
            for field in kept:
                columns += f', "{field.column}"'
                values += f", %(kept_{field.column})s::{column_type(field)}"
            self.execute(
                f"""INSERT INTO {table} (id, {columns}) SELECT s.pk, {values} FROM sheet_rows s
                WHERE {self.chosen} AND s.stored IS NULL ORDER BY s.line""",
                {**self.params, **defaults},
            )
        self._refuse_outside()

    def pks(self, *, new: bool) -> list[int]:
        """Return the keys of the chosen rows that are (or were) inserted, or whose columns are changed."""
        which = "s.stored IS NULL" if new else "s.stored IS NOT NULL AND s.changes <> '{}'"
        return [
            pk for (pk,) in self.fetch(f"SELECT s.pk FROM sheet_rows s WHERE {self.chosen} AND {which}", self.params)
        ]

    def field(self, name: str) -> Any:
        """Return the model's own field behind a column (of a reference: the foreign key)."""
        attribute = self.resource.columns()[name].attribute
        return self.model._meta.get_field(attribute.split("__")[0])

    def has(self, name: str) -> bool:
        return any(field.name == name for field in self.model._meta.concrete_fields)

    def _refuse_outside(self) -> None:
        """Ask once more, now that the rows are as they are to be: nothing may leave or enter a scope."""
        if self.actor is None:
            return
        editable = literal(self.model.objects.editable_by(self.actor).order_by().values("pk"))
        outside = self.fetch(
            f"""SELECT s.line FROM sheet_rows s WHERE {self.chosen}
            AND NOT EXISTS (SELECT FROM ({editable}) AS editable (id) WHERE editable.id = s.pk)""",
            self.params,
        )
        if outside:
            sentence = _("You may not create or change this record: check the code, or ask who is in charge of it.")
            raise LinesRefused({line: [Reason(sentence, code="out_of_scope")] for (line,) in outside})


# A row that changes something and that nothing is wrong with.
EFFECTIVE = "(s.known AND NOT s.refused AND (s.stored IS NULL OR s.changes <> '{}' OR s.move IS NOT NULL))"
