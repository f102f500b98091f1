"""What every view of the interface is made of: one transaction for a deed, one way to say no, one scope."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from django.db import DatabaseError, connection, transaction
from django.utils import translation
from django.utils.http import quote_etag
from rest_framework import mixins, status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from apps.common.acting import signing

from .errors import PreconditionFailed
from .permissions import HasRight, OwnPassword
from .repeating import once

if TYPE_CHECKING:
    from apps.users.models import User

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Alone(APIView):
    """A view that the pages' middleware opens no transaction for: it reads tokens itself, later."""

    @property
    def person(self) -> User:
        """Return who is asking; IsAuthenticated lets nobody else in."""
        return cast("User", self.request.user)

    def sent(self, kind: Any) -> dict[str, Any]:
        """Return what was sent, read by this kind of serializer; raise ValidationError for what is not right."""
        read = kind(data=self.request.data, context={"request": self.request, "view": self})
        read.is_valid(raise_exception=True)
        values: dict[str, Any] = read.validated_data
        return values

    @classmethod
    def as_view(cls, *args: Any, **options: Any) -> Any:
        view: Any = super().as_view(*args, **options)
        view.acts_alone = True
        return view

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Speak the person's own language, as the pages do, once it is known who they are."""
        super().initial(request, *args, **kwargs)
        if request.user.is_authenticated:
            translation.activate(request.user.language)


class Deeds(Alone):
    """A view whose deeds are one signed transaction each, taken back with every answer that says no.

    A POST with an Idempotency-Key is done once.
    """

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        if request.method in SAFE:
            return super().dispatch(request, *args, **kwargs)
        try:
            with transaction.atomic():
                response = super().dispatch(request, *args, **kwargs)
                if response.status_code >= status.HTTP_400_BAD_REQUEST:
                    transaction.set_rollback(True)
        except DatabaseError as error:
            # What PostgreSQL only looks at in the end is told like any other no.
            response = self.finalize_response(self.request, self.handle_exception(error), *args, **kwargs)
        return response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method not in SAFE:
            with connection.cursor() as cursor:
                cursor.execute(*signing([str(request.user.pk), "", "api", ""]))
        if request.method == "POST" and (handler := getattr(self, "post", None)) is not None:
            # Here and not in each view: a deed that forgot it would be done twice.
            self.post = once(handler)


class Records(Deeds, mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet):
    """A list and its records, as far as the person sees them; what is out of sight is not there (404).

    `verbs` are the rights that actions need beyond view; `narrowed` the parameters of the list.
    """

    permission_classes = [IsAuthenticated, OwnPassword, HasRight]
    verbs: ClassVar[dict[str, str]] = {
        "create": "add", "partial_update": "change", "update": "change", "destroy": "delete",
    }  # fmt: skip
    http_method_names = ["get", "head", "options", "post", "patch", "delete"]

    def get_queryset(self) -> Any:
        queryset: Any = super().get_queryset()
        found = queryset.visible_to(self.person)
        if self.request.method not in SAFE and self.detail:
            found = found.select_for_update(of=("self",), no_key=True)
        return found

    def get_object(self) -> Any:
        """Return the record, locked where it is about to change.

        Raise PreconditionFailed if If-Match says that it was read as something else.
        """
        record = super().get_object()
        asked = "" if self.request.method in SAFE else self.request.headers.get("If-Match", "")
        tags = [one.strip().removeprefix("W/") for one in asked.split(",") if one.strip()]
        if tags and "*" not in tags and etag_of(record) not in tags:
            raise PreconditionFailed
        return record

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        record = self.get_object()
        tag = etag_of(record)
        if tag and tag in request.headers.get("If-None-Match", ""):
            return Response(status=status.HTTP_304_NOT_MODIFIED, headers={"ETag": tag})
        return self.shown(record)

    def shown(self, record: Any, *, status: int = 200) -> Response:
        """Return a record as an answer, with the tag that If-Match asks for."""
        serializer = self.get_serializer_class()(record, context=self.get_serializer_context())
        tag = etag_of(record)
        return Response(serializer.data, status=status, headers={"ETag": tag} if tag else None)

    def fresh(self, pk: Any) -> Any:
        """Return a record as it is now, with all that is told of it."""
        return super().get_queryset().get(pk=pk)


class Writable(Records):
    """Records that are created and changed here: `save(values, record)` hands on to the service."""

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        record = self.save(serializer.validated_data, None)
        return self.shown(self.fresh(record.pk), status=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        record = self.get_object()
        serializer = self.get_serializer(record, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        self.save(serializer.validated_data, record)
        return self.shown(self.fresh(record.pk))

    def filled(self, values: dict[str, Any], record: Any) -> Any:
        """Return a record, or a new one, with these values; nothing is saved."""
        filled = record if record is not None else cast("Any", self).queryset.model()
        for name, value in values.items():
            setattr(filled, name, value)
        return filled

    def save(self, values: dict[str, Any], record: Any) -> Any:
        """Create a record of these values, or change those of one; return it."""
        raise NotImplementedError


def etag_of(record: Any) -> str:
    """Return what names a record as it is now; "" for one that nothing tells of when it changed."""
    changed = getattr(record, "updated_at", None)
    return quote_etag(f"{record.pk}-{int(changed.timestamp() * 1_000_000)}") if changed else ""
