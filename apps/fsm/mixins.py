"""Lifecycle mixins: a status that nothing but a transition changes, and that cannot go stale."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _
from django_fsm import ConcurrentTransitionMixin, transition

from .employee_fsm import MACHINE as EMPLOYEE_MACHINE
from .employee_fsm import EmployeeStatus as S
from .fields import StatusField
from .moves import Machine


class Lifecycle(ConcurrentTransitionMixin, models.Model):
    """A row with a protected status field.

    A protected field keeps its cached value on refresh_from_db (or refuses the refresh), so the cached state is
    dropped first; ConcurrentTransitionMixin makes the save of a stale copy fail.
    """

    machine: ClassVar[Machine]
    # Whether the status of every day is kept (fsm.EmployeeStatusPeriod).
    keeps_status_periods: ClassVar[bool] = False

    class Meta:
        abstract = True

    @property
    def log_code(self) -> str:
        """Return the code under which logs keep this row, should it be gone one day."""
        raise NotImplementedError

    def refresh_from_db(self, using: str | None = None, fields: Any = None, from_queryset: Any = None) -> None:
        if fields is None or "status" in fields:
            self.__dict__.pop("status", None)
        super().refresh_from_db(using=using, fields=fields, from_queryset=from_queryset)
        if fields is None or "status" in fields:
            self._update_initial_state()


class EmployeeLifecycle(Lifecycle):
    """The transitions of an employee, in memory. Only `apps.fsm.services` calls them: it locks, checks and logs.

    Each returns the day from which the new status holds.
    """

    machine = EMPLOYEE_MACHINE
    # Fields of the model that lives this life.
    hired_on: Any
    last_day: Any
    status = StatusField(_("status"), choices=S.choices, default=S.ONBOARDING, protected=True)

    class Meta:
        abstract = True

    @transition("status", source=S.ONBOARDING, target=S.ACTIVE)
    def activate(self, *, today: date, **inputs: Any) -> date:
        return self.hired_on

    @transition("status", source=S.ONBOARDING, target=S.TERMINATED)
    def withdraw(self, *, today: date, **inputs: Any) -> date:
        return today

    @transition("status", source=S.ACTIVE, target=S.ON_LEAVE)
    def start_leave(self, *, today: date, **inputs: Any) -> date:
        return today

    @transition("status", source=S.ON_LEAVE, target=S.ON_LEAVE)
    def extend_leave(self, *, today: date, **inputs: Any) -> date:
        return today

    @transition("status", source=S.ON_LEAVE, target=S.ACTIVE)
    def return_from_leave(self, *, today: date, **inputs: Any) -> date:
        return today

    @transition("status", source=[S.ACTIVE, S.ON_LEAVE], target=S.SUSPENDED)
    def suspend(self, *, today: date, **inputs: Any) -> date:
        return today

    @transition("status", source=S.SUSPENDED, target=S.ACTIVE)
    def reinstate(self, *, today: date, **inputs: Any) -> date:
        return today

    @transition("status", source=[S.ACTIVE, S.ON_LEAVE], target=S.NOTICE)
    def give_notice(self, *, today: date, last_day: date, **inputs: Any) -> date:
        self.last_day = last_day
        return today

    @transition("status", source=S.NOTICE, target=S.ACTIVE)
    def retract_notice(self, *, today: date, **inputs: Any) -> date:
        self.last_day = None
        return today

    @transition("status", source=S.NOTICE, target=S.TERMINATED)
    def complete_notice(self, *, today: date, **inputs: Any) -> date:
        return self.last_day + timedelta(days=1)

    @transition("status", source=[S.ACTIVE, S.ON_LEAVE, S.SUSPENDED, S.NOTICE], target=S.TERMINATED)
    def terminate(self, *, today: date, last_day: date, **inputs: Any) -> date:
        self.last_day = last_day
        return last_day + timedelta(days=1)

    @transition("status", source=S.TERMINATED, target=S.ONBOARDING)
    def rehire(self, *, today: date, hired_on: date, **inputs: Any) -> date:
        self.hired_on = hired_on
        self.last_day = None
        return today
