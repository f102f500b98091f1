"""What is posted, for the OpenAPI description: one webhook for each topic."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiResponse, OpenApiWebhook, extend_schema
from rest_framework import serializers

from apps.assignments.assignment_fsm import AssignmentStatus
from apps.business_rules.enums import Severity, SubjectKind, ViolationState
from apps.demand.enums import CoverageState
from apps.fsm.employee_fsm import EmployeeStatus

from .enums import Topic

# The generator leaves parameters of webhooks out.
TOLD = (
    "Posted to every active endpoint that asks for it. Any 2xx takes it; 410 ends it all. Headers: `Coveris-Event` "
    "(the topic), `Coveris-Delivery` (the id of the event), `Coveris-Timestamp` (seconds since 1970), "
    "`Coveris-Signature` (`v1=` and the HMAC-SHA256 of “timestamp.body” in hex; several while a secret changes)."
)


class CodedSerializer(serializers.Serializer):
    """A record by its id and the code people know it by."""

    id = serializers.IntegerField()
    code = serializers.CharField()


class SubjectSerializer(CodedSerializer):
    """The record a violation is about."""

    kind = serializers.ChoiceField(SubjectKind.choices)


def _data(name: str, states: Any, **fields: serializers.Field) -> type[serializers.Serializer]:
    """Return the serializer of an event's data: the state before (none: it is new) and after."""
    return type(
        name,
        (serializers.Serializer,),
        {
            "get_fields": lambda self: {
                **{key: _copied(field) for key, field in fields.items()},
                "from": serializers.ChoiceField(states.choices, allow_null=True),
                "to": serializers.ChoiceField(states.choices, allow_null=True),
            }
        },
    )


def _copied(field: serializers.Field) -> serializers.Field:
    return field.__deepcopy__({})


DATA: dict[Topic, type[serializers.Serializer]] = {
    Topic.EMPLOYEE_STATUS: _data(
        "EmployeeStatusDataSerializer", EmployeeStatus, employee=CodedSerializer(), unit=CodedSerializer(),
        transition=serializers.CharField(),
    ),
    Topic.ASSIGNMENT_STATUS: _data(
        "AssignmentStatusDataSerializer", AssignmentStatus, assignment=CodedSerializer(), employee=CodedSerializer(),
        position=CodedSerializer(), unit=CodedSerializer(), transition=serializers.CharField(),
    ),
    Topic.POSITION_COVERAGE: _data(
        "PositionCoverageDataSerializer", CoverageState, position=CodedSerializer(), unit=CodedSerializer(),
        week=serializers.DateField(),
    ),
    Topic.VIOLATION_STATE: _data(
        "ViolationStateDataSerializer", ViolationState, violation=serializers.IntegerField(),
        rule=serializers.CharField(), severity=serializers.ChoiceField(Severity.choices), subject=SubjectSerializer(),
    ),
}  # fmt: skip


def _event(topic: Topic, data: type[serializers.Serializer]) -> type[serializers.Serializer]:
    name = data.__name__.replace("DataSerializer", "EventSerializer")
    return type(
        name,
        (serializers.Serializer,),
        {
            "__doc__": "One event; receivers tell by its id whether they have had it.",
            "id": serializers.UUIDField(),
            "topic": serializers.CharField(help_text=topic.value),
            "sequence": serializers.IntegerField(help_text="Grows with every event of an endpoint."),
            "at": serializers.DateTimeField(),
            "data": data(),
        },
    )


def _webhook(topic: Topic) -> OpenApiWebhook:
    return OpenApiWebhook(
        name=topic.value,
        decorator=extend_schema(
            summary=str(topic.label),
            description=TOLD,
            request={"application/json": _event(topic, DATA[topic])},
            responses={"2XX": OpenApiResponse(description="Taken."), "410": OpenApiResponse(description="Gone.")},
        ),
    )


WEBHOOKS = [_webhook(topic) for topic in DATA]
employee_status, assignment_status, position_coverage, violation_state = WEBHOOKS
