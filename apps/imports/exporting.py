"""Export and import buttons for lists, under each list's own filters and scope."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from asgiref.sync import sync_to_async
from django import forms
from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.forms import Media
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import get_language, gettext_lazy, override
from django.utils.translation import gettext as _
from unfold.widgets import UnfoldAdminSelectWidget

from apps.common.admin.scope import Screen
from apps.common.clock import today
from apps.common.errors import Refusal
from apps.common.resources import SheetResource, resources
from apps.common.walking import number_or_more
from apps.users.permissions import sees_sensitive

from .lists import SHAPES, Out, SheetOut, format_of, list_out
from .rights import may, may_take_out
from .taking_out import AT_ONCE, come_to_an_end, most_rows, note_taken_out, request_export
from .writing import FORMATS, PLAIN, SPANISH_EXCEL, rows_for, table_csv_lines, table_xlsx_pieces

if TYPE_CHECKING:
    from apps.users.models import User

MOST_ROWS = 50_000  # of a table that is answered at once though it is no list
LOOKS = Media(css={"all": ["imports/sheets.css"]})


class ExportForm(forms.Form):
    """The shape of a file to take out."""

    shape = forms.ChoiceField(
        label=gettext_lazy("format"), choices=list(SHAPES.items()), widget=UnfoldAdminSelectWidget()
    )


class PieceByPiece(StreamingHttpResponse):
    """A file that is handed out while it is written.

    Django's own answer would first gather all pieces where the server is asynchronous and what writes them is not.
    """

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = iter(cast("Iterator[bytes]", self.streaming_content))
        following = sync_to_async(lambda: next(pieces, None))
        while (piece := await following()) is not None:
            yield piece


class ListExportMixin(Screen):
    """Adds “Export” to a screen: what its list shows, as it is filtered, in the columns the list has.

    Put it before BaseAdmin. A worker writes what is long, with this same screen and the same address.
    """

    change_list_template = "imports/list_tools.html"
    export_name = "export"  # where a screen has another page of this name, a different one

    @property
    def media(self) -> Media:
        return super().media + LOOKS

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_{self.export_name}"
        view = self.admin_site.admin_view(self.list_export_view)
        return [path(f"{self.export_name}/", view, name=name), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {**self.sheet_links(request), **(extra_context or {})})

    def sheet_links(self, request: HttpRequest, *, keep: tuple[str, ...] | None = None) -> dict[str, str]:
        """Return the address of the button, for imports/sheet_links.html; `keep` names the list's parameters."""
        if not self.may_export(request):
            return {}
        query = request.GET.copy()
        for name in set(query) - set(query if keep is None else keep):
            del query[name]
        link = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{self.export_name}")
        return {"sheet_export_url": f"{link}?{query.urlencode()}"}

    def may_export(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and may_take_out(_person(request), self.model)

    def exported(self, request: HttpRequest) -> Out:
        """Return what is taken out; raise PermissionDenied, or IncorrectLookupParameters for filters of no meaning.

        Asked by whoever looks at the list, and again by the worker that writes it, as that person.
        """
        if not self.may_export(request):
            raise PermissionDenied
        return self.out_of(request)

    def out_of(self, request: HttpRequest) -> Out:
        return list_out(self, request, self.filtered(request))

    def filtered(self, request: HttpRequest) -> Any:
        """Return the rows of the list as its filters and search leave them, all pages of it."""
        changelist = self.get_changelist_instance(request)
        if getattr(changelist, "where_error", None):
            raise IncorrectLookupParameters
        return changelist.get_queryset(request)

    def list_export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Show what would be taken out; a POST gives the file, or has a worker write it."""
        if request.method not in ("GET", "HEAD", "POST"):
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        back = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        address = f"{back}?{request.GET.urlencode()}"
        try:
            out = self.exported(request)
        except IncorrectLookupParameters:
            # The list says so itself.
            return HttpResponseRedirect(address)
        except Refusal as refusal:
            raise PermissionDenied from refusal
        # No further than it matters: of a large part of the organisation each row is looked at.
        count = out.rows.order_by()[: AT_ONCE + 1].count()
        form = ExportForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            shape = form.cleaned_data["shape"]
            if count <= AT_ONCE:
                return answer_pieces(
                    request, out.pieces(shape), kind=out.kind, format=format_of(shape), rows=count
                )  # fmt: skip
            try:
                job = request_export(
                    listed=self.model, kind=out.kind, query=request.GET.urlencode(), shape=shape, actor=_person(request)
                )
            except Refusal as refusal:
                for sentence in refusal.explain():
                    form.add_error("shape", sentence)
            else:
                remember(request, job.pk)
                return HttpResponseRedirect(reverse("admin:imports_exportjob_change", args=[job.pk]))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": LOOKS,
            "title": _("Export"),
            "subtitle": capfirst(str(self.opts.verbose_name_plural)),
            "form": form,
            "count": count,
            "too_many": number_or_more(count, AT_ONCE) if count > AT_ONCE else "",
            "most": {shape: number_format(most_rows(shape), force_grouping=True) for shape in ("csv", "xlsx")},
            "comes_back": isinstance(out, SheetOut),
            "masked": out.hides and not sees_sensitive(_person(request)),
            "query": request.GET.urlencode(),
            "back": address,
        }
        return TemplateResponse(request, "imports/export.html", context)


class SheetExportMixin(ListExportMixin):
    """Adds “Export” and “Import” to a screen whose model has a kind of sheet: what goes out can come back.

    Put it before BaseAdmin.
    """

    def sheet_resource(self) -> type[SheetResource] | None:
        return next((one for one in resources().values() if one.model() is self.model), None)

    def may_export(self, request: HttpRequest) -> bool:
        resource = self.sheet_resource()
        return resource is not None and may(_person(request), "export", resource)

    def sheet_links(self, request: HttpRequest, *, keep: tuple[str, ...] | None = None) -> dict[str, str]:
        links = super().sheet_links(request, keep=keep)
        resource = self.sheet_resource()
        if resource is not None and may(_person(request), "import", resource):
            links["sheet_import_url"] = f"{reverse('admin:imports_importjob_add')}?kind={resource.sheet}"
        return links

    def out_of(self, request: HttpRequest) -> Out:
        kind = self.sheet_resource()
        if kind is None:
            raise PermissionDenied
        resource, user = kind(), _person(request)
        return SheetOut(resource, rows_for(resource, user, self.filtered(request)), user)


def answer_pieces(
    request: HttpRequest, pieces: Iterable[bytes], *, kind: str, format: str, rows: int
) -> StreamingHttpResponse:
    """Return the answer that hands a file out while it is written, on record with who, how many rows, which filters.

    The language is the reader's throughout: the middleware has let go of it by the time the file is written.
    """
    language = get_language() or "en"

    def spoken() -> Iterator[bytes]:
        source = iter(pieces)
        while True:
            with override(language):
                if (piece := next(source, None)) is None:
                    return
            yield piece

    _note(request, kind=kind, format=format, rows=rows)
    return as_file(PieceByPiece(spoken(), content_type=FORMATS[format]), kind, format)


def answer_table(
    request: HttpRequest, rows: Iterable[Sequence[Any]], *, title: str, kind: str, format: str = "csv"
) -> HttpResponse:
    """Return the answer that hands out a table which is no kind of sheet; its first row is the header.

    A CSV is written as spreadsheets in the reader's language expect it.
    """
    table = list(rows)
    if format == "xlsx":
        content = b"".join(table_xlsx_pieces(title, table))
    else:
        content = b"".join(table_csv_lines(table, style=_style_read_here()))
    _note(request, kind=kind, format=format, rows=len(table) - 1)
    return as_file(HttpResponse(content, content_type=FORMATS[format]), kind, format)


def stream_table(
    request: HttpRequest, rows: Iterable[Sequence[Any]], *, rows_told: int, kind: str
) -> StreamingHttpResponse:
    """Return the answer that hands out a CSV of any length while its rows are read; the first one is the header.

    `rows_told` is how many there are, for the record of what was taken out.
    """
    return answer_pieces(
        request, table_csv_lines(rows, style=_style_read_here()), kind=kind, format="csv", rows=rows_told
    )


def as_file[File: HttpResponseBase](response: File, kind: str, format: str) -> File:
    """Name the file an answer is, and keep it out of every cache."""
    response["Content-Disposition"] = f'attachment; filename="{kind}_{today()}.{format}"'
    response["Cache-Control"] = "no-store"
    return response


# A file that is ready is told on the next page of whoever asked for it.
WAITED_FOR = "exports_waited_for"


def remember(request: HttpRequest, job: int) -> None:
    """Have the person told when the file is ready."""
    request.session[WAITED_FOR] = [*request.session.get(WAITED_FOR, ()), job][-20:]


def forget_waiting(request: HttpRequest, job: int) -> None:
    """Tell nothing more of a file: the person has seen what became of it."""
    if job in (waiting := request.session.get(WAITED_FOR, ())):
        request.session[WAITED_FOR] = [one for one in waiting if one != job]


def tell_what_is_ready(request: HttpRequest) -> None:
    """Say, as a message, which of the files somebody waits for came to an end; no query for who waits for none."""
    session = getattr(request, "session", None)
    if session is None or not session.get(WAITED_FOR):
        return
    for job in come_to_an_end(session[WAITED_FOR], _person(request)):
        forget_waiting(request, job.pk)
        said = _("A file could not be made: %(file)s.") if job.failure else _("Your file is ready: %(file)s.")
        page = reverse("admin:imports_exportjob_change", args=[job.pk])
        messages.info(request, format_html('<a class="underline" href="{}">{}</a>', page, said % {"file": job}))


def _note(request: HttpRequest, *, kind: str, format: str, rows: int) -> None:
    note_taken_out(
        actor=_person(request), kind=kind, format=format, rows=rows, page=request.path, filters=request.GET.urlencode()
    )


def _style_read_here() -> Any:
    return SPANISH_EXCEL if (get_language() or "").startswith("es") else PLAIN


def _person(request: HttpRequest) -> User:
    """Return who is logged in; the admin lets nobody else in."""
    return cast("User", request.user)
