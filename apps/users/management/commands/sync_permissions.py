from typing import Any

from django.core.management.base import BaseCommand

from apps.users.groups import sync_groups


class Command(BaseCommand):
    help = "Give each role's group exactly the rights of the permission table. Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        for name, count in sync_groups().items():
            self.stdout.write(f"{name}: {count} permissions")
