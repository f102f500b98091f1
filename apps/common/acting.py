"""Who is doing this, why and through which door, told to the database so that its triggers can sign the history."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import connection, models, transaction
from django.db.models.functions import Cast, NullIf

from .prepared import Statement

KEYS = ("coveris.actor", "coveris.reason", "coveris.origin", "coveris.deed")
READ = "SELECT " + ", ".join(f"current_setting('{key}', true)" for key in KEYS)
PLACES = [key.replace(".", "_") for key in KEYS]
WRITE = "SELECT " + ", ".join(
    f"set_config('{key}', %({place})s, true)" for key, place in zip(KEYS, PLACES, strict=True)
)


def signing(values: Sequence[str | None]) -> Statement:
    """Return the statement that has writes from now on signed by actor (""= the system), reason and origin."""
    return WRITE, dict(zip(PLACES, (value or "" for value in values), strict=True))


def current_deed() -> Cast:
    """Return the deed under way as a column's default, so that whatever writes a row carries it."""
    setting = models.Func(models.Value("coveris.deed"), models.Value(True), function="current_setting")
    return Cast(NullIf(setting, models.Value("")), models.UUIDField())


@contextmanager
def acting(actor: Any, reason: str = "", origin: str = "", *, deed: UUID | None = None) -> Iterator[None]:
    """Open a transaction whose writes are signed by the actor (None = the system).

    Nested calls sign their own writes only. An empty origin keeps the outer one. `deed` names all writes of one deed
    that may be taken back as a whole; what is nested in it belongs to it, whatever it says itself. The outer values
    are written back on success, because a released savepoint keeps inner settings; on error the rollback restores
    them.
    """
    actor_id = str(actor.pk) if actor is not None and getattr(actor, "pk", None) else ""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(READ)
            outer = [value or "" for value in cursor.fetchone()]
            named = outer[3] or (str(deed) if deed is not None else "")
            cursor.execute(*signing([actor_id, reason or outer[1], origin or outer[2], named]))
        yield
        with connection.cursor() as cursor:
            cursor.execute(*signing(outer))
