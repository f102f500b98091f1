"""History written by the database: django-simple-history's tables, filled by statement-level triggers.

Whatever writes (a form, bulk_update, COPY, raw SQL) leaves one row a changed row, signed with what `acting` told
the database. The library's models and pages stay the way to read it; its signals are off.
"""

from typing import Any

import pgtrigger
from django.db import models
from simple_history.models import HistoricalRecords

from .triggers import StatementTrigger, changed_rows

UNRECORDED = ("created_at", "updated_at")
DEED = "NULLIF(current_setting('coveris.deed', true), '')::uuid"


class Origin(models.Model):
    """Where a change came from: admin, import, undo, command, task, api; "sql" when nobody said.

    `deed` is what the writes of one import, or of one undo, have in common.
    """

    origin = models.CharField(max_length=32, default="sql", editable=False)
    deed = models.UUIDField(null=True, editable=False)

    class Meta:
        abstract = True


class _Records(HistoricalRecords):
    """History with the indexes it is asked by: the record, what it hangs on, who did it, and the deed.

    Few rows belong to a deed, and those are asked for all at once. By its moments the timeline walks it, with an index
    of its own; nobody looks a code up in history, and every write would pay for it.
    """

    def copy_fields(self, model: Any) -> dict[str, Any]:
        fields: dict[str, Any] = super().copy_fields(model)
        for field in fields.values():
            if not field.is_relation and field.name != model._meta.pk.name:
                field.db_index = False
        return fields

    def get_meta_options(self, model: Any) -> dict[str, Any]:
        index = models.Index(
            fields=["deed"], name=f"deed_{model._meta.model_name}"[:30], condition=models.Q(deed__isnull=False)
        )
        return {**super().get_meta_options(model), "indexes": [index]}


def records(excluded_fields: tuple[str, ...] = (), **options: Any) -> HistoricalRecords:
    """Return the history of a model. Excluded fields are neither kept nor compared."""
    return _Records(
        bases=[Origin],
        user_db_constraint=False,
        excluded_fields=[*UNRECORDED, *excluded_fields],
        **options,
    )


class HistoryTrigger(StatementTrigger):
    """Copy the changed rows of one statement into the model's history table."""

    def get_func(self, model: Any) -> str:
        # By name: the autodetector compiles against migration-state models, which have no `.history`.
        history = model._meta.apps.get_model(model._meta.app_label, f"Historical{model._meta.object_name}")
        own = {field.column for field in model._meta.concrete_fields}
        columns = [f.column for f in history._meta.concrete_fields if f.column in own]
        quoted = ", ".join(f'"{column}"' for column in columns)
        mark, source = {
            "insert": ("+", "new_rows n"),
            "delete": ("-", "old_rows n"),
            "update": ("~", f"({changed_rows(columns, new=True)}) n"),
        }[self.verb]
        new = ", ".join(f'n."{column}"' for column in columns)
        return f"""
            INSERT INTO "{history._meta.db_table}" ({quoted}, "history_date", "history_type",
                "history_user_id", "history_change_reason", "origin", "deed")
            SELECT {new}, clock.at, '{mark}',
                NULLIF(current_setting('coveris.actor', true), '')::uuid,
                NULLIF(current_setting('coveris.reason', true), ''),
                COALESCE(NULLIF(current_setting('coveris.origin', true), ''), 'sql'),
                {DEED}
            FROM (SELECT clock_timestamp() AS at OFFSET 0) clock, {source};
            RETURN NULL;
        """


def history_triggers() -> list[pgtrigger.Trigger]:
    """Return the three triggers for a model's Meta.triggers."""
    return [
        HistoryTrigger(name="history_insert", operation=pgtrigger.Insert),
        HistoryTrigger(name="history_update", operation=pgtrigger.Update),
        HistoryTrigger(name="history_delete", operation=pgtrigger.Delete),
    ]
