"""The demo clinic, dates relative to today."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.assignments.models import Assignment
from apps.common.clock import today
from apps.org.models import Employee, OrgUnit, Position
from apps.tags.models import TagCatalog
from apps.users.models import User
from fixtures.demo.people import HEADS, LOGINS
from fixtures.demo.sheets import rows_of
from fixtures.demo.story import STORY


class Command(BaseCommand):
    help = (
        "Fill an empty database with the demo clinic: a private hospital and the last four months of its life, "
        "relative to today, with one login a role whose passwords everybody knows. A second run changes nothing; "
        "a database that holds another clinic is refused."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if demo_is_here():
            self.stdout.write("load_demo: the demo clinic is here already; nothing was changed")
            return
        self._refuse_foreign_clinic()
        STORY.tell(today())
        self.stdout.write(
            f"load_demo: {OrgUnit.objects.count()} units, {Position.objects.count()} positions, "
            f"{Employee.objects.count()} employees, {Assignment.objects.count()} assignments"
        )

    def _refuse_foreign_clinic(self) -> None:
        for model in (OrgUnit, Employee):
            if (row := model.objects.order_by("pk").first()) is not None:
                raise CommandError(
                    f"This database holds another clinic ({model._meta.verbose_name} {row}): nothing was loaded. "
                    "Use an empty database for the demo (./run reset empties the local one)."
                )
        emails = [person.email for person in (*LOGINS, *HEADS)]
        if (user := User.objects.filter(email__in=emails).first()) is not None:
            raise CommandError(f"There is a user {user.email} of the demo without its clinic: nothing was loaded.")
        if not TagCatalog.objects.exists():
            raise CommandError("The reference data is missing: run load_reference first.")


def demo_is_here() -> bool:
    """Say whether this database's clinic is the demo, as it was loaded or as people changed it since."""
    root = rows_of("10_org_units")[0]
    return (
        OrgUnit.objects.filter(code=root["code"], name=root["name"]).exists()
        and User.objects.filter(email__in=[person.email for person in LOGINS]).exists()
    )
