"""What became of employees, over the interface."""

from __future__ import annotations

from rest_framework import serializers

from apps.api.filters import NamedFilters, Narrowed
from apps.api.paging import LogPagination
from apps.api.records import Records
from apps.api.router import register

from .models import EmployeeTransitionLog


class EmployeeTransitionSerializer(serializers.ModelSerializer):
    """A transition that was made."""

    actor_email = serializers.CharField(source="actor.email", read_only=True, default=None)

    class Meta:
        model = EmployeeTransitionLog
        fields = (
            "id", "subject_id", "subject_code", "transition", "from_status", "to_status", "actor_email", "reason",
            "created_at",
        )  # fmt: skip


class EmployeeTransitionViewSet(Records):
    """The log of what became of employees."""

    queryset = EmployeeTransitionLog.objects.select_related("actor").order_by("-pk")
    serializer_class = EmployeeTransitionSerializer
    pagination_class = LogPagination
    filter_backends = [NamedFilters]
    http_method_names = ["get", "head", "options"]
    narrowed = {
        "transition": Narrowed("transition"),
        "subject_id": Narrowed("subject_id", serializers.IntegerField()),
        "since": Narrowed("created_at__gte", serializers.DateTimeField()),
    }


register("transition-logs/employees", EmployeeTransitionViewSet)
