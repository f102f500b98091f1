"""The timeline over the interface: who did what to which record, when and why; the values are on the pages."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.viewsets import GenericViewSet

from apps.api.filters import NamedFilters, Narrowed
from apps.api.paging import LogPagination
from apps.api.permissions import HasRight, OwnPassword
from apps.api.records import Alone
from apps.api.router import register

from .models import AuditEntry, AuditKind


class AuditEntrySerializer(serializers.ModelSerializer):
    """One deed on one record; the ids are those of the record and of what it hangs on."""

    class Meta:
        model = AuditEntry
        fields = (
            "id", "at", "source", "kind", "deed", "actor_id", "origin", "reason", "record_id", "employee_id",
            "position_id", "assignment_id", "unit_id",
        )  # fmt: skip


class Timeline(LogPagination):
    """In the order of the timeline."""

    ordering = ("-at", "-key")


class OnRecord(Narrowed):
    """What hangs on a record, by its id."""

    def __init__(self, anchor: str):
        super().__init__(anchor, serializers.IntegerField())

    def narrow(self, queryset: Any, value: Any) -> Any:
        return queryset.hanging_on(self.lookup, value)


class AuditLogViewSet(Alone, mixins.ListModelMixin, GenericViewSet):
    """The timeline, newest first."""

    queryset = AuditEntry.objects.all()
    serializer_class = AuditEntrySerializer
    permission_classes = [IsAuthenticated, OwnPassword, HasRight]
    pagination_class = Timeline
    filter_backends = [NamedFilters]
    verbs: dict[str, str] = {}
    narrowed = {
        "kind": Narrowed("kind", serializers.ChoiceField(AuditKind.choices)),
        "source": Narrowed("source"),
        "employee_id": OnRecord("employee_id"),
        "position_id": OnRecord("position_id"),
        "assignment_id": OnRecord("assignment_id"),
        "unit_id": OnRecord("unit_id"),
        "actor_id": Narrowed("actor_id", serializers.UUIDField()),
        "since": Narrowed("at__gte", serializers.DateTimeField()),
        "until": Narrowed("at__lt", serializers.DateTimeField()),
    }

    def get_queryset(self) -> Any:
        queryset: Any = super().get_queryset()
        return queryset.visible_to(self.person)

    @extend_schema(operation_id="audit_log_list")
    def list(self, *args: Any, **kwargs: Any) -> Any:
        return super().list(*args, **kwargs)


register("audit-log", AuditLogViewSet)
