"""Rows that name what an earlier sheet of the same import was to bring and what was refused there: told as such."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _

from apps.common.resources import Reference, References, SheetResource
from apps.common.staging import StagedSheet

from .problems import MOST_TOLD, Error


class RefusedElsewhere:
    """The keys of new records that were refused, by what they are; of kinds that others name by one code."""

    def __init__(self) -> None:
        self._keys: dict[str, dict[str, str]] = {}  # label of the model → key → sheet

    def add(self, resource: SheetResource, sheet: StagedSheet, name: str) -> None:
        """Take in what a sheet was to bring and does not."""
        if len(resource.key_columns()) > 1:
            return
        keys = sheet.fetch(
            f"SELECT key FROM sheet_rows WHERE refused AND stored IS NULL AND key <> '' LIMIT {MOST_TOLD}"
        )
        known = self._keys.setdefault(resource.model()._meta.label_lower, {})
        known.update((key, name) for (key,) in keys)

    def tell(self, errors: Sequence[Error], resource: SheetResource) -> None:
        """Say of a code that is unknown only because its row was refused that this row is to be corrected first."""
        columns = resource.columns()
        for error in errors:
            column = columns.get(error["column"])
            if error["code"] != "unknown_reference" or not isinstance(column, Reference | References):
                continue
            keys = self._keys.get(column.model._meta.label_lower, {})
            codes = error["value"].split("|") if isinstance(column, References) else [error["value"]]
            if (code := next((code.strip() for code in codes if code.strip() in keys), None)) is not None:
                error["code"] = "refused_reference"
                sentence = _("“%(code)s” is to come with “%(sheet)s” and is refused there: correct it first.")
                error["message"] = sentence % {
                    "code": code, "sheet": keys[code],
                }  # fmt: skip
