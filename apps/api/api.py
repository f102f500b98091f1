"""What somebody sees and decides about themselves, whatever their role: all there is for an EMPLOYEE."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from apps.assignments.models import Assignment
from apps.fsm.services import apply_transition
from apps.offer.account import account
from apps.offer.api import WEEK, Account, weeks_asked
from apps.offer.as_json import account_as_json
from apps.org.models import Employee
from apps.tags.models import EmployeeTag

from .permissions import OwnPassword
from .records import Alone, Deeds
from .router import at, register


class Own(Alone):
    """A view about oneself: 404 for whoever is no employee."""

    permission_classes = [IsAuthenticated, OwnPassword]

    def employee(self) -> Employee:
        found = Employee.objects.select_related("home_unit").filter(user=self.person.pk).first()
        if found is None:
            raise Http404
        return found


class Profile(serializers.ModelSerializer):
    """Oneself, the document number included: it is one's own."""

    home_unit_code = serializers.CharField(source="home_unit.code", read_only=True)

    class Meta:
        model = Employee
        fields = (
            "id", "employee_number", "given_name", "family_name", "email", "national_id", "home_unit_code", "hired_on",
            "last_day", "status",
        )  # fmt: skip


class OwnTag(serializers.ModelSerializer):
    """A tag one holds."""

    tag_code = serializers.CharField(source="tag.code", read_only=True)
    tag_name = serializers.CharField(source="tag.name", read_only=True)

    class Meta:
        model = EmployeeTag
        fields = ("id", "tag_code", "tag_name", "valid_from", "valid_until")


class OwnAssignment(serializers.ModelSerializer):
    """Hours one gives, or is asked to give."""

    position_code = serializers.CharField(source="position.code", read_only=True)
    position_title = serializers.CharField(source="position.title", read_only=True)

    class Meta:
        model = Assignment
        fields = (
            "id", "position_code", "position_title", "effective_hours", "is_reinforcement", "status", "starts_on",
            "ends_on", "expires_on",
        )  # fmt: skip


class Decision(serializers.Serializer):
    """Why, if one likes to say; and whether the warnings that came back are accepted."""

    reason = serializers.CharField(max_length=1_000, required=False, allow_blank=True, default="")
    confirmed = serializers.BooleanField(required=False, default=False)


class ProfileView(Own):
    """One's own record."""

    @extend_schema(responses={200: Profile}, operation_id="me_profile")
    def get(self, request: Request) -> Response:
        return Response(Profile(self.employee()).data)


class OwnTagsView(Own, ListAPIView):
    """The tags one holds."""

    serializer_class = OwnTag
    filter_backends = []
    queryset = EmployeeTag.objects.none()

    def get_queryset(self) -> Any:
        return EmployeeTag.objects.filter(employee=self.employee()).select_related("tag").order_by("-valid_from", "id")


class OwnLedgerView(Own):
    """One's own hours."""

    @extend_schema(parameters=[WEEK], responses={200: Account}, operation_id="me_ledger")
    def get(self, request: Request) -> Response:
        employee = self.employee()
        return Response(account_as_json(employee, account(employee, weeks_asked(request))))


class OwnAssignmentViewSet(Own, Deeds, ReadOnlyModelViewSet):
    """What one gives and is asked for; a proposal one accepts or rejects."""

    serializer_class = OwnAssignment
    filter_backends = []
    queryset = Assignment.objects.none()

    def get_queryset(self) -> Any:
        return Assignment.objects.filter(employee=self.employee()).select_related("position").order_by("-id")

    @extend_schema(request=Decision, responses={200: OwnAssignment})
    @action(detail=True, methods=["post"])
    def accept(self, request: Request, pk: Any = None) -> Response:
        """Accept a proposal made to oneself."""
        return self._decide(request, "accept")

    @extend_schema(request=Decision, responses={200: OwnAssignment})
    @action(detail=True, methods=["post"])
    def reject(self, request: Request, pk: Any = None) -> Response:
        """Reject a proposal made to oneself."""
        return self._decide(request, "reject")

    def _decide(self, request: Request, transition: str) -> Response:
        asked = self.sent(Decision)
        moved = apply_transition(self.get_object(), transition, actor=self.person, metadata={"by": "api"}, **asked)
        return Response(OwnAssignment(Assignment.objects.select_related("position").get(pk=moved.pk)).data)


at("me/ledger", OwnLedgerView)
at("me/profile", ProfileView)
at("me/tags", OwnTagsView)
register("me/assignments", OwnAssignmentViewSet)
