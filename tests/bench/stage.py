"""The database of a size: made once by the code it was made with, and used again by later runs."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from tests.databases import in_database

from . import data
from .harness import Report

CHECKOUT = Path(__file__).resolve().parents[2]


def _mark() -> str:
    """Return what tells the tables and rows of this checkout from those of any other.

    The timeline is a view that nothing here is measured on: a change of it is no reason to load anew.
    """
    told = hashlib.sha256()
    migrations = [path for path in CHECKOUT.glob("apps/*/migrations/*.py") if "audit_log" not in path.parts]
    for path in sorted([*migrations, Path(data.__file__)]):
        told.update(path.read_bytes())
    return told.hexdigest()[:10]


def _server() -> psycopg.Connection[Any]:
    base = dict(settings.DATABASES["default"])
    return psycopg.connect(
        host=base["HOST"], port=base["PORT"] or None, user=base["USER"], password=base["PASSWORD"], dbname=base["NAME"],
        autocommit=True,
    )  # fmt: skip


@contextmanager
def copied() -> Iterator[None]:
    """Connect Django to a copy of the database it is in, which may be written to: it is dropped in the end."""
    name = connection.settings_dict["NAME"]
    copy = f"{name}_copy"
    connection.close()
    with _server() as raw:
        raw.execute(f'DROP DATABASE IF EXISTS "{copy}" WITH (FORCE)')
        raw.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{name}" STRATEGY FILE_COPY')
    try:
        with in_database(copy):
            yield
    finally:
        with _server() as raw:
            raw.execute(f'DROP DATABASE "{copy}" WITH (FORCE)')


def enter(size: str, report: Report) -> None:
    """Connect Django to the loaded database of a size; drop those that older code left."""
    name = f"bench_{size}_{_mark()}"
    base = dict(settings.DATABASES["default"])
    with _server() as raw:
        found = [
            row[0] for row in raw.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [f"bench_{size}_%"])
        ]
        for old in found:
            if old != name:
                raw.execute(f'DROP DATABASE "{old}" WITH (FORCE)')
        half_made = f"{name}_loading"
        if name not in found:
            raw.execute(f'CREATE DATABASE "{half_made}"')
    connection.close()
    connection.settings_dict["NAME"] = name if name in found else half_made
    if name not in found:
        begun = time.perf_counter()
        report.say(f"loading size {size} …")
        call_command("migrate", verbosity=0)
        data.load(data.SIZES[size])
        connection.close()
        connection.settings_dict["NAME"] = base["NAME"]
        with connection.cursor() as cursor:
            cursor.execute(f'ALTER DATABASE "{half_made}" RENAME TO "{name}"')
        connection.close()
        connection.settings_dict["NAME"] = name
        report.say(f"loaded in {time.perf_counter() - begun:.0f} s")
    as_measured()


def as_measured() -> None:
    """Set up the session: one processor a statement, and no compiling that other sessions would not do."""
    with connection.cursor() as cursor:
        cursor.execute("SET max_parallel_workers_per_gather = 0")
        cursor.execute("SET jit = off")
