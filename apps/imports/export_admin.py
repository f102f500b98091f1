"""Long files on the screen: how far they are, and the file once it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.formats import number_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from apps.common.admin import ReadOnlyAdmin
from apps.common.admin.dialogs import PAGE_MEDIA
from apps.common.admin.telling import told
from apps.common.badges import Tone, badge, two_lines
from apps.common.columns import moment_column

from .export_job import ExportJob, ExportState
from .exporting import LOOKS, ListExportMixin, PieceByPiece, as_file, forget_waiting
from .lists import SHAPES
from .taking_out import FILE_LIFE, drop_export, hand_out, is_over
from .writing import FORMATS

if TYPE_CHECKING:
    from apps.users.models import User

TONES = {
    ExportState.WAITING: Tone.BLUE,
    ExportState.MAKING: Tone.BLUE,
    ExportState.READY: Tone.GREEN,
    ExportState.GONE: Tone.GREY,
    ExportState.CANCELLED: Tone.GREY,
    ExportState.FAILED: Tone.RED,
}


@admin.register(ExportJob)
class ExportJobAdmin(ListExportMixin, ReadOnlyAdmin):
    """One's own long files."""

    icon = "download"
    list_display = ("file", "state_shown", "rows", "asked")
    list_filter = ("state",)
    ordering = ("-id",)
    asked = moment_column("created_at", gettext_lazy("asked for"))

    def get_urls(self) -> list[Any]:
        def view(name: str, method: Any) -> Any:
            return path(
                f"<path:object_id>/{name}/", self.admin_site.admin_view(method), name=f"imports_exportjob_{name}"
            )

        return [view("file", self.file_view), view("drop", self.drop_view), *super().get_urls()]

    @display(description=gettext_lazy("file"))
    def file(self, obj: ExportJob) -> str:
        return two_lines(_list_label(obj), obj.format.upper())

    @display(description=gettext_lazy("state"))
    def state_shown(self, obj: ExportJob) -> str:
        return badge(obj.get_state_display(), TONES[ExportState(obj.state)])

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show how far a file is; while it is being made, the page renews itself."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        job = self._job(request, object_id)
        under_way = job.state in (ExportState.WAITING, ExportState.MAKING)
        if not under_way:
            forget_waiting(request, job.pk)
        ready = job.state == ExportState.READY and not is_over(job)
        list_of = reverse(f"admin:{job.listed.replace('.', '_')}_changelist")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": PAGE_MEDIA + LOOKS,
            "title": _("Export"),
            "subtitle": _list_label(job),
            "job": job,
            "shape": SHAPES.get(job.shape, job.shape),
            "state": badge(job.get_state_display(), TONES[ExportState(job.state)]),
            "under_way": under_way,
            "written": number_format(job.rows, force_grouping=True),
            "of": number_format(job.total or 0, force_grouping=True),
            "percent": 100 * job.rows // job.total if job.total else 0,
            "is_ready": ready,
            "is_gone": job.state == ExportState.GONE or (job.state == ExportState.READY and not ready),
            "size": filesizeformat(job.size),
            "until": job.made_at + FILE_LIFE if job.made_at else None,
            "list_url": f"{list_of}?{job.query}",
        }
        return TemplateResponse(request, "imports/export_job.html", context)

    def file_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Hand the file out to whoever asked for it."""
        if request.method != "GET":
            return HttpResponseNotAllowed(["GET"])
        job = self._job(request, object_id)
        with told(request):
            job, pieces = hand_out(job=job, actor=_person(request))
            answer = as_file(PieceByPiece(pieces, content_type=FORMATS[job.format]), job.kind, job.format)
            answer["Content-Length"] = str(job.size)
            return answer
        return HttpResponseRedirect(reverse("admin:imports_exportjob_change", args=[job.pk]))

    def drop_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Stop a file that is being made, or drop one that is ready."""
        if request.method != "POST":
            raise PermissionDenied
        job = self._job(request, object_id)
        was_ready = job.state == ExportState.READY
        with told(request, done=_("The file was dropped.") if was_ready else _("It is being stopped.")):
            drop_export(job=job, actor=_person(request))
        return HttpResponseRedirect(reverse("admin:imports_exportjob_change", args=[job.pk]))

    def _job(self, request: HttpRequest, object_id: str) -> ExportJob:
        job = self.get_object(request, unquote(object_id))
        if job is None:
            raise Http404
        if not self.has_view_permission(request, job):
            raise PermissionDenied
        return cast("ExportJob", job)


def _list_label(job: ExportJob) -> str:
    try:
        return capfirst(str(apps.get_model(job.listed)._meta.verbose_name_plural))
    except LookupError:
        return job.kind


def _person(request: HttpRequest) -> User:
    """Return who is logged in; the admin lets nobody else in."""
    return cast("User", request.user)
