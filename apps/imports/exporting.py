"""Export and import buttons for the list of any kind of sheet, under the list's own filters and scope."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from django import forms
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
from django.utils.text import capfirst
from django.utils.translation import get_language, gettext_lazy, override
from django.utils.translation import gettext as _
from unfold.widgets import UnfoldAdminSelectWidget

from apps.audit_log.services import record_export
from apps.common.clock import today
from apps.common.errors import Refusal
from apps.common.resources import SheetResource, resources
from apps.common.walking import number_or_more
from apps.users.permissions import sees_sensitive

from .rights import may
from .writing import (
    FORMATS,
    PLAIN,
    SPANISH_EXCEL,
    Style,
    rows_for,
    table_csv,
    table_csv_lines,
    table_xlsx,
    write_csv,
    write_xlsx,
)

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin as Screen

    from apps.users.models import User
else:
    Screen = object

logger = logging.getLogger("coveris.exports")
MOST_ROWS = 50_000
LOOKS = Media(css={"all": ["imports/sheets.css"]})


class ExportForm(forms.Form):
    """The shape of a file to take out."""

    STYLES = {
        "xlsx": gettext_lazy("Excel workbook (XLSX)"),
        "csv": gettext_lazy("CSV for this program and others (UTF-8, comma, ISO dates)"),
        "csv-excel": gettext_lazy("CSV for Excel in Spanish (semicolon, decimal comma, dd/mm/yyyy)"),
    }

    shape = forms.ChoiceField(
        label=gettext_lazy("format"), choices=list(STYLES.items()), widget=UnfoldAdminSelectWidget()
    )

    @property
    def format(self) -> str:
        return self.cleaned_data["shape"].partition("-")[0]

    @property
    def style(self) -> Style:
        return SPANISH_EXCEL if self.cleaned_data["shape"] == "csv-excel" else PLAIN


class SheetExportMixin(Screen):
    """Adds “Export” (what the list shows, filtered) and “Import” to a screen whose model has a kind of sheet.

    Put it before BaseAdmin.
    """

    change_list_template = "imports/list_tools.html"

    @property
    def media(self) -> Media:
        return super().media + LOOKS

    def sheet_resource(self) -> type[SheetResource] | None:
        return next((one for one in resources().values() if one.model() is self.model), None)

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        return [path("export/", self.admin_site.admin_view(self.export_view), name=name), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {**self.sheet_links(request), **(extra_context or {})})

    def sheet_links(self, request: HttpRequest, *, keep: tuple[str, ...] | None = None) -> dict[str, str]:
        """Return the addresses of the two buttons, for imports/sheet_links.html; `keep` names the list's parameters."""
        resource = self.sheet_resource()
        links: dict[str, str] = {}
        if resource is not None and may(_person(request), "export", resource):
            query = request.GET.copy()
            for name in set(query) - set(query if keep is None else keep):
                del query[name]
            link = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_export")
            links["sheet_export_url"] = f"{link}?{query.urlencode()}"
        if resource is not None and may(_person(request), "import", resource):
            links["sheet_import_url"] = f"{reverse('admin:imports_importjob_add')}?kind={resource.sheet}"
        return links

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """Show what would be exported; a POST gives the file."""
        if request.method not in ("GET", "HEAD", "POST"):
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        kind = self.sheet_resource()
        if kind is None or not may(_person(request), "export", kind):
            raise PermissionDenied
        resource = kind()
        try:
            rows = rows_for(resource, _person(request), self._filtered(request))
        except IncorrectLookupParameters:
            # The list says so itself.
            address = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
            return HttpResponseRedirect(f"{address}?{request.GET.urlencode()}")
        except Refusal as refusal:
            raise PermissionDenied from refusal
        # No further than it matters: of a large part of the organisation each row is looked at.
        count = rows.order_by()[: MOST_ROWS + 1].count()
        form = ExportForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            if count <= MOST_ROWS:
                return self._file(request, resource, rows, form, count)
            form.add_error(
                "shape",
                _("At most %(rows)s rows go into one file: filter the list first.") % {"rows": MOST_ROWS},
            )
        back = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        hidden = any(column.sensitive for column in resource.columns().values())
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": LOOKS,
            "title": _("Export"),
            "subtitle": capfirst(str(self.opts.verbose_name_plural)),
            "form": form,
            "count": count,
            "too_many": number_or_more(count, MOST_ROWS) if count > MOST_ROWS else "",
            "masked": hidden and not sees_sensitive(_person(request)),
            "query": request.GET.urlencode(),
            "back": f"{back}?{request.GET.urlencode()}",
        }
        return TemplateResponse(request, "imports/export.html", context)

    def _filtered(self, request: HttpRequest) -> Any:
        """Return the rows of the list as its filters and search leave them, all pages of it."""
        changelist = self.get_changelist_instance(request)
        return changelist.get_queryset(request)

    def _file(
        self, request: HttpRequest, resource: SheetResource, rows: Any, form: ExportForm, count: int
    ) -> HttpResponse:
        user = _person(request)
        if form.format == "xlsx":
            content = write_xlsx(resource, rows, user=user)
        else:
            content = b"".join(write_csv(resource, rows, user=user, style=form.style))
        return answer_file(request, content, kind=resource.sheet, format=form.format, rows=count)


def answer_file(request: HttpRequest, content: bytes, *, kind: str, format: str, rows: int) -> HttpResponse:
    """Return the answer that hands a file out, on record with who took it, how many rows and by which filters."""
    _note(request, kind=kind, format=format, rows=rows)
    return _as_file(HttpResponse(content, content_type=FORMATS[format]), kind, format)


def _note(request: HttpRequest, *, kind: str, format: str, rows: int) -> None:
    record_export(
        actor=request.user, what=kind, format=format, rows=rows, page=request.path, filters=request.GET.urlencode()
    )
    logger.info("export kind=%s user=%s rows=%s filter=%s", kind, request.user.pk, rows, sorted(request.GET))


def _as_file[File: HttpResponseBase](response: File, kind: str, format: str) -> File:
    response["Content-Disposition"] = f'attachment; filename="{kind}_{today()}.{format}"'
    response["Cache-Control"] = "no-store"
    return response


def answer_table(
    request: HttpRequest, rows: Iterable[Sequence[Any]], *, title: str, kind: str, format: str = "csv"
) -> HttpResponse:
    """Return the answer that hands out a table which is no kind of sheet; its first row is the header.

    A CSV is written as spreadsheets in the reader's language expect it.
    """
    table = list(rows)
    if format == "xlsx":
        content = table_xlsx(title, table)
    else:
        spanish = (get_language() or "").startswith("es")
        content = table_csv(table, style=SPANISH_EXCEL if spanish else PLAIN)
    return answer_file(request, content, kind=kind, format=format, rows=len(table) - 1)


def stream_table(
    request: HttpRequest, rows: Iterable[Sequence[Any]], *, rows_told: int, kind: str
) -> StreamingHttpResponse:
    """Return the answer that hands out a CSV of any length while its rows are read; the first one is the header.

    `rows_told` is how many there are, for the record of what was taken out. The language is the reader's throughout.
    """
    language = get_language() or "en"
    style = SPANISH_EXCEL if language.startswith("es") else PLAIN

    def lines() -> Iterator[bytes]:
        # The middleware has let go of the language by the time the file is read.
        source = table_csv_lines(rows, style=style)
        while True:
            with override(language):
                if (some := next(source, None)) is None:
                    return
            yield some

    _note(request, kind=kind, format="csv", rows=rows_told)
    return _as_file(StreamingHttpResponse(lines(), content_type=FORMATS["csv"]), kind, "csv")


def _person(request: HttpRequest) -> User:
    """Return who is logged in; the admin lets nobody else in."""
    return cast("User", request.user)
