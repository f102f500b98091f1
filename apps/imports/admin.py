"""Sheets on the screen: upload, preview, confirm, result."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.forms import Media
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from apps.business_rules.admin.words import page_of, sentence_of
from apps.business_rules.models import RuleViolation
from apps.common.admin import ReadOnlyAdmin
from apps.common.admin.dialogs import PAGE_MEDIA, Dialog, Dialogs, text_field
from apps.common.badges import Tone, badge, two_lines
from apps.common.errors import Refusal

from .blank import template_xlsx
from .enums import JobState, Mode
from .export_admin import ExportJobAdmin as ExportJobAdmin
from .exporting import ListExportMixin
from .forms import UploadForm
from .models import ImportJob
from .rights import in_order, kinds_for
from .services import (
    AT_ONCE,
    PREVIEW_LIFE,
    UNDER_WAY,
    NotConfirmed,
    abandon,
    cancel,
    confirm,
    preview,
    request_confirm,
    request_preview,
    undo_import,
    upload,
)
from .shown import impact_shown, progress_shown
from .undoing import may_undo, opened_by
from .writing import FORMATS

if TYPE_CHECKING:
    from apps.users.models import User

TONES = {
    JobState.UPLOADED: Tone.BLUE,
    JobState.READING: Tone.BLUE,
    JobState.APPLYING: Tone.BLUE,
    JobState.PREVIEWED: Tone.YELLOW,
    JobState.APPLIED: Tone.GREEN,
    JobState.UNDONE: Tone.GREY,
    JobState.REFUSED: Tone.RED,
    JobState.ABANDONED: Tone.GREY,
}
# Our pages need none of the scripts of Django's forms and lists.
LOOKS = PAGE_MEDIA + Media(css={"all": ["imports/sheets.css"]})
SEPARATOR_LABELS = {
    "comma": gettext_lazy("comma ,"),
    "semicolon": gettext_lazy("semicolon ;"),
    "tab": gettext_lazy("tabulator"),
    "pipe": "|",
}
ERRORS_SHOWN, CHANGES_SHOWN, WARNINGS_SHOWN, OPENED_SHOWN = 300, 200, 100, 20


@admin.register(ImportJob)
class ImportJobAdmin(ListExportMixin, Dialogs, ReadOnlyAdmin):
    """Imports, one's own (all of them for an ADMIN)."""

    icon = "upload_file"
    list_display = ("sheet", "state_shown", "counts", "user", "created_at")
    list_filter = ("state", "kind")
    list_select_related = ("user", "undone_by")
    search_fields = ("file_name",)
    ordering = ("-id",)
    sortable_anyway = ()

    # Who may

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(kinds_for(_person(request), "import")) and request.user.has_perm("imports.add_importjob")

    def get_urls(self) -> list[Any]:
        def view(name: str, method: Any) -> Any:
            return path(
                f"<path:object_id>/{name}/", self.admin_site.admin_view(method), name=f"imports_importjob_{name}"
            )

        template = path(
            "template/<slug:kind>/", self.admin_site.admin_view(self.template_view), name="imports_importjob_template"
        )
        return [
            view("confirm", self.confirm_view),
            view("abandon", self.abandon_view),
            view("refused", self.refused_view),
            view("cancel", self.cancel_view),
            view("undo", self.undo_view),
            template,
            *super().get_urls(),
        ]

    # The list

    @display(description=gettext_lazy("sheet"))
    def sheet(self, obj: ImportJob) -> str:
        return two_lines(obj.file_name, _kind_label(obj.kind))

    @display(description=gettext_lazy("state"), ordering="state")
    def state_shown(self, obj: ImportJob) -> str:
        return badge(obj.get_state_display(), TONES[JobState(obj.state)])

    @display(description=gettext_lazy("rows"))
    def counts(self, obj: ImportJob) -> str:
        return _("%(created)s created, %(updated)s updated, %(unchanged)s unchanged, %(refused)s refused") % {
            "created": obj.created, "updated": obj.updated, "unchanged": obj.unchanged, "refused": obj.refused,
        }  # fmt: skip

    # Upload

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask for a file; a posted one is read at once and its preview shown."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            form = UploadForm(_person(request), request.POST, request.FILES)
            if form.is_valid():
                try:
                    job = upload(
                        file=form.cleaned_data["file"],
                        kind=form.cleaned_data["kind"],
                        actor=_person(request),
                        options=form.options(),
                        mode=form.cleaned_data["mode"],
                    )
                    if form.cleaned_data["file"].size <= AT_ONCE:
                        preview(job=job, actor=_person(request))
                    else:
                        request_preview(job=job, actor=_person(request))
                except Refusal as refusal:
                    for sentence in refusal.explain():
                        form.add_error("file", sentence)
                else:
                    return HttpResponseRedirect(reverse("admin:imports_importjob_change", args=[job.pk]))
        else:
            form = UploadForm(_person(request), initial={"kind": request.GET.get("kind", "")})
        kinds = [
            (kind, capfirst(str(resource.model()._meta.verbose_name_plural)), list(resource.columns().values()))
            for kind, resource in kinds_for(_person(request), "import").items()
        ]
        return self._page(
            request, "imports/upload.html", {"form": form, "kinds": kinds, "title": _("Bring a sheet in")}
        )

    # Preview and result: one page

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        job = self._job(request, object_id)
        open_still = job.state in (JobState.UPLOADED, JobState.PREVIEWED)
        under_way = progress_shown(job) if job.state in UNDER_WAY else None
        stale = open_still and job.created_at < timezone.now() - PREVIEW_LIFE
        good = job.options.get("good", {})
        errors = job.errors
        resource = in_order().get(job.kind)
        labels = {name: column.label for name, column in resource.columns().items()} if resource else {}
        by_line: dict[int, list[dict[str, Any]]] = {}
        for error in errors[:ERRORS_SHOWN]:
            label = labels.get(error["column"], error["column"])
            by_line.setdefault(error["line"], []).append({**error, "column": label})
        changes = [
            {**change, "cells": {labels.get(name, name): cell for name, cell in change["cells"].items()}}
            for change in job.options.get("changes", [])[:CHANGES_SHOWN]
        ]
        warnings = job.options.get("warnings", [])
        whole = job.mode == Mode.ALL_OR_NOTHING
        opened = opened_by(job, _person(request)) if job.state == JobState.UNDONE else None
        broken = list(opened.select_related("rule")[: OPENED_SHOWN + 1]) if opened is not None else []
        is_owner = job.user_id == request.user.pk
        may_confirm = (
            is_owner and job.state == JobState.PREVIEWED and not stale and bool(job.options.get("read_as"))
            and not (whole and errors) and bool(job.created + job.updated)
        )  # fmt: skip
        return self._page(
            request,
            "imports/job.html",
            {
                "title": _kind_label(job.kind),
                "subtitle": job.file_name,
                "job": job,
                "state": badge(job.get_state_display(), TONES[JobState(job.state)]),
                "is_open": open_still and not stale,
                "is_stale": stale,
                "under_way": under_way,
                "failure": job.options.get("failure", ""),
                "is_owner": is_owner,
                "may_confirm": may_confirm,
                "opened": [(sentence_of(one), page_of(RuleViolation, one.pk)) for one in broken[:OPENED_SHOWN]],
                "opened_more": len(broken) > OPENED_SHOWN,
                "may_undo": job.state == JobState.APPLIED and job.deed is not None and may_undo(job, _person(request)),
                "whole": whole,
                "good": good,
                "read_as": job.options.get("read_as", {}),
                "separator": SEPARATOR_LABELS.get(job.options.get("read_as", {}).get("separator", ""), ""),
                "has_refused_rows": is_owner and job.refused_rows is not None,
                "impact": impact_shown(job.impact),
                "errors_by_line": sorted(by_line.items()),
                "errors_total": len(errors),
                "errors_hidden": max(0, len(errors) - ERRORS_SHOWN),
                "changes": changes,
                "changes_hidden": max(0, sum(good.get(name, 0) for name in ("created", "updated")) - CHANGES_SHOWN),
                "warnings": warnings[:WARNINGS_SHOWN],
                "warnings_hidden": max(0, len(warnings) - WARNINGS_SHOWN),
                "confirmation": job.options.get("confirmation", ""),
                "until": job.created_at + timedelta(minutes=60),
            },
        )

    def confirm_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        job = self._posted(request, object_id)
        page = HttpResponseRedirect(reverse("admin:imports_importjob_change", args=[job.pk]))
        if len(job.content or b"") > AT_ONCE:
            try:
                request_confirm(
                    job=job, actor=_person(request), confirmed_warnings=request.POST.get("confirmation", "")
                )
            except Refusal as refusal:
                for sentence in refusal.explain():
                    messages.error(request, sentence)
            return page
        try:
            report = confirm(job=job, actor=_person(request), confirmed_warnings=request.POST.get("confirmation", ""))
        except NotConfirmed:
            preview(job=job, actor=_person(request))
            messages.warning(request, _("Other warnings came up meanwhile. Look at them again, then confirm."))
        except Refusal as refusal:
            for sentence in refusal.explain():
                messages.error(request, sentence)
        else:
            if report.ok or report.created + report.updated:
                messages.success(request, _("The sheet is in."))
            else:
                messages.error(request, _("Nothing was brought in: the records changed meanwhile. See the rows below."))
        return page

    def abandon_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        job = self._posted(request, object_id)
        try:
            abandon(job=job, actor=_person(request))
        except Refusal as refusal:
            for sentence in refusal.explain():
                messages.error(request, sentence)
        else:
            messages.success(request, _("The file was dropped; nothing was changed."))
        return HttpResponseRedirect(reverse("admin:imports_importjob_changelist"))

    def cancel_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Have the worker stop that is at it."""
        job = self._posted(request, object_id)
        try:
            cancel(job=job, actor=_person(request))
        except Refusal as refusal:
            for sentence in refusal.explain():
                messages.error(request, sentence)
        else:
            messages.success(request, _("It is being stopped; nothing will be changed."))
        return HttpResponseRedirect(reverse("admin:imports_importjob_change", args=[job.pk]))

    def refused_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Hand out the refused rows to whoever brought the file."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        job = self._job(request, object_id)
        if job.user_id != request.user.pk or job.refused_rows is None:
            raise Http404
        name = f"{job.file_name.rpartition('.')[0] or job.kind} ({_('refused rows')}).xlsx"
        return _download(bytes(job.refused_rows), name)

    def template_view(self, request: HttpRequest, kind: str) -> HttpResponse:
        """Hand out an empty sheet of a kind."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        resource = kinds_for(_person(request), "import").get(kind)
        if resource is None or not self.has_add_permission(request):
            raise Http404
        return _download(template_xlsx(resource(), user=_person(request)), f"{_kind_label(kind)}.xlsx")

    def undo_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for a reason and take the import back, or say why not and name what changed since."""
        job = self._job(request, object_id)
        if not may_undo(job, _person(request)):
            raise PermissionDenied
        page = reverse("admin:imports_importjob_change", args=[job.pk])
        dialog = Dialog(
            title=_("Take this import back"),
            about=f"{_kind_label(job.kind)}: {job.file_name}",
            help=_(
                "What the sheet created is deleted and what it changed gets its old values, transitions included; all "
                "of it or nothing. It is refused if anything was changed since. To have it again, bring the sheet in "
                "again."
            ),
            lines=[self.counts(job)],
            submit=_("Take it back"),
            back=page,
            fields={"reason": text_field(label=_("Reason"))},
            danger=True,
        )

        def deed(values: dict[str, Any], confirmed: bool) -> str:
            undo_import(job=job, actor=_person(request), reason=values["reason"])
            return _("The import is taken back.")

        return self.run_dialog(request, dialog, deed)

    def _posted(self, request: HttpRequest, object_id: str) -> ImportJob:
        if request.method != "POST":
            raise PermissionDenied
        job = self._job(request, object_id)
        if job.user_id != request.user.pk:
            raise PermissionDenied
        return job

    def _job(self, request: HttpRequest, object_id: str) -> ImportJob:
        job = self.get_object(request, unquote(object_id))
        if job is None:
            raise Http404
        if not self.has_view_permission(request, job):
            raise PermissionDenied
        return job

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        return TemplateResponse(
            request,
            template,
            {**self.admin_site.each_context(request), "opts": self.opts, "media": LOOKS, **context},
        )


def _download(content: bytes, name: str) -> HttpResponse:
    response = HttpResponse(content, content_type=FORMATS["xlsx"])
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    response["Cache-Control"] = "no-store"
    return response


def _kind_label(kind: str) -> str:
    resource = in_order().get(kind)
    return capfirst(str(resource.model()._meta.verbose_name_plural)) if resource else kind


def _person(request: HttpRequest) -> User:
    """Return who is logged in; the admin lets nobody else in."""
    return cast("User", request.user)
