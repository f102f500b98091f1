"""Print docs/sheets.md."""

from typing import Any

from django.core.management.base import BaseCommand

from apps.imports.docs import print_sheets


class Command(BaseCommand):
    help = "Print the columns of every kind of sheet as docs/sheets.md."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(print_sheets(), ending="")
