"""Accounts of hours over the interface."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.filters import Narrowed, week_asked
from apps.api.records import Records
from apps.api.router import register
from apps.changes.span import Span
from apps.common.clock import today
from apps.org.models import Employee

from .account import account
from .as_json import account_as_json
from .models import LedgerWeek

WEEK = OpenApiParameter("week", OpenApiTypes.STR, description="An ISO week, like 2026-W48; the current one and the 12 "
                                                             "to come without.")  # fmt: skip


class Line(serializers.Serializer):
    """What one record adds to a week."""

    kind = serializers.CharField()
    record = serializers.CharField()
    hours = serializers.CharField()
    weekly_hours = serializers.CharField()
    until = serializers.DateField()

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "from": serializers.DateField()}


class LedgerWeekTold(serializers.Serializer):
    """A week of an account, hours as texts of two decimals."""

    week = serializers.CharField()
    pool_hours = serializers.CharField()
    assigned_hours = serializers.CharField()
    balance_hours = serializers.CharField()
    proposed_hours = serializers.CharField()
    closed = serializers.BooleanField()
    corrected_at = serializers.DateTimeField(allow_null=True)
    lines = Line(many=True)


class Account(serializers.Serializer):
    """An employee's hours."""

    employee_number = serializers.CharField()
    weeks = LedgerWeekTold(many=True)


class Holder(serializers.ModelSerializer):
    """Somebody who has an account."""

    class Meta:
        model = Employee
        fields = ("id", "employee_number", "given_name", "family_name", "status")


def weeks_asked(request: Request) -> Span | None:
    """Return the week a request asks for; None for the current one and those to come. Raise ValidationError."""
    monday = week_asked(request)
    return None if monday is None else Span(monday, 1, today())


class LedgerViewSet(Records):
    """Hours of employees: the list says who has an account, the record is the account."""

    queryset = Employee.objects.order_by("family_name", "given_name", "id")
    serializer_class = Holder
    http_method_names = ["get", "head", "options"]
    narrowed = {"employee_number": Narrowed("employee_number")}
    asked_of_one = ("week",)
    search_fields = ("employee_number", "family_name", "given_name")
    ordering_fields = ("family_name", "employee_number", "id")
    right_on = LedgerWeek

    @extend_schema(parameters=[WEEK], responses={200: Account})
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return an employee's account: what every record gives and takes, week by week."""
        employee = self.get_object()
        return Response(account_as_json(employee, account(employee, weeks_asked(request))))


register("offer/hours-ledger", LedgerViewSet)
