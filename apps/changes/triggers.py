"""Triggers that leave marks: declared in a model's Meta.triggers."""

from collections.abc import Mapping
from typing import Any

import pgtrigger

from apps.common.triggers import StatementTrigger, changed_rows, columns_of

CHANNEL = "coveris_marks"
# A mark of somebody else among so many before one's own, and this young, has rung already (see worker.relay).
NEAR, RUNG_MILLISECONDS = 32, 50


class MarkTrigger(StatementTrigger):
    """Mark the subjects a statement touched, and ring the relay once the transaction commits if nobody just did.

    `subjects` maps a mark kind to the column that holds the subject's id; an update marks both the old and the new
    one, and only where a watched column changed (None = any column).
    """

    def __init__(self, *, subjects: Mapping[str, str], watch: tuple[str, ...] | None = None, **options: Any):
        self.subjects = subjects
        self.watch = watch
        super().__init__(declare=[("last_mark", "bigint")], **options)

    def get_func(self, model: Any) -> str:
        tables = {"insert": ["new_rows"], "delete": ["old_rows"], "update": ["now_rows", "then_rows"]}[self.verb]
        union = " UNION ".join(
            f"SELECT '{kind}', \"{column}\" FROM {table}" for kind, column in self.subjects.items() for table in tables
        )
        changed = ""
        if self.verb == "update":
            watched = [model._meta.pk.column, *self.subjects.values(), *columns_of(model, self.watch)]
            changed = (
                f"WITH now_rows AS ({changed_rows(watched, new=True)}),"
                f" then_rows AS ({changed_rows(watched, new=False)}) "
            )
        return f"""
            {changed}INSERT INTO "changes_mark" ("kind", "subject_id")
            SELECT kind, subject FROM ({union}) AS touched (kind, subject) WHERE subject IS NOT NULL;
            IF FOUND THEN
                -- Commits that notify wait for each other, so under load few do: whoever sees that another was here a
                -- moment ago relies on the relay, which looks again after every bell. The last mark stands in a
                -- variable and the range has two ends: only so is it read by the index and not all marks looked at.
                last_mark := currval('changes_mark_id_seq');
                IF NOT EXISTS (
                    SELECT FROM "changes_mark"
                    WHERE id BETWEEN last_mark - {NEAR} AND last_mark AND created_at < statement_timestamp()
                      AND created_at > clock_timestamp() - interval '{RUNG_MILLISECONDS} ms'
                ) THEN PERFORM pg_notify('{CHANNEL}', ''); END IF;
            END IF;
            RETURN NULL;
        """


def mark_triggers(
    *, watch: tuple[str, ...] | None = None, name: str = "mark", **subjects: str
) -> list[pgtrigger.Trigger]:
    """Return the three triggers, e.g. `mark_triggers(employee="employee_id", watch=("starts_on", "ends_on"))`.

    A model that marks two kinds for different columns names the second three.
    """
    return [
        MarkTrigger(name=f"{name}_{verb}", operation=operation, subjects=subjects, watch=watch)
        for verb, operation in (
            ("insert", pgtrigger.Insert),
            ("update", pgtrigger.Update),
            ("delete", pgtrigger.Delete),
        )
    ]
