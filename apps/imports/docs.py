"""docs/sheets.md, printed from the declarations so that it cannot drift."""

from __future__ import annotations

from django.utils.translation import override

from apps.common.resources import VERSION, VERSION_SPANISH, Column, Reference, References, SheetResource
from apps.users.enums import Role
from apps.users.permissions import rights_of

from .reading import DATES, DECIMALS, ENCODINGS, SEPARATORS, UPLOAD
from .rights import in_order

HEAD = """\
# Sheets

Printed from the declarations by `./run manage print_sheets`; a test compares.

CSV or XLSX, the same columns out as in. Header names are these or their Spanish ones, whatever the case, accents and
blanks; their order is free; an unknown column is named and refused, until
somebody says on the page what it is or leaves it aside. **Bold** columns are the key: they decide whether a
row is new. A column that is absent leaves the value as it is, an empty cell clears it, rows absent from the sheet are
untouched. Lists in a cell are separated by `|`. A status is never a column: `transition` names one transition, `reason`
says why. `{version}` ({version_spanish}) is written by exports: with it, a row somebody changed meanwhile is shown and
not overwritten. Rows of one sheet may name each other in any order.

Read as picked: encoding {encodings} or found out; separator {separators} or found out; dates {dates} (ISO is always
understood); decimals {decimals}. Uploads: {size} MB, {rows} rows, {columns} columns; the commands take more.

For a whole clinic: {order}; then employees again with `transition` = activate once they hold a contract, and with other
transitions in the end.
"""


def print_sheets() -> str:
    """Return the page."""
    kinds = in_order()
    with override("en"):
        parts = [
            HEAD.format(
                version=VERSION,
                version_spanish=VERSION_SPANISH,
                encodings=", ".join(ENCODINGS),
                separators=", ".join(SEPARATORS),
                dates=", ".join(DATES),
                decimals=", ".join(DECIMALS),
                size=UPLOAD.file >> 20,
                rows=f"{UPLOAD.rows:,}",
                columns=UPLOAD.columns,
                order=", ".join(kinds),
            )
        ]
        parts += [_section(resource) for resource in kinds.values()]
    return "\n".join(parts)


def _section(resource: type[SheetResource]) -> str:
    label, verb = resource.permission("import")
    roles = [role.value for role in Role if verb in rights_of(role).get(label, ())]
    lines = [
        f"## {resource.sheet} ({resource.spanish})",
        "",
        f"Brought in by {', '.join(roles)}.",
        "",
        "| Column | Spanish | Holds | |",
        "|---|---|---|---|",
    ]
    for column in resource.columns().values():
        name = f"**{column.name}**" if column.key else column.name
        lines.append(f"| {name} | {column.spanish} | {_type_of(column)} | {_remarks(resource, column)} |")
    return "\n".join(lines) + "\n"


def _type_of(column: Column) -> str:
    if isinstance(column, Reference | References):
        what = str(column.model._meta.verbose_name)
        return f"codes of: {what}" if isinstance(column, References) else f"{column.lookup} of a {what}"
    choices = getattr(column.widget, "choices", None)
    if choices:
        return ", ".join(value for value, _label in choices)
    return str(column.widget.name)


def _remarks(resource: type[SheetResource], column: Column) -> str:
    remarks = []
    if column.required and column.meaning(None, resource.model()) in (None, "", ()):
        remarks.append("needed")
    if column.sensitive:
        remarks.append("hidden below MANAGER")
    if column.only_with:
        remarks.append(f"only with {', '.join(column.only_with)}")
    return "; ".join(remarks)
