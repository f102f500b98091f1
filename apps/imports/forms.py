"""What is asked before files are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget

from .enums import Mode
from .reading import UPLOAD, Options
from .reading_form import DATES, DECIMALS, ENCODINGS, SEPARATORS, kind_choices

if TYPE_CHECKING:
    from apps.users.models import User

USUAL = ""


def usual_options() -> dict[str, str]:
    """Return how dates and decimals are written where a person's language is spoken."""
    spanish = (get_language() or "es").startswith("es")
    return {"dates": "dmy", "decimal": "comma"} if spanish else {"dates": "iso", "decimal": "point"}


class FilesWidget(UnfoldAdminFileFieldWidget):
    """One file or several."""

    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Several files, each looked at as a single one would be."""

    widget = FilesWidget

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        given = data if isinstance(data, list | tuple) else [data]
        return [super(FilesField, self).clean(one, initial) for one in given] or [super().clean(None, initial)]


class UploadForm(forms.Form):
    """Files, their kind, and how their texts are meant. What is left as usual may begin as the last time."""

    kind = forms.ChoiceField(label=_("kind of sheet"), widget=UnfoldAdminSelectWidget(), required=False)
    file = FilesField(
        label=_("files"),
        widget=FilesWidget(attrs={"accept": ".csv,.txt,.xlsx", "multiple": True, "data-drop": _("Or drop them here.")}),
    )
    dates = forms.ChoiceField(
        label=_("dates are written as"),
        help_text=_("Date cells of a workbook need no choice; 2026-12-31 is always understood."),
        widget=UnfoldAdminSelectWidget(),
        required=False,
    )
    decimal = forms.ChoiceField(label=_("decimals are written with"), widget=UnfoldAdminSelectWidget(), required=False)
    separator = forms.ChoiceField(
        label=_("cells are separated by"), choices=SEPARATORS, widget=UnfoldAdminSelectWidget()
    )
    encoding = forms.ChoiceField(label=_("encoding"), choices=ENCODINGS, widget=UnfoldAdminSelectWidget())
    mode = forms.ChoiceField(
        label=_("if some rows are refused"),
        choices=[(Mode.ALL_OR_NOTHING, _("bring in nothing")), (Mode.GOOD_ROWS, _("bring in the good rows"))],
        widget=UnfoldAdminSelectWidget(),
    )

    def __init__(self, user: User, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields
        fields["file"].help_text = _now(
            "CSV or XLSX, one or several, up to %(size)s MB together. All sheets of a workbook may come in at once."
        ) % {"size": UPLOAD.file >> 20}
        fields["kind"].choices = [("", _now("Find out, of each sheet")), *kind_choices(user)]
        fields["kind"].help_text = _now("By its name or its columns; you see what was found out and can correct it.")
        for name, choices in (("dates", DATES), ("decimal", DECIMALS)):
            usual = dict(choices)[usual_options()[name]]
            fields[name].choices = [(USUAL, _now("As usual: %(usual)s") % {"usual": usual}), *choices]

    def options(self) -> Options:
        """Return how the files are to be read."""
        values = self.cleaned_data
        usual = usual_options()
        return Options(
            values["encoding"], values["separator"], values["dates"] or usual["dates"],
            values["decimal"] or usual["decimal"],
        )  # fmt: skip

    def open_options(self) -> list[str]:
        """Return what nobody picked."""
        values = self.cleaned_data
        return [name for name in ("encoding", "separator", "dates", "decimal") if values[name] in (USUAL, "auto")]
