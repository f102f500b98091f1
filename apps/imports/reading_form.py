"""How one sheet was read, as a form to correct it: shown on an import's page, and read back from there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget

from apps.common.resources import VERSION, SheetResource, resources

from .corrections import Correction
from .mapping import ASIDE, FileColumn, file_columns
from .models import ImportJob, ImportPart
from .parts import LONGEST_NAME
from .reading import Options
from .rights import kinds_for

if TYPE_CHECKING:
    from apps.users.models import User

AUTO = ("auto", _("Find out"))
# What a list of choices says of leaving a column or a sheet aside.
LEAVE = "-"
DATES = (("iso", "2026-12-31"), ("dmy", "31/12/2026"), ("mdy", "12/31/2026"))
DECIMALS = (("comma", _("a comma: 36,50")), ("point", _("a point: 36.50")))
SEPARATORS = (
    AUTO, ("semicolon", _("semicolon ;")), ("comma", _("comma ,")), ("tab", _("tabulator")), ("pipe", "|"),
)  # fmt: skip
ENCODINGS = (AUTO, ("utf-8", "UTF-8"), ("windows-1252", "Windows-1252"), ("utf-16", "UTF-16"))


def kind_choices(user: User) -> list[tuple[str, str]]:
    """Return the kinds of sheet a user may bring in, as people call them."""
    return [(kind, kind_label(resource)) for kind, resource in kinds_for(user, "import").items()]


def kind_label(resource: type[SheetResource]) -> str:
    return capfirst(str(resource.model()._meta.verbose_name_plural))


class ReadingForm(forms.Form):
    """How one sheet was read, to be corrected: its kind, how it is written, which column is which."""

    def __init__(self, user: User, sheet: ImportJob | ImportPart, *args: Any, **kwargs: Any):
        self.sheet = sheet
        self.is_part = isinstance(sheet, ImportPart)
        kwargs["prefix"] = f"sheet{sheet.place if isinstance(sheet, ImportPart) else 0}"
        super().__init__(*args, **kwargs)
        self.head = sheet.options.get("head", {})
        self._add_kind(user)
        self._add_writing()
        self.columns: list[FileColumn] = []
        self._natural: list[FileColumn] = []
        if (resource := resources().get(sheet.kind)) is not None and self.head.get("header"):
            self._add_columns(resource)

    def _add_kind(self, user: User) -> None:
        choices = kind_choices(user)
        value = self.sheet.kind
        if isinstance(self.sheet, ImportPart):
            choices = [*choices, (LEAVE, _now("leave this sheet aside"))]
            value = LEAVE if self.sheet.is_left_aside else value
        if value not in dict(choices):
            choices = [("", _now("– choose –")), *choices]
            value = ""
        self.fields["kind"] = _choice(_("kind of sheet"), choices, value, required=False)
        if isinstance(self.sheet, ImportPart):
            self.fields["turn"] = forms.IntegerField(
                label=_("turn"), min_value=1, max_value=999, initial=self.sheet.place,
                widget=UnfoldAdminIntegerFieldWidget(),
            )  # fmt: skip
        elif len(names := [name for name in self.head.get("sheets", []) if len(name) <= LONGEST_NAME]) > 1:
            self.fields["sheet"] = _choice(_("sheet of the workbook"), [(name, name) for name in names],
                                           self.head["sheet"])  # fmt: skip

    def _add_writing(self) -> None:
        picked = self.sheet.options.get("picked", Options().as_dict())
        self.fields["dates"] = _choice(_("dates are written as"), DATES, picked["dates"])
        self.fields["decimal"] = _choice(_("decimals are written with"), DECIMALS, picked["decimal"])
        if self.head.get("format") != "xlsx":
            self.fields["separator"] = _choice(
                _("cells are separated by"), _found(SEPARATORS, self.head.get("separator")), picked["separator"]
            )
            self.fields["encoding"] = _choice(
                _("encoding"), _found(ENCODINGS, self.head.get("encoding")), picked["encoding"]
            )

    def _add_columns(self, resource: type[SheetResource]) -> None:
        header = self.head["header"]
        self._natural = file_columns(resource, header, {})
        sample = self.head.get("sample", [])
        choices = [*((name, column.label) for name, column in resource.columns().items()), (VERSION, VERSION)]
        aside = (LEAVE, _now("leave aside"))
        for one in file_columns(resource, header, self.sheet.options.get("mapping", {})):
            if one.how == "nameless" and not any(one.place < len(row) and row[one.place][0] for row in sample):
                continue  # nothing in it, as far as one sees: an edge of the sheet
            self.columns.append(one)
            value = LEAVE if one.how == "aside" else one.column or ""
            open_still = [] if value else [("", _now("– choose –"))]
            self.fields[f"column{one.place}"] = _choice(
                one.title or one.key, [*open_still, *choices, aside], value, required=False
            )

    def column_rows(self) -> list[dict[str, Any]]:
        """Return the columns of the file with their fields and first values, as the page shows them."""
        resource = resources().get(self.sheet.kind)
        labels = {name: column.label for name, column in resource.columns().items()} if resource else {}
        return [
            {
                "title": one.title,
                "place": one.place + 1,
                "how": one.how,
                "field": self[f"column{one.place}"],
                "suggestion": labels.get(one.suggestion or "", ""),
                "values": [row[one.place] if one.place < len(row) else [""] for row in self.head.get("sample", [])],
            }
            for one in self.columns
        ]

    def correction(self) -> Correction:
        """Return what was said. Columns that are what their name says are left to their name."""
        values = self.cleaned_data
        picked = self.sheet.options.get("picked", Options().as_dict())
        kind = values["kind"]
        said = self.sheet.kind if kind in (LEAVE, "") else kind
        return Correction(
            kind=said,
            options=Options(**{name: values.get(name) or picked[name] for name in picked}),
            # What was said of columns was said of the kind that is no longer meant.
            mapping=self._mapping() if said == self.sheet.kind else {},
            sheet=values.get("sheet", ""),
            turn=values.get("turn", 0),
            is_left_aside=kind == LEAVE,
        )

    def _mapping(self) -> dict[str, str]:
        mapping = {}
        for one in self.columns:
            value, natural = self.cleaned_data.get(f"column{one.place}", ""), self._natural[one.place]
            if value == LEAVE and natural.how != "aside":
                mapping[one.key] = ASIDE
            elif value not in ("", LEAVE, natural.column):
                mapping[one.key] = value
        return mapping


def _choice(
    label: Any, choices: Sequence[tuple[str, Any]], initial: str, *, required: bool = True
) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label, choices=list(choices), initial=initial, widget=UnfoldAdminSelectWidget(), required=required
    )


def _found(choices: Sequence[tuple[str, Any]], found: str | None) -> list[tuple[str, Any]]:
    """Return the choices with what was found out beside finding out."""
    label = dict(choices).get(found or "")
    if label is None or found == "auto":
        return list(choices)
    return [("auto", _now("Find out (found: %(found)s)") % {"found": label}), *choices[1:]]
