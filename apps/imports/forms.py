"""What is asked before a file is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.text import capfirst
from django.utils.translation import get_language
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget

from .enums import Mode
from .reading import UPLOAD, Options
from .rights import kinds_for

if TYPE_CHECKING:
    from apps.users.models import User

AUTO = ("auto", _("Find out"))


class UploadForm(forms.Form):
    """A file, its kind, and how its texts are meant."""

    kind = forms.ChoiceField(label=_("kind of sheet"), widget=UnfoldAdminSelectWidget())
    file = forms.FileField(
        label=_("file"),
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.txt,.xlsx"}),
    )
    dates = forms.ChoiceField(
        label=_("dates are written as"),
        choices=[("iso", "2026-12-31"), ("dmy", "31/12/2026"), ("mdy", "12/31/2026")],
        help_text=_("Date cells of a workbook need no choice; 2026-12-31 is always understood."),
        widget=UnfoldAdminSelectWidget(),
    )
    decimal = forms.ChoiceField(
        label=_("decimals are written with"),
        choices=[("comma", _("a comma: 36,50")), ("point", _("a point: 36.50"))],
        widget=UnfoldAdminSelectWidget(),
    )
    separator = forms.ChoiceField(
        label=_("cells are separated by"),
        choices=[
            AUTO,
            ("semicolon", _("semicolon ;")),
            ("comma", _("comma ,")),
            ("tab", _("tabulator")),
            ("pipe", "|"),
        ],
        widget=UnfoldAdminSelectWidget(),
    )
    encoding = forms.ChoiceField(
        label=_("encoding"),
        choices=[AUTO, ("utf-8", "UTF-8"), ("windows-1252", "Windows-1252"), ("utf-16", "UTF-16")],
        widget=UnfoldAdminSelectWidget(),
    )
    mode = forms.ChoiceField(
        label=_("if some rows are refused"),
        choices=[(Mode.ALL_OR_NOTHING, _("bring in nothing")), (Mode.GOOD_ROWS, _("bring in the good rows"))],
        widget=UnfoldAdminSelectWidget(),
    )

    def __init__(self, user: User, *args: Any, **kwargs: Any):
        spanish = (get_language() or "es").startswith("es")
        usual = {"dates": "dmy", "decimal": "comma"} if spanish else {"dates": "iso", "decimal": "point"}
        kwargs["initial"] = usual | (kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)
        self.fields["file"].help_text = _now("CSV or XLSX, up to %(size)s MB.") % {"size": UPLOAD.file >> 20}
        kind: Any = self.fields["kind"]
        kind.choices = [
            (name, capfirst(str(resource.model()._meta.verbose_name_plural)))
            for name, resource in kinds_for(user, "import").items()
        ]

    def options(self) -> Options:
        values = self.cleaned_data
        return Options(values["encoding"], values["separator"], values["dates"], values["decimal"])
