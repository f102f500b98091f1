"""Bring the database into step with the code: what a start needs, in one process."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management import BaseCommand, CommandError, CommandParser, call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from apps.org.models import OrgUnit
from apps.users.enums import Role
from apps.users.models import User
from apps.users.services import create_user
from project.settings import environment as env

PREPARING = 0xC07E_5115  # the advisory lock that lets one installation's containers prepare one after another


class Command(BaseCommand):
    help = (
        "Migrate, bring permissions and reference data into step, create the superuser of SUPERUSER_EMAIL, "
        "and fill an empty database with the demo clinic. Safe to run again, also from several places at once."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--empty", action="store_true", help="leave the demo clinic out of an empty database")
        parser.add_argument("--people", action="store_true", help="print the demo people in the end")

    def handle(self, *args: Any, empty: bool, people: bool, **options: Any) -> None:
        with one_at_a_time():
            self._migrate()
            self._run("sync_permissions")
            self._run("load_reference")
            self._create_superuser()
            if settings.COVERIS_DEMO and not empty and not OrgUnit.objects.exists():
                self._say("an empty database: loading the demo clinic")
                self._run("load_demo")
            self._say("the database is prepared")
        if people:
            call_command("demo_people", stdout=self.stdout)

    def _say(self, text: str) -> None:
        self.stderr.write(f"prepare: {text}")
        self.stderr.flush()

    def _run(self, name: str) -> None:
        """Run a command with its output among the progress; standard output is for the demo people alone."""
        call_command(name, stdout=self.stderr)

    def _migrate(self) -> None:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if plan:
            self._say(f"bringing the database's structure into step: {len(plan)} migrations")
        # Also with nothing to apply: triggers, permissions and content types are synchronised after it.
        call_command("migrate", interactive=False, verbosity=0, stdout=self.stderr)

    def _create_superuser(self) -> None:
        email = env.text("SUPERUSER_EMAIL", "")
        if not email or User.objects.filter(email__iexact=email).exists():
            return
        password = env.text("SUPERUSER_PASSWORD", "")
        if not password:
            raise CommandError("SUPERUSER_PASSWORD is missing: SUPERUSER_EMAIL asks for a first user.")
        names = {
            "given_name": env.text("SUPERUSER_GIVEN_NAME", "Coveris"),
            "family_name": env.text("SUPERUSER_FAMILY_NAME", "Administrator"),
        }
        try:
            validate_password(password, User(email=email, **names))
        except ValidationError as error:
            raise CommandError(f"SUPERUSER_PASSWORD is refused: {' '.join(error.messages)}") from error
        try:
            create_user(email=email, password=password, role=Role.ADMIN, actor=None, **names)
        except ValidationError as error:
            raise CommandError(f"SUPERUSER_EMAIL is refused: {' '.join(error.messages)}") from error
        self._say(f"created the user {email}")


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold an advisory lock of the database, so that several starts prepare it in turn."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [PREPARING])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [PREPARING])
