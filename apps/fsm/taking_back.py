"""The way back through the door: what one deed moved returns to the state before it, and the log says so.

Only the undo of an import comes here. It puts back the rows themselves (apps.imports.undoing), the status among their
other columns; the guards, the rules and what else follows from a transition are not asked, for nothing new is done.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connection

from .moves import TAKE_BACK

if TYPE_CHECKING:
    from apps.users.models import User

# Who moved in the deed, with the state before it; who moves without an entry of the deed (written past the door) by the
# states themselves; and what the deed made, which goes to no state at all. One entry each.
LOG = """
    INSERT INTO {log} (subject_id, subject_code, from_status, to_status, transition, actor_id, reason, metadata)
    SELECT target.id, COALESCE(code.subject_code, ''), subject.status, target.status, %(move)s, %(actor)s::uuid,
           %(reason)s, %(metadata)s::jsonb
    FROM (
        SELECT DISTINCT ON (id) id, status FROM (
            SELECT l.subject_id, '', 1 FROM {log} l JOIN {made} m ON m.id = l.subject_id WHERE l.deed = %(deed)s
            UNION ALL
            SELECT b.id, b.status, 2 FROM {before} b JOIN {table} s ON s.id = b.id WHERE s.status <> b.status
            UNION ALL
            (SELECT DISTINCT ON (l.subject_id) l.subject_id, l.from_status, 3 FROM {log} l
             WHERE l.deed = %(deed)s AND l.transition = ANY(%(moves)s) ORDER BY l.subject_id, l.id)
        ) AS found (id, status, rank) ORDER BY id, rank
    ) target
    JOIN {table} subject ON subject.id = target.id
    LEFT JOIN LATERAL (
        SELECT l.subject_code FROM {log} l WHERE l.subject_id = target.id ORDER BY l.id DESC LIMIT 1
    ) code ON true
    ORDER BY target.id
"""


def take_back(
    model: Any,
    *,
    deed: UUID,
    made: str,
    before: str,
    actor: User | None,
    reason: str,
    metadata: Mapping[str, Any],
) -> int:
    """Log the way back of each row of the model that a deed moved, and return how many.

    Call it inside the undo's transaction, with the rows locked and before they are put back. `made` and `before` are
    relations of it: the ids of the rows the deed made, and the others as they were before.
    """
    log = model._meta.get_field("transition_logs").related_model._meta.db_table
    sql = LOG.format(log=log, table=model._meta.db_table, made=made, before=before)
    with connection.cursor() as cursor:
        cursor.execute(
            sql,
            {
                "deed": deed,
                "move": TAKE_BACK.name,
                "moves": list(model.machine.by_name),
                "actor": actor.pk if actor is not None else None,
                "reason": reason,
                "metadata": json.dumps(metadata),
            },
        )
        return cursor.rowcount
