"""Spreadsheets over the interface: uploaded, looked at, brought in, taken back, as on the pages."""

from __future__ import annotations

from typing import Any

from django.db.models import Func, IntegerField
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.filters import Narrowed
from apps.api.parsing import Json
from apps.api.records import Records
from apps.api.router import register
from apps.common.resources import resources

from .enums import JobState, Mode
from .models import ImportJob
from .reading import DATES, DECIMALS, ENCODINGS, SEPARATORS, Options
from .services import (
    NotConfirmed,
    abandon,
    cancel,
    confirm,
    is_small,
    preview,
    request_confirm,
    request_preview,
    undo_import,
    upload,
)


class Upload(serializers.Serializer):
    """A sheet and how its texts are meant; what is not said is found out, or read as ISO dates and decimal points."""

    kind = serializers.CharField(max_length=32)
    file = serializers.FileField()
    mode = serializers.ChoiceField(Mode.choices, default=Mode.ALL_OR_NOTHING)
    dates = serializers.ChoiceField(list(DATES), default="iso")
    decimal = serializers.ChoiceField(list(DECIMALS), default="point")
    separator = serializers.ChoiceField(["auto", *SEPARATORS], default="auto")
    encoding = serializers.ChoiceField(["auto", *ENCODINGS], default="auto")


class ImportSerializer(serializers.ModelSerializer):
    """An import: where it stands, its counts, and what it would do (or did) to coverage and rules.

    `confirmation` names exactly the warnings that were seen: send it back to confirm them.
    """

    confirmation = serializers.SerializerMethodField()
    warnings = serializers.SerializerMethodField()
    errors_total = serializers.IntegerField(read_only=True)
    failure = serializers.SerializerMethodField()

    class Meta:
        model = ImportJob
        fields = (
            "id", "kind", "file_name", "mode", "state", "created", "updated", "unchanged", "refused", "errors_total",
            "warnings", "confirmation", "impact", "failure", "created_at", "decided_at", "undone_at",
        )  # fmt: skip

    def get_confirmation(self, job: ImportJob) -> str:
        return str(job.options.get("confirmation", ""))

    def get_warnings(self, job: ImportJob) -> list[dict[str, Any]]:
        return list(job.options.get("warnings", []))

    def get_failure(self, job: ImportJob) -> str:
        return str(job.options.get("failure", ""))


class Fault(serializers.Serializer):
    """What is wrong with a row: where, what stands there, what to do."""

    line = serializers.IntegerField()
    column = serializers.CharField()
    value = serializers.CharField(allow_blank=True)
    code = serializers.CharField()
    message = serializers.CharField()


class Confirmation(serializers.Serializer):
    """The warnings that were seen, by the name the import gives them."""

    confirmation = serializers.CharField(max_length=64, required=False, allow_blank=True, default="")


class Why(serializers.Serializer):
    """Why it is taken back."""

    reason = serializers.CharField(max_length=400, required=False, allow_blank=True, default="")


class ImportViewSet(Records):
    """Imports, one's own (all of them for an ADMIN). Files of more than 64 KB are a worker's: ask again how it is."""

    # Of what may be megabytes of faults the database says how many there are.
    queryset = (
        ImportJob.objects.defer("content", "refused_rows", "errors")
        .annotate(errors_total=Func("errors", function="jsonb_array_length", output_field=IntegerField()))
        .order_by("-id")
    )
    serializer_class = ImportSerializer
    parser_classes = [MultiPartParser, Json]
    http_method_names = ["get", "head", "options", "post"]
    verbs = {"create": "add", "confirm": "change", "abandon": "change", "cancel": "change", "undo": "change"}
    narrowed = {
        "state": Narrowed("state", serializers.ChoiceField(JobState.choices)),
        "kind": Narrowed("kind", serializers.ChoiceField(sorted(resources()))),
    }
    ordering_fields = ("id",)

    @extend_schema(request={"multipart/form-data": Upload}, responses={201: ImportSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Upload a sheet and have it looked at; nothing is brought in before it is confirmed."""
        values = self.sent(Upload)
        job = upload(
            file=values["file"], kind=values["kind"], actor=self.person, mode=values["mode"],
            options=Options(values["encoding"], values["separator"], values["dates"], values["decimal"]),
        )  # fmt: skip
        if is_small(job):
            preview(job=job, actor=self.person)
        else:
            request_preview(job=job, actor=self.person)
        return self.shown(self.fresh(job.pk), status=status.HTTP_201_CREATED)

    @extend_schema(responses={200: Fault(many=True)}, filters=False)
    @action(detail=True, methods=["get"])
    def errors(self, request: Request, pk: Any = None) -> Response:
        """Return what is wrong with the rows, a page at a time."""
        names = ("line", "column", "value", "code", "message")
        faults = [{name: error.get(name, "") for name in names} for error in self.get_object().errors]
        return self.get_paginated_response(self.paginate_queryset(faults))

    @extend_schema(request=Confirmation, responses={200: ImportSerializer})
    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, pk: Any = None) -> Response:
        """Bring in what was looked at. Other warnings than those confirmed are told, and nothing is brought in."""
        job = self.get_object()
        asked = self.sent(Confirmation)
        seen = asked["confirmation"]
        if not is_small(job):
            request_confirm(job=job, actor=self.person, confirmed_warnings=seen)
            return self.shown(self.fresh(job.pk))
        try:
            confirm(job=job, actor=self.person, confirmed_warnings=seen)
        except NotConfirmed:
            preview(job=job, actor=self.person)
        return self.shown(self.fresh(job.pk))

    @extend_schema(request=None, responses={200: ImportSerializer})
    @action(detail=True, methods=["post"])
    def abandon(self, request: Request, pk: Any = None) -> Response:
        """Drop a sheet without bringing it in."""
        return self.shown(self.fresh(abandon(job=self.get_object(), actor=self.person).pk))

    @extend_schema(request=None, responses={200: ImportSerializer})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: Any = None) -> Response:
        """Have a worker stop before it writes."""
        job = self.get_object()
        cancel(job=job, actor=self.person)
        return self.shown(self.fresh(job.pk))

    @extend_schema(request=Why, responses={200: ImportSerializer})
    @action(detail=True, methods=["post"])
    def undo(self, request: Request, pk: Any = None) -> Response:
        """Take a finished import back; refused, with names, if anything was changed since."""
        job = self.get_object()
        asked = self.sent(Why)
        undo_import(job=job, actor=self.person, reason=asked["reason"])
        return self.shown(self.fresh(job.pk))


register("imports", ImportViewSet)
