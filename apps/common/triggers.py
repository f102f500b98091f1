"""Statement-level triggers. Row-level ones cost tens of times more on bulk writes (measured); small tables may.

None of them joins old_rows with new_rows: a connection plans a trigger's statements once, for the few rows of its
first call, and a nested loop for one row is quadratic for ten thousand (20,000 took minutes). EXCEPT is not.
"""

from typing import Any

import pgtrigger

VERBS: dict[Any, str] = {pgtrigger.Insert: "insert", pgtrigger.Update: "update", pgtrigger.Delete: "delete"}


class StatementTrigger(pgtrigger.Trigger):
    """A trigger that runs once a statement and sees its rows as the tables old_rows and new_rows."""

    level = pgtrigger.Statement
    when = pgtrigger.After

    def __init__(self, *, operation: Any, **options: Any):
        old = None if operation is pgtrigger.Insert else "old_rows"
        new = None if operation is pgtrigger.Delete else "new_rows"
        super().__init__(operation=operation, referencing=pgtrigger.Referencing(old=old, new=new), **options)

    @property
    def verb(self) -> str:
        return VERBS[self.operation]


def changed_rows(columns: list[str], *, new: bool) -> str:
    """Return SQL for the rows of an update that differ in these columns, as they are now or as they were.

    The key is to be among the columns.
    """
    names = ", ".join(f'"{name}"' for name in dict.fromkeys(columns))
    one, other = ("new_rows", "old_rows") if new else ("old_rows", "new_rows")
    return f"SELECT {names} FROM {one} EXCEPT SELECT {names} FROM {other}"


def columns_of(model: Any, names: tuple[str, ...] | None = None) -> list[str]:
    """Return the column names of a model's concrete fields, in order; of the named fields if names are given."""
    fields = model._meta.concrete_fields
    return [field.column for field in fields if names is None or field.name in names or field.column in names]


class LoggedRowsStay(StatementTrigger):
    """Refuse to delete rows that a log tells about, as its foreign key would; the undo of an import alone may.

    `logs` are the columns that name the row, as table.column. A log keeps the ids of what an undo took away, so it has
    no foreign key that could refuse.
    """

    def __init__(self, *, logs: tuple[str, ...], **options: Any):
        self.logs = logs
        super().__init__(operation=pgtrigger.Delete, **options)

    def get_func(self, model: Any) -> str:
        key = model._meta.pk.column
        columns = [column.split(".") for column in self.logs]
        told = " OR ".join(
            f'EXISTS (SELECT FROM old_rows o JOIN "{table}" l ON l."{column}" = o."{key}")' for table, column in columns
        )
        return f"""
            IF COALESCE(current_setting('coveris.origin', true), '') <> 'undo' AND ({told}) THEN
                RAISE EXCEPTION 'rows of {model._meta.db_table} that a log tells about cannot be deleted'
                    USING ERRCODE = 'foreign_key_violation', TABLE = '{model._meta.db_table}';
            END IF;
            RETURN NULL;
        """


def stays_while_logged(*logs: str) -> pgtrigger.Trigger:
    """Return the trigger that keeps rows of which these columns of logs (table.column) tell."""
    return LoggedRowsStay(name="stays_while_logged", logs=logs)


def append_only(name: str = "append_only") -> pgtrigger.Trigger:
    """Return the trigger that refuses to change or remove rows of a log."""
    return pgtrigger.Protect(name=name, operation=pgtrigger.Update | pgtrigger.Delete)
