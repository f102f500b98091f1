"""The field of a status."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django_fsm import FSMField


class StatusField(FSMField):
    """A status that nothing but a transition changes; migrations know it as the text it is.

    The library's field listens for every model that is prepared. Migrations prepare thousands, and each of their copies
    of the field would listen on: half of the time of setting up a database.
    """

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, _path, args, options = super().deconstruct()
        options.pop("protected", None)
        return name, "django.db.models.CharField", args, options
