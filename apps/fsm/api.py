"""What became of employees, over the interface."""

from __future__ import annotations

from apps.api.router import register
from apps.api.transitions import LoggedTransition, TransitionLogs

from .models import EmployeeTransitionLog


class EmployeeTransition(LoggedTransition):
    """A transition of an employee."""

    class Meta(LoggedTransition.Meta):
        model = EmployeeTransitionLog


class EmployeeTransitionViewSet(TransitionLogs):
    """The log of what became of employees."""

    queryset = EmployeeTransitionLog.objects.select_related("actor").order_by("-pk")
    serializer_class = EmployeeTransition


register("transition-logs/employees", EmployeeTransitionViewSet)
