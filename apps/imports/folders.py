"""A whole clinic as numbered sheets in a folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from django.utils.translation import gettext as _

from apps.common.errors import Reason, Refusal

from .rights import in_order

NAME = re.compile(r"(\d+)_(\w+)\.(csv|xlsx)", re.IGNORECASE)


@dataclass(frozen=True)
class NumberedSheet:
    """A file NN_kind.csv or NN_kind_step.csv."""

    number: int
    kind: str
    path: Path


def numbered_sheets(folder: Path) -> list[NumberedSheet]:
    """Return the sheets of a folder in order; other files are left alone. Raise Refusal for a number without a kind."""
    if not folder.is_dir():
        raise Refusal(Reason(_("%(folder)s is not a folder.") % {"folder": folder}, code="no_folder"))
    # The longest first: employee_tags before employees.
    kinds = sorted(in_order(), key=len, reverse=True)
    found = []
    for path in sorted(folder.iterdir()):
        match = NAME.fullmatch(path.name)
        if match is None or not path.is_file():
            continue
        name = match[2].lower()
        kind = next((kind for kind in kinds if name == kind or name.startswith(f"{kind}_")), None)
        if kind is None:
            raise Refusal(
                Reason(
                    _("%(file)s names no kind of sheet. There are: %(kinds)s.")
                    % {"file": path.name, "kinds": ", ".join(in_order())},
                    code="unknown_kind",
                )
            )
        found.append(NumberedSheet(int(match[1]), kind, path))
    if not found:
        raise Refusal(
            Reason(
                _("%(folder)s holds no sheet named like 01_org_units.csv.") % {"folder": folder}, code="empty_folder"
            )
        )
    return sorted(found, key=lambda sheet: (sheet.number, sheet.path.name))
