"""Keep locale/es in step with the code, without tools of the system."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation.template import templatize

PLACES = ("apps", "project", "worker")
KEYWORDS = {
    "_": None,
    "_now": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
CALL = re.compile(r"""\b(?:n?p?gettext|_) ?\((?:[^()"']|u?"(?:\\.|[^"\\])*"|u?'(?:\\.|[^'\\])*')*\)""")


def translated(message: Any) -> bool:
    """Say whether a message has its Spanish, in every number it comes in."""
    return all(message.string) if isinstance(message.string, tuple | list) else bool(message.string)


class Command(BaseCommand):
    help = "Collect what people read into locale/es, compile it, and say what still lacks Spanish. Needs the dev group."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; fail if anything is missing or stale")

    def handle(self, *args: Any, **options: Any) -> None:
        from babel.messages.mofile import write_mo
        from babel.messages.pofile import read_po, write_po

        folder = Path(settings.LOCALE_PATHS[0]) / "es" / "LC_MESSAGES"
        po, mo = folder / "django.po", folder / "django.mo"
        with po.open("rb") as file:
            catalog = read_po(file, locale="es")
        wanted = self.collected()
        # The date of collection stays out, or the compiled file would differ from one minute to the next.
        catalog.update(wanted, no_fuzzy_matching=True, update_creation_date=False)
        catalog.obsolete.clear()
        missing = [str(message.id) for message in catalog if message.id and (message.fuzzy or not translated(message))]
        compiled = BytesIO()
        write_mo(compiled, catalog)
        if options["check"]:
            if mo.read_bytes() != compiled.getvalue():
                raise CommandError("locale/es is out of step with the code: run manage.py translations.")
        else:
            with po.open("wb") as file:
                write_po(file, catalog, width=120, sort_output=True, no_location=True)
            mo.write_bytes(compiled.getvalue())
        if missing:
            raise CommandError("Without Spanish:\n" + "\n".join(f"  {text}" for text in missing))
        self.stdout.write(f"{len(catalog)} messages, all in Spanish")

    def collected(self) -> Any:
        """Return everything in the code and the templates that people read."""
        from babel.messages.catalog import Catalog
        from babel.messages.extract import extract

        catalog = Catalog(project="Coveris", charset="utf-8")
        for place in PLACES:
            for path in sorted((Path(settings.BASE_DIR) / place).rglob("*")):
                if "migrations" in path.parts or path.suffix not in {".py", ".html", ".txt"}:
                    continue
                source = path.read_text(encoding="utf-8")
                if path.suffix != ".py":
                    # Django's own reader of templates gives Python-like calls between blotted-out text.
                    source = "\n".join(match[0] for match in CALL.finditer(templatize(source)))
                for _line, message, _comments, context in extract(
                    "python", BytesIO(source.encode()), KEYWORDS, options={"encoding": "utf-8"}
                ):
                    catalog.add(message, context=context, flags=["python-format"] if "%(" in str(message) else [])
        return catalog
