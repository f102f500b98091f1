"""The schedule: when what runs by itself. The jobs come with the code; staff choose their times."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from unfold.decorators import display

from apps.common.acting import acting
from apps.common.admin import BaseAdmin
from apps.common.badges import badge, two_lines
from apps.imports.exporting import ListExportMixin

for _model in (PeriodicTask, IntervalSchedule, CrontabSchedule, SolarSchedule, ClockedSchedule):
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)


class ScheduleAdmin(ListExportMixin, BaseAdmin):
    """Screens of the scheduler's own tables: the ADMIN's alone."""

    scoped = False

    def perform_save(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> Any:
        # The scheduler's own save checks the row and tells the running scheduler to read it anew.
        with acting(request.user, origin="admin"):
            obj.save()
        return obj


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(ScheduleAdmin):
    icon = "schedule"
    list_display = ("job", "when", "state", "last_run_at", "total_run_count")
    list_select_related = ("interval", "crontab")
    list_filter = ("enabled",)
    search_fields = ("name", "task")
    readonly_fields = ("task", "description", "last_run_at", "total_run_count", "date_changed")
    sortable_anyway = ("last_run_at",)
    fieldsets = (
        (None, {"fields": ("name", "task", "description")}),
        (_("When"), {"fields": (("enabled",), ("interval", "crontab"))}),
        (_("Runs"), {"fields": (("last_run_at", "total_run_count"), ("date_changed",))}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        # The name is how the code finds its job again.
        return [*super().get_readonly_fields(request, obj), "name"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @display(description=_("job"))
    def job(self, task: PeriodicTask) -> Any:
        return two_lines(task.name, task.task)

    @display(description=_("when"))
    def when(self, task: PeriodicTask) -> Any:
        return task.interval or task.crontab or "–"

    @display(description=_("state"))
    def state(self, task: PeriodicTask) -> Any:
        return badge(_("on"), "green") if task.enabled else badge(_("off"), "grey")


@admin.register(IntervalSchedule)
class IntervalScheduleAdmin(ScheduleAdmin):
    icon = "timer"
    list_display = ("shown", "every", "period")

    @display(description=_("interval"))
    def shown(self, schedule: IntervalSchedule) -> str:
        return str(schedule)


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(ScheduleAdmin):
    icon = "calendar_clock"
    list_display = ("shown", "minute", "hour", "day_of_week", "day_of_month", "month_of_year", "timezone")
    fields = (("minute", "hour"), ("day_of_week", "day_of_month", "month_of_year"), "timezone")

    @display(description=_("times"))
    def shown(self, schedule: CrontabSchedule) -> str:
        return str(schedule.human_readable)
