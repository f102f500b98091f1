"""Moving a record from one state to another, through the one door."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.fsm.services import allowed_moves, apply_transition, read_inputs

from .filters import NamedFilters, Narrowed
from .paging import LogPagination
from .records import Records


class Transition(serializers.Serializer):
    """One transition: its name, a reason, what else it asks for, and whether its warnings are accepted."""

    transition = serializers.CharField(max_length=40)
    reason = serializers.CharField(max_length=1_000, required=False, allow_blank=True, default="")
    inputs = serializers.DictField(child=serializers.CharField(max_length=200, allow_blank=True), required=False)
    confirmed = serializers.BooleanField(required=False, default=False)


class AskedFor(serializers.Serializer):
    """Something a transition asks for."""

    name = serializers.CharField()
    kind = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    required = serializers.BooleanField()  # type: ignore[assignment]
    choices = serializers.ListField(child=serializers.CharField())


class Offered(serializers.Serializer):
    """A transition that this person may try now."""

    transition = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    target = serializers.CharField()
    needs = AskedFor(many=True)


class LoggedTransition(serializers.ModelSerializer):
    """A transition that was made."""

    subject_id = serializers.IntegerField(read_only=True)
    actor_email = serializers.CharField(source="actor.email", read_only=True, allow_null=True, default=None)

    class Meta:
        fields = (
            "id", "subject_id", "subject_code", "transition", "from_status", "to_status", "actor_email", "reason",
            "created_at",
        )  # fmt: skip


class TransitionLogs(Records):
    """A log of what became of records, newest first."""

    pagination_class = LogPagination
    filter_backends = [NamedFilters]
    http_method_names = ["get", "head", "options"]
    narrowed = {
        "transition": Narrowed("transition"),
        "subject_id": Narrowed("subject_id", serializers.IntegerField()),
        "since": Narrowed("created_at__gte", serializers.DateTimeField()),
    }


class Moving(Records):
    """Records with a lifecycle: `/transitions/` tells what can be done, and does it."""

    @extend_schema(methods=["GET"], responses={200: Offered(many=True)}, filters=False)
    @extend_schema(methods=["POST"], request=Transition)
    @action(detail=True, methods=["get", "post"], pagination_class=None)
    def transitions(self, request: Request, pk: Any = None) -> Response:
        """Return the transitions this person may try, or make one."""
        record = self.get_object()
        if request.method == "GET":
            return Response([_offered(move) for move in allowed_moves(record, self.person)])
        values = self.sent(Transition)
        move = record.machine.by_name.get(values["transition"])
        inputs = read_inputs(move, values.get("inputs", {})) if move is not None else {}
        apply_transition(
            record, values["transition"], actor=self.person, reason=values["reason"], confirmed=values["confirmed"],
            metadata={"by": "api"}, **inputs,
        )  # fmt: skip
        return self.shown(self.fresh(record.pk))


def _offered(move: Any) -> dict[str, Any]:
    return {
        "transition": move.name,
        "label": str(move.label),
        "target": move.target,
        "needs": [
            {
                "name": need.name, "kind": need.kind, "label": str(need.label), "required": need.required,
                "choices": [str(value) for value, _label in need.choices],
            }
            for need in move.needs
        ],
    }  # fmt: skip
