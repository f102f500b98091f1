"""Work of one kind that is held while somebody is at it: by a lock of the session, which a killed worker leaves."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def held(kind: int, pk: int) -> Iterator[bool]:
    """Hold one piece of work (`kind` is the class of its locks); yield whether it could be had."""
    lock = [kind, pk % 2**31]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", lock)
        (is_held,) = cursor.fetchone()
    try:
        yield is_held
    finally:
        if is_held:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", lock)
