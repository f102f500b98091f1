"""The tag catalogue, and who holds and what asks for its tags, over the interface."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.filters import NamedFilters, Narrowed
from apps.api.paging import LogPagination
from apps.api.records import Records, Writable
from apps.api.related import ByCode
from apps.api.router import register
from apps.org.models import Employee, Position

from .enums import TagType
from .models import EmployeeTag, PositionTag, TagCatalog, TagChangeLog
from .services import revoke_tag, save_catalogue, save_employee_tags, set_position_tags


class TagSerializer(serializers.ModelSerializer):
    """A tag of the catalogue: a contract, a certificate, a qualification."""

    class Meta:
        model = TagCatalog
        fields = (
            "id", "code", "name", "type", "hours_delta", "expires", "first_warning_days", "last_warning_days",
            "is_active", "updated_at",
        )  # fmt: skip
        read_only_fields = ("id", "updated_at")


class TagViewSet(Writable):
    """The tag catalogue."""

    queryset = TagCatalog.objects.order_by("code")
    serializer_class = TagSerializer
    narrowed = {
        "type": Narrowed("type", serializers.ChoiceField(TagType.choices)),
        "is_active": Narrowed("is_active", serializers.BooleanField()),
        "code": Narrowed("code"),
    }
    search_fields = ("code", "name")
    ordering_fields = ("code", "name", "id")

    def save(self, values: dict[str, Any], record: TagCatalog | None) -> TagCatalog:
        tag = self.filled(values, record)
        return save_catalogue(tags=[tag], actor=self.person)[0]


class EmployeeTagSerializer(serializers.ModelSerializer):
    """A tag that an employee holds from one day to another."""

    employee_number = ByCode(Employee, "employee_number", source="employee")
    tag_code = ByCode(TagCatalog, source="tag")

    class Meta:
        model = EmployeeTag
        fields = ("id", "employee_number", "tag_code", "valid_from", "valid_until", "note", "updated_at")
        read_only_fields = ("id", "updated_at")


class EmployeeTagViewSet(Writable):
    """Tags that employees hold."""

    queryset = EmployeeTag.objects.select_related("employee", "tag").order_by("id")
    serializer_class = EmployeeTagSerializer
    narrowed = {
        "employee_number": Narrowed("employee__employee_number"),
        "tag_code": Narrowed("tag__code"),
        "valid_until_from": Narrowed("valid_until__gte", serializers.DateField()),
        "valid_until_to": Narrowed("valid_until__lte", serializers.DateField()),
    }
    ordering_fields = ("id", "valid_until")

    def save(self, values: dict[str, Any], record: EmployeeTag | None) -> EmployeeTag:
        held = self.filled(values, record)
        return save_employee_tags(employee_tags=[held], actor=self.person)[0]

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Take a tag away as if it had never been held; to end one, change valid_until."""
        revoke_tag(employee_tag=self.get_object(), actor=self.person)
        return Response(status=status.HTTP_204_NO_CONTENT)


class PositionTagSerializer(serializers.ModelSerializer):
    """A tag that a position requires or prefers."""

    position_code = ByCode(Position, source="position")
    tag_code = ByCode(TagCatalog, source="tag")

    class Meta:
        model = PositionTag
        fields = ("id", "position_code", "tag_code", "level", "updated_at")
        read_only_fields = ("id", "updated_at")
        # Once in two lists is the service's to say, by difference.
        validators: list[Any] = []


class PositionTagViewSet(Writable):
    """Tags that positions ask for."""

    queryset = PositionTag.objects.select_related("position", "tag").order_by("id")
    serializer_class = PositionTagSerializer
    narrowed = {"position_code": Narrowed("position__code"), "tag_code": Narrowed("tag__code")}
    ordering_fields = ("id",)

    def save(self, values: dict[str, Any], record: PositionTag | None) -> PositionTag:
        position = values.get("position") or record.position  # type: ignore[union-attr]
        tag = values.get("tag") or record.tag  # type: ignore[union-attr]
        if record is not None and (position.pk, tag.pk) != (record.position_id, record.tag_id):
            raise serializers.ValidationError({"tag_code": [_("Only the level of it can change.")]})
        wanted = dict(PositionTag.objects.filter(position=position).values_list("tag_id", "level"))
        if record is None and tag.pk in wanted:
            raise serializers.ValidationError({"tag_code": [_("The position asks for it already.")]})
        wanted[tag.pk] = values.get("level") or (record.level if record is not None else "REQUIRED")
        set_position_tags(wanted={position.pk: wanted}, actor=self.person)
        return PositionTag.objects.get(position=position, tag=tag)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Ask for it no longer."""
        row = self.get_object()
        wanted = dict(PositionTag.objects.filter(position=row.position).values_list("tag_id", "level"))
        wanted.pop(row.tag_id, None)
        set_position_tags(wanted={row.position_id: wanted}, actor=self.person)
        return Response(status=status.HTTP_204_NO_CONTENT)


class TagChangeSerializer(serializers.ModelSerializer):
    """A tag that was added, changed or removed."""

    employee_number = serializers.CharField(
        source="employee.employee_number", read_only=True, allow_null=True, default=None
    )
    tag_code = serializers.CharField(source="tag.code", read_only=True, allow_null=True, default=None)
    actor_email = serializers.CharField(source="actor.email", read_only=True, allow_null=True, default=None)
    before = serializers.DictField(read_only=True, allow_null=True)
    after = serializers.DictField(read_only=True, allow_null=True)

    class Meta:
        model = TagChangeLog
        fields = (
            "id", "employee_number", "tag_code", "change", "before", "after", "actor_email", "reason", "created_at",
        )  # fmt: skip


class TagChangeViewSet(Records):
    """The log of tags that were added, changed or removed."""

    queryset = TagChangeLog.objects.select_related("employee", "tag", "actor").order_by("-pk")
    serializer_class = TagChangeSerializer
    pagination_class = LogPagination
    filter_backends = [NamedFilters]
    http_method_names = ["get", "head", "options"]
    narrowed = {"employee_number": Narrowed("employee__employee_number"), "tag_code": Narrowed("tag__code")}


register("employee-tags", EmployeeTagViewSet)
register("position-tags", PositionTagViewSet)
register("tag-changes", TagChangeViewSet)
register("tags", TagViewSet)
