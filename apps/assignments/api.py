"""Assignments over the interface: proposed, looked at beforehand, changed, moved on."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.filters import Narrowed
from apps.api.records import Writable
from apps.api.related import ByCode
from apps.api.router import register
from apps.api.transitions import LoggedTransition, Moving, TransitionLogs
from apps.common.clock import today
from apps.demand.preview import preview_proposal
from apps.org.models import Employee, Position

from .assignment_fsm import AssignmentStatus
from .models import Assignment, AssignmentTransitionLog
from .services import save_assignments


class AssignmentSerializer(serializers.ModelSerializer):
    """Hours a week that an employee gives to a position. `confirmed` accepts the warnings of rules."""

    employee_number = ByCode(Employee, "employee_number", source="employee")
    position_code = ByCode(Position, source="position")
    code = serializers.CharField(read_only=True)
    confirmed = serializers.BooleanField(write_only=True, required=False, default=False)
    change_reason = serializers.CharField(write_only=True, required=False, allow_blank=True, max_length=1_000)

    class Meta:
        model = Assignment
        fields = (
            "id", "code", "employee_number", "position_code", "effective_hours", "is_reinforcement", "status",
            "starts_on", "ends_on", "expires_on", "accepted_at", "voided", "updated_at", "confirmed", "change_reason",
        )  # fmt: skip
        read_only_fields = ("id", "status", "accepted_at", "voided", "updated_at")
        validators: list[Any] = []


class Proposal(serializers.Serializer):
    """What to look at: an employee's hours for a position, from a day on (today without)."""

    employee_number = ByCode(Employee, "employee_number", source="employee")
    position_code = ByCode(Position, source="position")
    effective_hours = serializers.DecimalField(max_digits=8, decimal_places=2, min_value=0)
    starts_on = serializers.DateField(required=False)
    ends_on = serializers.DateField(required=False, allow_null=True)
    is_reinforcement = serializers.BooleanField(required=False, default=False)

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        if (last := values.get("ends_on")) and last < values.get("starts_on", today()):
            raise serializers.ValidationError({"ends_on": [_("It would end before it starts.")]})
        if not values["effective_hours"]:
            raise serializers.ValidationError({"effective_hours": [_("Hours above 0.")]})
        return values


class Looked(serializers.Serializer):
    """What would come of it: whether it is allowed, by which rules, and what it does to hours and coverage."""

    allowed = serializers.BooleanField()
    verdicts = serializers.ListField(child=serializers.DictField())
    ledger = serializers.ListField(child=serializers.DictField())
    coverage = serializers.ListField(child=serializers.DictField())


class AssignmentViewSet(Moving, Writable):
    """Assignments."""

    queryset = Assignment.objects.select_related("employee", "position").order_by("-id")
    serializer_class = AssignmentSerializer
    verbs = Writable.verbs | {"preview": "add"}
    narrowed = {
        "status": Narrowed("status", serializers.ChoiceField(AssignmentStatus.choices)),
        "employee_number": Narrowed("employee__employee_number"),
        "position_code": Narrowed("position__code"),
        "is_reinforcement": Narrowed("is_reinforcement", serializers.BooleanField()),
        "ends_until": Narrowed("ends_on__lte", serializers.DateField()),
    }
    ordering_fields = ("id", "starts_on")

    def save(self, values: dict[str, Any], record: Assignment | None) -> Assignment:
        confirmed, reason = values.pop("confirmed", False), values.pop("change_reason", "")
        if record is not None and {"employee", "position"} & {
            name for name, value in values.items() if getattr(record, name) != value
        }:
            raise serializers.ValidationError(
                {"employee_number": [_("Another employee or position is another assignment.")]}
            )
        assignment = self.filled(values, record)
        return save_assignments(assignments=[assignment], actor=self.person, confirmed=confirmed, reason=reason)[0]

    @extend_schema(request=Proposal, responses={200: Looked})
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        """Say what a proposal would do; nothing is kept."""
        values = self.sent(Proposal)
        found = preview_proposal(
            employee=values["employee"],
            position=values["position"],
            hours=values["effective_hours"],
            starts_on=values.get("starts_on", today()),
            ends_on=values.get("ends_on"),
            is_reinforcement=values["is_reinforcement"],
            actor=self.person,
        )
        return Response(found.as_json())


class AssignmentTransition(LoggedTransition):
    """A transition of an assignment."""

    class Meta(LoggedTransition.Meta):
        model = AssignmentTransitionLog


class AssignmentTransitionViewSet(TransitionLogs):
    """The log of what became of assignments."""

    queryset = AssignmentTransitionLog.objects.select_related("actor").order_by("-pk")
    serializer_class = AssignmentTransition


register("assignments", AssignmentViewSet)
register("transition-logs/assignments", AssignmentTransitionViewSet)
