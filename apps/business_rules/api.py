"""Rules to read, violations to take note of or let stand, and waivers, over the interface."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.filters import Narrowed
from apps.api.records import Records
from apps.api.router import register

from .enums import Severity, SubjectKind, ViolationState
from .models import BusinessRule, RuleViolation, Waiver
from .services.violations import acknowledge_violation
from .services.waivers import end_waiver, waive_violation


class RuleSerializer(serializers.ModelSerializer):
    """A business rule as it is in force."""

    class Meta:
        model = BusinessRule
        fields = (
            "id", "code", "name", "description", "subject_kind", "severity", "threshold", "enabled", "effective_from",
            "effective_until", "version", "updated_at",
        )  # fmt: skip


class RuleViewSet(Records):
    """Business rules."""

    queryset = BusinessRule.objects.order_by("code")
    serializer_class = RuleSerializer
    http_method_names = ["get", "head", "options"]
    narrowed = {
        "severity": Narrowed("severity", serializers.ChoiceField(Severity.choices)),
        "subject_kind": Narrowed("subject_kind", serializers.ChoiceField(SubjectKind.choices)),
        "enabled": Narrowed("enabled", serializers.BooleanField()),
        "code": Narrowed("code"),
    }
    search_fields = ("code", "name")
    ordering_fields = ("code", "name", "id")


class ViolationSerializer(serializers.ModelSerializer):
    """A rule that a record breaks."""

    rule_code = serializers.CharField(source="rule.code", read_only=True)

    class Meta:
        model = RuleViolation
        fields = (
            "id", "rule_code", "subject_kind", "subject_id", "subject_code", "severity", "observed", "limit", "state",
            "first_seen", "last_seen", "resolved_at", "updated_at",
        )  # fmt: skip


class Noted(serializers.Serializer):
    """Why it is taken note of."""

    reason = serializers.CharField(max_length=1_000, required=False, allow_blank=True, default="")


class Waiving(serializers.Serializer):
    """Why it may stand, and until when."""

    reason = serializers.CharField(max_length=1_000)
    expires_on = serializers.DateField()


class WaiverSerializer(serializers.ModelSerializer):
    """A rule that does not count for a record, or for a unit, until a day."""

    rule_code = serializers.CharField(source="rule.code", read_only=True)
    unit_code = serializers.CharField(source="org_unit.code", read_only=True, allow_null=True, default=None)
    granted_by_email = serializers.CharField(source="granted_by.email", read_only=True, allow_null=True, default=None)

    class Meta:
        model = Waiver
        fields = (
            "id", "rule_code", "subject_kind", "subject_id", "subject_code", "unit_code", "severity", "reason",
            "granted_by_email", "expires_on", "updated_at",
        )  # fmt: skip


class ViolationViewSet(Records):
    """Violations of rules."""

    queryset = RuleViolation.objects.select_related("rule").order_by("-id")
    serializer_class = ViolationSerializer
    verbs = {"acknowledge": "change", "waive": "view"}
    http_method_names = ["get", "head", "options", "post"]
    narrowed = {
        "state": Narrowed("state", serializers.ChoiceField(ViolationState.choices)),
        "severity": Narrowed("severity", serializers.ChoiceField(Severity.choices)),
        "subject_kind": Narrowed("subject_kind", serializers.ChoiceField(SubjectKind.choices)),
        "subject_id": Narrowed("subject_id", serializers.IntegerField()),
        "rule_code": Narrowed("rule__code"),
    }
    ordering_fields = ("id",)

    @extend_schema(request=Noted, responses={200: ViolationSerializer})
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, pk: Any = None) -> Response:
        """Take note of an open violation: it stays listed until it is resolved or waived."""
        asked = self.sent(Noted)
        row = acknowledge_violation(violation=self.get_object(), actor=self.person, **asked)
        return self.shown(self.fresh(row.pk))

    @extend_schema(request=Waiving, responses={201: WaiverSerializer})
    @action(detail=True, methods=["post"])
    def waive(self, request: Request, pk: Any = None) -> Response:
        """Let a violation stand until a day."""
        violation = self.get_object()
        asked = self.sent(Waiving)
        waiver = waive_violation(violation=violation, actor=self.person, **asked)
        told = WaiverSerializer(waiver, context=self.get_serializer_context()).data
        return Response(told, status=status.HTTP_201_CREATED)


class WaiverViewSet(Records):
    """Waivers."""

    queryset = Waiver.objects.select_related("rule", "org_unit", "granted_by").order_by("-id")
    serializer_class = WaiverSerializer
    verbs = {"end": "view"}
    http_method_names = ["get", "head", "options", "post"]
    narrowed = {
        "rule_code": Narrowed("rule__code"),
        "subject_kind": Narrowed("subject_kind", serializers.ChoiceField(SubjectKind.choices)),
        "subject_id": Narrowed("subject_id", serializers.IntegerField()),
        "in_force_on": Narrowed("expires_on__gte", serializers.DateField()),
    }
    ordering_fields = ("id", "expires_on")

    @extend_schema(request=Noted, responses={200: WaiverSerializer})
    @action(detail=True, methods=["post"])
    def end(self, request: Request, pk: Any = None) -> Response:
        """End a waiver today."""
        asked = self.sent(Noted)
        waiver = end_waiver(waiver=self.get_object(), actor=self.person, **asked)
        return self.shown(self.fresh(waiver.pk))


register("business-rules", RuleViewSet)
register("violations", ViolationViewSet)
register("waivers", WaiverViewSet)
