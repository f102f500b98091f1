"""Units, positions, employees and leaves over the interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.filters import Narrowed
from apps.api.records import Writable
from apps.api.related import ByCode, Masked
from apps.api.router import register
from apps.api.transitions import Moving
from apps.fsm.employee_fsm import EmployeeStatus

from .enums import UnitKind
from .models import Employee, Leave, OrgUnit, Position
from .querysets import scope_of
from .services.employees import save_employees
from .services.leaves import cancel_leave, save_leaves
from .services.positions import save_positions
from .services.units import move_unit, remove_unit, save_units

if TYPE_CHECKING:
    from apps.users.models import User


class OrgUnitSerializer(serializers.ModelSerializer):
    """A unit of the tree. It moves by `move`, so `parent_code` is set when it is created."""

    parent_code = ByCode(OrgUnit, source="parent", allow_null=True, required=False)

    class Meta:
        model = OrgUnit
        fields = (
            "id", "code", "name", "kind", "parent_code", "coverage_target", "max_weekly_hours", "headroom", "is_active",
            "updated_at",
        )  # fmt: skip
        read_only_fields = ("id", "updated_at")

    def to_representation(self, instance: OrgUnit) -> dict[str, Any]:
        told: dict[str, Any] = super().to_representation(instance)
        return told | {"parent_code": parent_code(instance, self.context["request"].user)}


def parent_code(unit: OrgUnit, user: User) -> str | None:
    """Return the code of the unit above; what lies above somebody's own part of the house is out of their sight."""
    return unit.parent.code if unit.parent is not None and unit.pk != scope_of(user) else None


class Move(serializers.Serializer):
    """Under which unit to hang it; null for the top."""

    parent_code = ByCode(OrgUnit, source="parent", allow_null=True)
    reason = serializers.CharField(max_length=1_000, required=False, allow_blank=True, default="")


class Branch(serializers.Serializer):
    """A unit of the tree as one walks it: how deep it lies, and under which."""

    id = serializers.IntegerField()
    code = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.CharField()
    parent_code = serializers.CharField(allow_null=True)
    depth = serializers.IntegerField()


class OrgUnitViewSet(Writable):
    """Units of the organisation tree."""

    queryset = OrgUnit.objects.select_related("parent").order_by("code")
    serializer_class = OrgUnitSerializer
    verbs = Writable.verbs | {"move": "change"}
    narrowed = {
        "kind": Narrowed("kind", serializers.ChoiceField(UnitKind.choices)),
        "parent_code": Narrowed("parent__code", help="Units right under this one."),
        "is_active": Narrowed("is_active", serializers.BooleanField()),
        "code": Narrowed("code"),
    }
    search_fields = ("code", "name")
    ordering_fields = ("code", "name", "id")

    def filter_queryset(self, queryset: Any) -> Any:
        found = super().filter_queryset(queryset)
        # Who sees no unit cannot find out by its code what hangs under it, either.
        return found.filter(parent__in=self.get_queryset()) if "parent_code" in self.request.query_params else found

    def save(self, values: dict[str, Any], record: OrgUnit | None) -> OrgUnit:
        if record is not None and "parent" in values and values["parent"] != record.parent:
            raise serializers.ValidationError({"parent_code": [_("A unit moves by POST …/move/.")]})
        unit = self.filled(values, record)
        return save_units(units=[unit], actor=self.person)[0]

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Remove a unit that nothing hangs on."""
        remove_unit(unit=self.get_object(), actor=self.person)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=Move, responses={200: OrgUnitSerializer})
    @action(detail=True, methods=["post"])
    def move(self, request: Request, pk: Any = None) -> Response:
        """Hang a unit and all below it under another."""
        unit = self.get_object()
        asked = self.sent(Move)
        moved = move_unit(unit=unit, parent=asked["parent"], actor=self.person, reason=asked["reason"])
        return self.shown(self.fresh(moved.pk))

    @extend_schema(responses={200: Branch(many=True)})
    @action(detail=False, methods=["get"])
    def tree(self, request: Request) -> Response:
        """Return the units in the order of the tree, each after the one above it, a page at a time."""
        rows = self.filter_queryset(self.get_queryset()).order_by("path")
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(
            [
                {
                    "id": unit.pk, "code": unit.code, "name": unit.name, "kind": unit.kind, "depth": len(unit.path),
                    "parent_code": parent_code(unit, self.person),
                }
                for unit in page or []
            ]
        )  # fmt: skip


class PositionSerializer(serializers.ModelSerializer):
    """What is needed: hours a week in a unit, from one day to another."""

    unit_code = ByCode(OrgUnit, source="org_unit")

    class Meta:
        model = Position
        fields = (
            "id", "code", "title", "unit_code", "required_weekly_hours", "opens_on", "closes_on", "updated_at",
        )  # fmt: skip
        read_only_fields = ("id", "updated_at")


class Copy(serializers.Serializer):
    """The code of the copy."""

    code = serializers.CharField(max_length=40)


class PositionViewSet(Writable):
    """Positions."""

    queryset = Position.objects.select_related("org_unit").order_by("code")
    serializer_class = PositionSerializer
    verbs = Writable.verbs | {"duplicate": "add"}
    narrowed = {
        "unit_code": Narrowed("org_unit__code", help="Positions of this unit itself."),
        "code": Narrowed("code"),
        "opens_from": Narrowed("opens_on__gte", serializers.DateField()),
        "closes_until": Narrowed("closes_on__lte", serializers.DateField()),
    }
    search_fields = ("code", "title")
    ordering_fields = ("code", "title", "opens_on", "closes_on", "id")

    def save(self, values: dict[str, Any], record: Position | None) -> Position:
        position = self.filled(values, record)
        return save_positions(positions=[position], actor=self.person)[0]

    @extend_schema(request=Copy, responses={201: PositionSerializer})
    @action(detail=True, methods=["post"])
    def duplicate(self, request: Request, pk: Any = None) -> Response:
        """Create a position like this one under another code; its tags go with it."""
        from apps.tags.models import PositionTag
        from apps.tags.services import set_position_tags

        position = self.get_object()
        asked = self.sent(Copy)
        kept = {name: getattr(position, name) for name in ("title", "org_unit", "required_weekly_hours", "opens_on",
                                                           "closes_on")}  # fmt: skip
        copy = save_positions(positions=[Position(code=asked["code"], **kept)], actor=self.person)[0]
        tags = dict(PositionTag.objects.filter(position=position).values_list("tag_id", "level"))
        set_position_tags(wanted={copy.pk: tags}, actor=self.person)
        return self.shown(self.fresh(copy.pk), status=status.HTTP_201_CREATED)


class EmployeeSerializer(serializers.ModelSerializer):
    """A person who can give hours. Status and last day change by transitions alone."""

    home_unit_code = ByCode(OrgUnit, source="home_unit")
    national_id = Masked(max_length=20, required=False, allow_blank=True)

    class Meta:
        model = Employee
        fields = (
            "id", "employee_number", "given_name", "family_name", "email", "national_id", "home_unit_code", "hired_on",
            "last_day", "status", "updated_at",
        )  # fmt: skip
        read_only_fields = ("id", "last_day", "status", "updated_at")


class EmployeeViewSet(Moving, Writable):
    """Employees."""

    queryset = Employee.objects.select_related("home_unit").order_by("family_name", "given_name", "id")
    serializer_class = EmployeeSerializer
    narrowed = {
        "status": Narrowed("status", serializers.ChoiceField(EmployeeStatus.choices)),
        "home_unit_code": Narrowed("home_unit__code", help="Employees of this unit itself."),
        "employee_number": Narrowed("employee_number"),
    }
    search_fields = ("employee_number", "family_name", "given_name")
    ordering_fields = ("family_name", "employee_number", "hired_on", "id")

    def save(self, values: dict[str, Any], record: Employee | None) -> Employee:
        employee = self.filled(values, record)
        return save_employees(employees=[employee], actor=self.person)[0]


class LeaveSerializer(serializers.ModelSerializer):
    """Days on which an employee gives no hours."""

    employee_number = ByCode(Employee, "employee_number", source="employee")

    class Meta:
        model = Leave
        fields = ("id", "employee_number", "kind", "starts_on", "ends_on", "reason", "updated_at")
        read_only_fields = ("id", "updated_at")


class LeaveViewSet(Writable):
    """Leaves."""

    queryset = Leave.objects.select_related("employee").order_by("-starts_on", "id")
    serializer_class = LeaveSerializer
    narrowed = {
        "employee_number": Narrowed("employee__employee_number"),
        "starts_from": Narrowed("starts_on__gte", serializers.DateField()),
        "ends_until": Narrowed("ends_on__lte", serializers.DateField()),
    }
    ordering_fields = ("starts_on", "ends_on", "id")

    def save(self, values: dict[str, Any], record: Leave | None) -> Leave:
        leave = self.filled(values, record)
        return save_leaves(leaves=[leave], actor=self.person)[0]

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Take a leave back."""
        cancel_leave(leave=self.get_object(), actor=self.person)
        return Response(status=status.HTTP_204_NO_CONTENT)


register("employees", EmployeeViewSet)
register("leaves", LeaveViewSet)
register("org-units", OrgUnitViewSet)
register("positions", PositionViewSet)
