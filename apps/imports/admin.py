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
from apps.common.admin.telling import told
from apps.common.badges import Tone, badge, two_lines
from apps.common.errors import Refusal

from .blank import template_xlsx
from .choosing_pages import conflicts_shown, sides_of
from .enums import JobState, Mode
from .export_admin import ExportJobAdmin as ExportJobAdmin
from .exporting import ListExportMixin
from .forms import UploadForm
from .models import ImportJob, ImportPart
from .parts import sheets_of
from .reading_pages import corrections_from, reading_shown
from .reports import SEVERAL
from .rights import in_order, kinds_for
from .services import (
    PREVIEW_LIFE,
    UNDER_WAY,
    NotConfirmed,
    abandon,
    cancel,
    choose,
    confirm,
    correct,
    forget_reading,
    is_small,
    pick_mode,
    preview,
    request_confirm,
    request_preview,
    undo_import,
    upload,
    upload_several,
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
DROPPING = Media(js=["imports/drop.js"])
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
            view("reading", self.reading_view),
            view("forget_reading", self.forget_reading_view),
            view("choose", self.choose_view),
            view("mode", self.mode_view),
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
                    job = self._uploaded(request, form)
                    self._look(request, job)
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
            request,
            "imports/upload.html",
            {"form": form, "kinds": kinds, "title": _("Bring sheets in"), "media": LOOKS + DROPPING},
        )

    def _uploaded(self, request: HttpRequest, form: UploadForm) -> ImportJob:
        """Keep what was posted: a single sheet whose kind was picked, or files in which to find sheets."""
        files, kind = form.cleaned_data["file"], form.cleaned_data["kind"]
        how: dict[str, Any] = {
            "actor": _person(request), "options": form.options(), "mode": form.cleaned_data["mode"],
            "open_options": form.open_options(),
        }  # fmt: skip
        if kind and len(files) == 1:
            return upload(file=files[0], kind=kind, **how)
        return upload_several(files=files, kind=kind, **how)

    def _look(self, request: HttpRequest, job: ImportJob) -> None:
        """Have an import looked at: at once if it is small, else by a worker."""
        if is_small(job):
            preview(job=job, actor=_person(request))
        else:
            request_preview(job=job, actor=_person(request))

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
        sheets = sheets_of(job)
        parts = {sheet.place: sheet for sheet in sheets} if sheets[0] is not job else {}
        labels = {place: _labels(sheet.kind) for place, sheet in (parts or {0: job}).items()}
        by_line: dict[tuple[int, int], list[dict[str, Any]]] = {}
        conflicts = conflicts_shown(job, sheets) if open_still and not stale else None
        # Those that can be chosen about are shown as a choice.
        told = [error for error in errors if conflicts is None or "conflict" not in error]
        for error in told[:ERRORS_SHOWN]:
            place = error.get("part", 0)
            label = labels.get(place, {}).get(error["column"], error["column"])
            by_line.setdefault((place, error["line"]), []).append({**error, "column": label})
        changes = [
            {
                **change,
                "sheet": parts[change["part"]].file_name if change.get("part") in parts else "",
                "cells": {
                    labels.get(change.get("part", 0), {}).get(name, name): cell
                    for name, cell in change["cells"].items()
                },
            }
            for change in job.options.get("changes", [])[:CHANGES_SHOWN]
        ]
        reading = reading_shown(job, _person(request)) if open_still and not stale else []
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
                "other_mode": Mode.GOOD_ROWS if whole else Mode.ALL_OR_NOTHING,
                "may_pick_mode": is_owner
                and job.state == JobState.PREVIEWED
                and not stale
                and bool(errors)
                and any(good.get(name) for name in ("created", "updated")),
                "good": good,
                "read_as": job.options.get("read_as", {}),
                "separator": SEPARATOR_LABELS.get(job.options.get("read_as", {}).get("separator", ""), ""),
                "has_refused_rows": is_owner and job.refused_rows is not None,
                "impact": impact_shown(job.impact),
                "parts": [_part_shown(part) for part in parts.values()],
                # What waits for an answer comes first.
                "reading": sorted(reading, key=lambda one: not one["is_open"]) if is_owner else [],
                "reading_first": is_owner and any(one["is_open"] for one in reading),
                "is_undecided": any(one["unknown"] or one["keys"] or one["is_undecided"] for one in reading),
                "has_habits": any(one["habit"] for one in reading),
                "may_correct": is_owner and open_still and not stale,
                "errors_by_line": [
                    (line, parts[place].file_name if place in parts else "", found)
                    for (place, line), found in sorted(by_line.items(), key=lambda item: item[0])
                ],
                "errors_total": len(errors),
                "errors_hidden": max(0, len(told) - ERRORS_SHOWN),
                "conflicts": conflicts,
                "may_choose": is_owner and job.state == JobState.PREVIEWED,
                "only_conflicts": conflicts is not None and not told,
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
        if not is_small(job):
            with told(request):
                request_confirm(
                    job=job, actor=_person(request), confirmed_warnings=request.POST.get("confirmation", "")
                )
            return page
        with told(request):
            try:
                report = confirm(
                    job=job, actor=_person(request), confirmed_warnings=request.POST.get("confirmation", "")
                )
            except NotConfirmed:
                preview(job=job, actor=_person(request))
                messages.warning(request, _("Other warnings came up meanwhile. Look at them again, then confirm."))
                return page
            if report.ok or report.created + report.updated:
                messages.success(request, _("The sheet is in."))
            else:
                messages.error(request, _("Nothing was brought in: the records changed meanwhile. See the rows below."))
        return page

    def choose_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Keep what was chosen of rows that somebody else changed, and look at the sheet again."""
        job = self._posted(request, object_id)
        with told(request):
            for part, sides in sides_of(request, job).items():
                job = choose(job=job, actor=_person(request), sides=sides, part=part)
            self._look(request, job)
        return HttpResponseRedirect(reverse("admin:imports_importjob_change", args=[job.pk]))

    def mode_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Look at the sheet again as if its good rows were to come in without the others, or all or none again."""
        job = self._posted(request, object_id)
        mode = request.POST.get("mode", "")
        if mode not in Mode.values:
            raise PermissionDenied
        with told(request):
            self._look(request, pick_mode(job=job, actor=_person(request), mode=mode))
        return HttpResponseRedirect(reverse("admin:imports_importjob_change", args=[job.pk]))

    def abandon_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        job = self._posted(request, object_id)
        with told(request, done=_("The file was dropped; nothing was changed.")):
            abandon(job=job, actor=_person(request))
        return HttpResponseRedirect(reverse("admin:imports_importjob_changelist"))

    def cancel_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Have the worker stop that is at it."""
        job = self._posted(request, object_id)
        with told(request, done=_("It is being stopped; nothing will be changed.")):
            cancel(job=job, actor=_person(request))
        return HttpResponseRedirect(reverse("admin:imports_importjob_change", args=[job.pk]))

    def reading_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Read the sheets as somebody says, and look at them again."""
        job = self._posted(request, object_id)
        with told(request):
            corrections = corrections_from(job, _person(request), request.POST)
            self._look(request, correct(job=job, actor=_person(request), corrections=corrections))
        return HttpResponseRedirect(reverse("admin:imports_importjob_change", args=[job.pk]))

    def forget_reading_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Forget how such sheets were read the last time."""
        job = self._posted(request, object_id)
        with told(request, done=_("Forgotten: the sheet is read as usual.")):
            self._look(request, forget_reading(job=job, actor=_person(request)))
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


def _labels(kind: str) -> dict[str, str]:
    """Return what the columns of a kind are called by the reader."""
    resource = in_order().get(kind)
    return {name: column.label for name, column in resource.columns().items()} if resource else {}


def _part_shown(part: ImportPart) -> dict[str, Any]:
    """Return a sheet among several as the page lists it."""
    said = ""
    if part.is_left_aside:
        said = _("left aside")
    elif not part.kind:
        said = _("say below what it is")
    elif not part.options.get("read_as"):
        said = _("not looked at yet")
    return {
        "place": part.place, "name": part.file_name, "kind": _kind_label(part.kind) if part.kind else "–",
        "said": said, "is_aside": part.is_left_aside, "created": part.created, "updated": part.updated,
        "unchanged": part.unchanged, "refused": part.refused,
    }  # fmt: skip


def _kind_label(kind: str) -> str:
    if kind == SEVERAL:
        return _("Several sheets")
    resource = in_order().get(kind)
    return capfirst(str(resource.model()._meta.verbose_name_plural)) if resource else kind


def _person(request: HttpRequest) -> User:
    """Return who is logged in; the admin lets nobody else in."""
    return cast("User", request.user)
