"""The employee's lifecycle: states, colours, moves, guards (domain: Empleado)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db import models
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from apps.common.errors import Reason

from .moves import REASON, Machine, Move, Need


class EmployeeStatus(models.TextChoices):
    """Where an employee stands."""

    ONBOARDING = "ONBOARDING", _("Onboarding")
    ACTIVE = "ACTIVE", _("Active")
    ON_LEAVE = "ON_LEAVE", _("On leave")
    SUSPENDED = "SUSPENDED", _("Suspended")
    NOTICE = "NOTICE", _("In notice")
    TERMINATED = "TERMINATED", _("Terminated")


S = EmployeeStatus
GIVING = (S.ACTIVE, S.NOTICE, S.ON_LEAVE)


class LeaveKind(models.TextChoices):
    """Why somebody is away."""

    VACATION = "VACATION", _("Vacation")
    SICK = "SICK", _("Sick leave")
    MATERNITY = "MATERNITY", _("Maternity")
    TRAINING = "TRAINING", _("Training")
    OTHER = "OTHER", _("Other")


def hired_by_today(employee: Any, inputs: Mapping[str, Any], today: date) -> Reason | None:
    if employee.hired_on > today:
        return Reason(
            _now("%(who)s is hired from %(day)s: activate on that day or later, or correct the date.")
            % {"who": employee, "day": employee.hired_on},
            code="hired_later",
            field="hired_on",
        )
    return None


def last_day_from_today(employee: Any, inputs: Mapping[str, Any], today: date) -> Reason | None:
    if inputs["last_day"] < today:
        return Reason(
            _now("The last day of a notice is today or later; for a day gone by, terminate %(who)s.")
            % {"who": employee},
            code="last_day_past",
            field="last_day",
            fixable=10,
        )
    return None


def last_day_until_today(employee: Any, inputs: Mapping[str, Any], today: date) -> Reason | None:
    if inputs["last_day"] > today:
        return Reason(
            _now("The last day of a termination cannot be in the future; give notice to %(who)s instead.")
            % {"who": employee},
            code="last_day_future",
            field="last_day",
            fixable=10,
        )
    return None


def last_day_after_hiring(employee: Any, inputs: Mapping[str, Any], today: date) -> Reason | None:
    if inputs["last_day"] < employee.hired_on:
        return Reason(
            _now("The last day is before %(who)s was hired (%(day)s).") % {"who": employee, "day": employee.hired_on},
            code="last_day_before_hiring",
            field="last_day",
            fixable=10,
        )
    return None


def last_day_gone(employee: Any, inputs: Mapping[str, Any], today: date) -> Reason | None:
    if employee.last_day is None or employee.last_day >= today:
        return Reason(
            _now("The last day of %(who)s is not over yet.") % {"who": employee},
            code="last_day_ahead",
            field="last_day",
        )
    return None


LAST_DAY = Need("last_day", "date", _("last day"))
LEAVE_END = Need(
    "ends_on", "date", _("last day of the leave"), required=False, help=_("Leave it empty if it is not known yet.")
)
LEAVE_KIND = Need("kind", "choice", _("kind of leave"), required=False, choices=tuple(LeaveKind.choices))
WHY = Need("reason", "text", _("reason"), required=False)
WORKING = (S.ACTIVE, S.ON_LEAVE)

MACHINE = Machine(
    label="org.employee",
    states=EmployeeStatus,
    colours={
        S.ONBOARDING: "blue",
        S.ACTIVE: "green",
        S.ON_LEAVE: "yellow",
        S.SUSPENDED: "red",
        S.NOTICE: "yellow",
        S.TERMINATED: "grey",
    },
    icons={
        S.ONBOARDING: "person_add",
        S.ACTIVE: "check_circle",
        S.ON_LEAVE: "beach_access",
        S.SUSPENDED: "block",
        S.NOTICE: "event_upcoming",
        S.TERMINATED: "person_off",
    },
    moves=(
        Move("activate", (S.ONBOARDING,), S.ACTIVE, _("Activate"), (WHY,), (hired_by_today,), gated=True,
             help=_("Needs a contract valid today. Counts from the day of hiring.")),
        Move("withdraw", (S.ONBOARDING,), S.TERMINATED, _("Withdraw"), (REASON,), ends=True,
             help=_("The person will not start after all.")),
        Move("start_leave", (S.ACTIVE,), S.ON_LEAVE, _("Start leave"), (LEAVE_KIND, LEAVE_END, WHY),
             help=_("A leave planned for today is used, else choose its kind. Assignments give no hours meanwhile.")),
        Move("extend_leave", (S.ON_LEAVE,), S.ON_LEAVE, _("Extend leave"),
             (Need("ends_on", "date", _("new last day of the leave")), WHY)),
        Move("return_from_leave", (S.ON_LEAVE,), S.ACTIVE, _("Return from leave"), (WHY,),
             help=_("The running leave ends yesterday.")),
        Move("suspend", WORKING, S.SUSPENDED, _("Suspend"), (REASON,), ends=True),
        Move("reinstate", (S.SUSPENDED,), S.ACTIVE, _("Reinstate"), (WHY,)),
        Move("give_notice", WORKING, S.NOTICE, _("Give notice"), (LAST_DAY, WHY),
             (last_day_from_today, last_day_after_hiring), ends=True),
        Move("retract_notice", (S.NOTICE,), S.ACTIVE, _("Retract notice"), (WHY,)),
        Move("complete_notice", (S.NOTICE,), S.TERMINATED, _("Complete notice"), (), (last_day_gone,), system=True,
             ends=True),
        Move("terminate", (S.ACTIVE, S.ON_LEAVE, S.SUSPENDED, S.NOTICE), S.TERMINATED, _("Terminate"),
             (LAST_DAY, REASON), (last_day_until_today, last_day_after_hiring), ends=True,
             help=_("Live assignments are closed on the last day; proposals are rejected.")),
        Move("rehire", (S.TERMINATED,), S.ONBOARDING, _("Rehire"),
             (Need("hired_on", "date", _("new day of hiring")), REASON)),
    ),
)  # fmt: skip
