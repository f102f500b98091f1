"""Coverage and who could cover, over the interface."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.filters import refuse_unknown, week_asked
from apps.api.permissions import OwnPassword
from apps.api.records import Alone
from apps.api.router import at
from apps.changes.freshness import freshness
from apps.common.clock import monday_of, today
from apps.common.hours import to_hours
from apps.common.weeks import horizon, week_code
from apps.org.models import OrgUnit, Position

from .as_json import board_as_json, candidates_as_json
from .board import NoFigures, board
from .candidates import Wanted, candidates
from .gaps import gap

UNITS_MOST = 2_000
MOST_CANDIDATES = 100


class Right(BasePermission):
    """The right `view.right`."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user.has_perm(view.right))


class Asked(Alone):
    """A question about figures: no list, no record."""

    permission_classes = [IsAuthenticated, OwnPassword, Right]
    known: ClassVar[frozenset[str]] = frozenset()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        refuse_unknown(request, self.known | {"format"})


class UnitTold(serializers.Serializer):
    """A unit with everything below it; hours as texts of two decimals, percents of one or null without demand."""

    code = serializers.CharField()
    parent_code = serializers.CharField(allow_null=True)
    required_hours = serializers.CharField()
    assigned_hours = serializers.CharField()
    reinforcement_hours = serializers.CharField()
    proposed_hours = serializers.CharField()
    unqualified_hours = serializers.CharField()
    filled_hours = serializers.CharField()
    deficit_hours = serializers.CharField()
    surplus_hours = serializers.CharField()
    headroom_hours = serializers.CharField()
    headroom_filled_hours = serializers.CharField()
    coverage_percent = serializers.CharField(allow_null=True)
    raw_percent = serializers.CharField(allow_null=True)
    net_zero = serializers.BooleanField()
    positions = serializers.DictField(child=serializers.IntegerField())


class PositionTold(serializers.Serializer):
    """A position in that week."""

    code = serializers.CharField()
    unit_code = serializers.CharField()
    required_hours = serializers.CharField()
    assigned_hours = serializers.CharField()
    reinforcement_hours = serializers.CharField()
    proposed_hours = serializers.CharField()
    unqualified_hours = serializers.CharField()
    coverage_percent = serializers.CharField(allow_null=True)
    state = serializers.CharField()


class Summary(serializers.Serializer):
    """The coverage of a part of the tree in a week."""

    week = serializers.CharField()
    computed_at = serializers.DateTimeField(allow_null=True)
    closed = serializers.BooleanField()
    corrected = serializers.DictField(allow_null=True)
    waiting = serializers.IntegerField()
    units = UnitTold(many=True)
    positions = PositionTold(many=True)


class CoverageSummary(Asked):
    """Required and assigned hours, coverage and states of a unit, its sub-units and positions."""

    right = "demand.view_unitcoverage"
    known = frozenset({"week", "unit"})

    @extend_schema(
        parameters=[
            OpenApiParameter("week", OpenApiTypes.STR, description="An ISO week, like 2026-W48; the current one "
                                                                   "without."),
            OpenApiParameter("unit", OpenApiTypes.STR, description="The code of a unit; all one sees without."),
        ],
        responses={200: Summary},
        operation_id="demand_coverage_summary",
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        root = None
        units = OrgUnit.objects.visible_to(self.person)
        if code := request.query_params.get("unit", ""):
            root = units.filter(code=code).first() if "\x00" not in code else None
            if root is None:
                raise Http404
        inside = units if root is None else units.under(root.pk)
        if inside.order_by()[: UNITS_MOST + 1].count() > UNITS_MOST:
            raise serializers.ValidationError(
                {"unit": [_("More than %(most)s units lie in it: ask for one further down.") % {"most": UNITS_MOST}]}
            )
        try:
            found = board(week=week_asked(request) or monday_of(today()), user=self.person, unit=root)
        except NoFigures as error:
            raise Http404 from error
        return Response(board_as_json(found, freshness()))


class WeekTold(serializers.Serializer):
    """A week of which figures are kept."""

    week = serializers.CharField()
    first_day = serializers.DateField()
    last_day = serializers.DateField()
    is_current = serializers.BooleanField()


class Weeks(Asked):
    """The weeks of which figures are kept: the current one and those to come, by the clinic's own calendar."""

    right = "demand.view_unitcoverage"

    @extend_schema(responses={200: WeekTold(many=True)}, operation_id="weeks")
    def get(self, request: Request) -> Response:
        current = monday_of(today())
        return Response(
            [
                {
                    "week": week_code(monday), "first_day": monday, "last_day": monday + timedelta(days=6),
                    "is_current": monday == current,
                }
                for monday in horizon()
            ]
        )  # fmt: skip


class CandidateTold(serializers.Serializer):
    """Somebody who could cover, near first, with what speaks against it."""

    employee_number = serializers.CharField()
    unit_code = serializers.CharField()
    steps = serializers.IntegerField()
    free_hours = serializers.CharField()
    has_room = serializers.BooleanField()
    contract_until = serializers.DateField(allow_null=True)
    preferred_tags = serializers.ListField(child=serializers.CharField())
    lacking_tags = serializers.ListField(child=serializers.CharField())
    allowed = serializers.BooleanField()
    verdicts = serializers.ListField(child=serializers.DictField())
    against = serializers.ListField(child=serializers.CharField())


class Found(serializers.Serializer):
    """Who could cover a position's gap; week and hours are null where nothing is missing."""

    position_code = serializers.CharField()
    week = serializers.CharField(allow_null=True)
    hours = serializers.CharField(allow_null=True)
    until = serializers.DateField(allow_null=True)
    candidates = CandidateTold(many=True)

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "from": serializers.DateField(allow_null=True)}


class CandidatesView(Asked):
    """Who could cover a position's gap."""

    right = "assignments.add_assignment"
    known = frozenset({"position", "week", "hours", "limit", "untrained"})

    @extend_schema(
        parameters=[
            OpenApiParameter("position", OpenApiTypes.STR, required=True, description="The code of a position."),
            OpenApiParameter("week", OpenApiTypes.STR, description="The ISO week of the gap; the first with one."),
            OpenApiParameter("hours", OpenApiTypes.DECIMAL, description="Hours a week; what is missing without."),
            OpenApiParameter("limit", OpenApiTypes.INT, description=f"So many at most, up to {MOST_CANDIDATES} (25)."),
            OpenApiParameter("untrained", OpenApiTypes.BOOL, description="Also who lacks a required tag."),
        ],
        responses={200: Found},
        operation_id="demand_candidates",
    )
    def get(self, request: Request) -> Response:
        code = request.query_params.get("position", "")
        if not code:
            raise serializers.ValidationError({"position": [_("Say which position.")]})
        seen = Position.objects.visible_to(self.person).select_related("org_unit", "coverage")
        position = seen.filter(code=code).first() if "\x00" not in code else None
        if position is None:
            raise Http404
        asked = _Options(data={name: request.query_params[name] for name in ("hours", "limit", "untrained")
                               if name in request.query_params})  # fmt: skip
        asked.is_valid(raise_exception=True)
        options = asked.validated_data
        try:
            lacking = gap(position, week_asked(request))
        except ValueError as error:
            raise serializers.ValidationError({"week": [_("A week of the current one and the 12 to come.")]}) from error
        hours = options.get("hours") or to_hours(lacking.missing)
        wanted = Wanted(position, hours, max(lacking.week, today()), lacking.until) if hours else None
        found = []
        if wanted is not None:
            found = candidates(
                wanted, user=self.person, limit=options["limit"], widely=True, untrained=options["untrained"]
            )
        return Response(candidates_as_json(position, wanted, found))


class _Options(serializers.Serializer):
    hours = serializers.DecimalField(max_digits=8, decimal_places=2, min_value=Decimal("0.01"), required=False)
    limit = serializers.IntegerField(min_value=1, max_value=MOST_CANDIDATES, default=25)
    untrained = serializers.BooleanField(default=False)


at("weeks", Weeks)
at("demand/coverage-summary", CoverageSummary)
at("demand/candidates", CandidatesView)
