"""A deed that asks for something first: a page of its own, shown in a <dialog> over the page where scripts run.

GET shows the form and writes nothing; POST does the deed. A refusal comes back in the same form with what was typed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction
from django.forms import Media
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from ..database_errors import explain_database_error
from ..errors import ConfirmationNeeded, Refusal
from .writes import CONFIRMED
from .writes import digest_of as digest_of

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin as Screen
else:
    Screen = object

# What our own pages load. A screen's whole media has scripts that expect the pages of a list or a form.
PAGE_MEDIA = Media(js=["coveris/js/dialogs.js", "coveris/js/preview.js"])
IN_DIALOG = "X-Coveris-Dialog"
GO_TO = "X-Coveris-Location"
BACK = "back"
FORBIDDEN, OVERTAKEN = frozenset({"forbidden", "out_of_scope"}), frozenset({"wrong_state", "missing"})


class DateInput(UnfoldAdminTextInputWidget):
    """The browser's own calendar: works with the keyboard, needs no script, always posts ISO dates."""

    input_type = "date"

    def format_value(self, value: Any) -> str | None:
        return value.isoformat() if hasattr(value, "isoformat") else value


def date_field(**options: Any) -> forms.DateField:
    return forms.DateField(widget=DateInput(), input_formats=["%Y-%m-%d"], **options)


def text_field(**options: Any) -> forms.CharField:
    return forms.CharField(widget=UnfoldAdminTextareaWidget({"rows": 3}), max_length=2_000, **options)


def choice_field(choices: Sequence[Any], **options: Any) -> forms.ChoiceField:
    empty = [] if options.get("required") else [("", "–")]
    return forms.ChoiceField(choices=[*empty, *choices], widget=UnfoldAdminSelectWidget(), **options)


@dataclass
class Dialog:
    """What a dialog says and asks. `back` is where the person goes afterwards."""

    title: Any
    submit: Any
    back: str
    fields: Mapping[str, forms.Field] = field(default_factory=dict)
    about: Any = ""  # whom or what it is done to
    help: Any = ""
    lines: Sequence[Any] = ()  # what it will do
    change: Any = ""  # badges: from → to
    panel: Any = ""  # what it would do, as HTML that watches the form's fields
    danger: bool = False
    hidden: Mapping[str, str] = field(default_factory=dict)
    template: str = "common/dialog_body.html"
    extra: Mapping[str, Any] = field(default_factory=dict)

    def form(self, data: Any = None) -> forms.Form:
        form = forms.Form(data, auto_id="dialog_%s")
        form.use_required_attribute = False
        # Copies, for a field keeps its errors and bound widget no longer than its form.
        form.fields = {name: _copy(item) for name, item in self.fields.items()}
        if form.fields:
            next(iter(form.fields.values())).widget.attrs["autofocus"] = True
        return form


def _copy(item: forms.Field) -> forms.Field:
    copied: forms.Field = item.__deepcopy__({})
    return copied


# Done with the cleaned values; returns the sentence that says it is done.
DialogDeed = Callable[[dict[str, Any], bool], Any]


class Dialogs(Screen):
    """Adds `run_dialog` to a screen."""

    @property
    def media(self) -> Media:
        return super().media + PAGE_MEDIA

    def back_from(self, request: HttpRequest, otherwise: str) -> str:
        """Return where the person came from, if that is an address of ours."""
        back = request.POST.get(BACK) or request.GET.get(BACK) or ""
        safe = url_has_allowed_host_and_scheme(back, None) and back.startswith("/")
        return back if safe else otherwise

    def response_post_save_add(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:
        return self._back_or(request, super().response_post_save_add(request, obj))

    def response_post_save_change(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:
        return self._back_or(request, super().response_post_save_change(request, obj))

    def _back_or(self, request: HttpRequest, otherwise: HttpResponseRedirect) -> HttpResponseRedirect:
        """Return to the page whose link led to the form, where there was one."""
        back = self.back_from(request, "")
        return HttpResponseRedirect(back) if back else otherwise

    def run_dialog(self, request: HttpRequest, dialog: Dialog, deed: DialogDeed) -> HttpResponse:
        """Show the dialog, or do the deed and go back with what it says, or on to the page it returns.

        Warnings are shown with a button that confirms exactly them.
        """
        if request.method in ("GET", "HEAD"):
            return self.show_dialog(request, dialog, dialog.form())
        if request.method != "POST":
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        form = dialog.form(request.POST)
        if not form.is_valid():
            return self.show_dialog(request, dialog, form)
        try:
            said = self._confirmed_deed(request, deed, form.cleaned_data)
        except ConfirmationNeeded as warning:
            return self.show_dialog(request, dialog, form, warning=warning)
        except Refusal as refusal:
            codes = {reason.code for reason in refusal.reasons}
            status = 403 if codes & FORBIDDEN else 409 if codes & OVERTAKEN else 200
            return self.show_dialog(request, dialog, form, refusal=refusal, status=status)
        if isinstance(said, HttpResponse):
            return said
        messages.success(request, said)
        if request.headers.get(IN_DIALOG):
            return HttpResponse(status=204, headers={GO_TO: dialog.back})
        return HttpResponseRedirect(dialog.back)

    def _confirmed_deed(self, request: HttpRequest, deed: DialogDeed, values: dict[str, Any]) -> Any:
        try:
            return in_savepoint(deed, values, False)
        except ConfirmationNeeded as warning:
            if request.POST.get(CONFIRMED) != digest_of(warning):
                raise
        return in_savepoint(deed, values, True)

    def show_dialog(
        self,
        request: HttpRequest,
        dialog: Dialog,
        form: forms.Form | None,
        *,
        refusal: Refusal | None = None,
        warning: ConfirmationNeeded | None = None,
        status: int = 200,
    ) -> HttpResponse:
        """Return the dialog as a fragment for the script, as a whole page otherwise. Without form: only the no."""
        fragment = bool(request.headers.get(IN_DIALOG))
        if refusal is not None and form is not None:
            _attach(form, refusal)
        context = {
            **({} if fragment else self.admin_site.each_context(request)),
            "opts": self.opts,
            "title": dialog.title,
            "subtitle": None,
            "dialog": dialog,
            "form": form if status == 200 or warning else None,
            "refusal": refusal,
            "warning": warning,
            "confirmed_name": CONFIRMED,
            "confirmation": digest_of(warning) if warning else "",
            "action": request.get_full_path(),
            "back_name": BACK,
            "fragment": fragment,
            "media": PAGE_MEDIA,
            **dialog.extra,
        }
        template = dialog.template if fragment else "common/dialog_page.html"
        response = TemplateResponse(request, template, context, status=status)
        response["Cache-Control"] = "no-store"
        response["Vary"] = IN_DIALOG
        return response


def in_savepoint(deed: DialogDeed, values: dict[str, Any], confirmed: bool) -> Any:
    """Do the deed wholly or not at all; every kind of “no” leaves as a Refusal."""
    try:
        with transaction.atomic():
            return deed(values, confirmed)
    except ValidationError as error:
        raise Refusal(" ".join(error.messages)) from error
    except DatabaseError as error:
        if (reason := explain_database_error(error)) is None:
            raise
        raise Refusal(reason) from error


def with_back(url: str, back: str) -> str:
    """Return an address that knows where to return to."""
    return f"{url}?{urlencode({BACK: back})}"


def _attach(form: forms.Form, refusal: Refusal) -> None:
    for reason in refusal.reasons:
        if reason.field in form.fields:
            form.fields[reason.field].widget.attrs["aria-invalid"] = "true"
