"""Who can log in at the demo clinic."""

from typing import Any

from django.core.management.base import BaseCommand

from apps.users.models import User
from fixtures.demo.people import LOGINS


class Command(BaseCommand):
    help = "Print the logins of the demo clinic, one a line: role, e-mail, password. Nothing without the demo."

    def handle(self, *args: Any, **options: Any) -> None:
        users = User.objects.in_bulk([person.email for person in LOGINS], field_name="email")
        for person in LOGINS:
            user = users.get(person.email)
            if user is not None and user.is_active:
                password = person.password if user.check_password(person.password) else "(changed since)"
                self.stdout.write(f"{user.role:<10}  {user.email:<42}  {password}")
