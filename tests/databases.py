"""Databases of the tests: the migrated one is made once and copied, for each worker of a run and for the next run.

Migrating from nothing renders every model again for every operation, more than a minute of Python for four seconds of
PostgreSQL. What is copied is what the migrations made: a change of one of them, or of a package, makes it anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import setup_databases, teardown_databases
from psycopg import sql

CHECKOUT = Path(__file__).resolve().parents[1]
# Which worker makes what all of them copy, the others waiting: an advisory lock of the server.
MAKING = 0x4D494752


@contextmanager
def in_database(name: str) -> Iterator[None]:
    """Let the default connection be one to another database of the server meanwhile."""
    before = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before


@contextmanager
def server() -> Iterator[Any]:
    """A cursor that speaks to the server about its databases."""
    with connection._nodb_cursor() as cursor:  # type: ignore[attr-defined]
        yield cursor


@contextmanager
def alone(cursor: Any, lock: int) -> Iterator[None]:
    """Let nobody else of the server do meanwhile what takes the same lock."""
    cursor.execute("SELECT pg_advisory_lock(%s)", [lock])
    try:
        yield
    finally:
        cursor.execute("SELECT pg_advisory_unlock(%s)", [lock])


def create(cursor: Any, name: str, template: str) -> None:
    """Create a database as the copy of another, which nobody may be connected to."""
    drop(cursor, name)
    cursor.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))


def drop(cursor: Any, name: str) -> None:
    cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def mark(cursor: Any, name: str, text: str) -> None:
    """Write down what a database holds, once it holds it."""
    cursor.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(text)))


def is_marked(cursor: Any, name: str, text: str) -> bool:
    cursor.execute(
        "SELECT shobj_description(oid, 'pg_database') = %s FROM pg_database WHERE datname = %s", [text, name]
    )
    return cursor.fetchone() == (True,)


def _what_migrations_say() -> str:
    said = hashlib.sha256()
    for path in sorted(
        (*CHECKOUT.glob("apps/*/migrations/*.py"), CHECKOUT / "apps/common/models.py", CHECKOUT / "uv.lock")
    ):
        said.update(path.read_bytes())
    return said.hexdigest()


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest,
    django_test_environment: None,
    django_db_modify_db_settings: None,
    django_db_blocker: Any,
) -> Iterator[None]:
    """Give this worker its database, migrated."""
    verbosity, said = request.config.option.verbose, _what_migrations_say()
    with django_db_blocker.unblock():
        own = str(connection.creation._get_test_db_name())  # type: ignore[attr-defined]
        migrated = f"test_migrated_{own.removeprefix('test_').partition('_gw')[0]}"
        with server() as cursor, alone(cursor, MAKING):
            is_there = is_marked(cursor, migrated, said)
            if is_there:
                create(cursor, own, migrated)
            databases = setup_databases(verbosity=verbosity, interactive=False, keepdb=is_there)
            if not is_there:
                connection.close()
                create(cursor, migrated, own)
                mark(cursor, migrated, said)
    yield
    with django_db_blocker.unblock():
        teardown_databases(databases, verbosity=verbosity)
