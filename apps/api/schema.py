"""What the OpenAPI description says beyond what serializers say by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers


class Problem(serializers.Serializer):
    """One thing that is wrong: the field it belongs to, if any, a word for programs, and a sentence for people."""

    field = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class No(serializers.Serializer):
    """The envelope of every answer that is no success."""

    code = serializers.CharField()
    detail = serializers.CharField()
    errors = Problem(many=True)  # type: ignore[assignment]


# What the machinery below every view answers.
NO = {
    400: OpenApiResponse(No, description="Something that was sent is not right."),
    401: OpenApiResponse(No, description="Not signed in, or no longer."),
    403: OpenApiResponse(No, description="Not among what this person may do."),
    406: OpenApiResponse(No, description="Another form than JSON was asked for."),
    429: OpenApiResponse(No, description="Asked too often: Retry-After says when to ask again."),
}
NO_RECORD = {404: OpenApiResponse(No, description="Not there, or out of this person's sight.")}
IN_THE_WAY = {
    409: OpenApiResponse(No, description="The records as they are, or the rules, stand in the way; or warnings are to "
                                         "be confirmed (code confirmation_needed)."),
}  # fmt: skip
CHANGED = {
    412: OpenApiResponse(No, description="Somebody changed the record meanwhile (If-Match)."),
}
WITH_A_BODY = {
    413: OpenApiResponse(No, description="More was sent than is read."),
    415: OpenApiResponse(No, description="What was sent is not of a kind that is read here."),
}
KEY_TAKEN = {422: OpenApiResponse(No, description="The Idempotency-Key was used for another request.")}
UNCHANGED = {304: OpenApiResponse(description="It is still what If-None-Match says.")}

REPEATABLE = OpenApiParameter(
    "Idempotency-Key", str, OpenApiParameter.HEADER,
    description="A request with this key is done once, however often it is sent. At most 200 characters, kept a day.",
)  # fmt: skip
STILL = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="The ETag that was read: refused (412) if it is another by now.",
)
KNOWN = OpenApiParameter(
    "If-None-Match", str, OpenApiParameter.HEADER, description="The ETag that is known: 304 if it is the same still."
)


class Described(AutoSchema):
    """An operation with every no that may come back, and the headers that are read, whatever its view says of them."""

    def get_override_parameters(self) -> list[Any]:
        return [*super().get_override_parameters(), *self._headers()]

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        told = super()._get_response_bodies(direction)
        for code, answer in self._noes().items():
            told.setdefault(str(code), self._get_response_for_code(answer, str(code), direction=direction))
        return dict(sorted(told.items()))

    def _headers(self) -> Iterator[OpenApiParameter]:
        from .records import Deeds, Records

        if self.method == "POST" and isinstance(self.view, Deeds):
            yield REPEATABLE
        if isinstance(self.view, Records) and self.view.detail:
            if self.method != "GET":
                yield STILL
            elif self.view.action == "retrieve":
                yield KNOWN

    def _noes(self) -> dict[int, OpenApiResponse]:
        from .records import Deeds

        headers = set(self._headers())
        noes = NO | (NO_RECORD if self.view.permission_classes else {})
        if self.method != "GET":
            noes |= WITH_A_BODY
            if isinstance(self.view, Deeds):
                noes |= IN_THE_WAY
        if REPEATABLE in headers:
            noes |= KEY_TAKEN
        if STILL in headers:
            noes |= CHANGED
        if KNOWN in headers:
            noes |= UNCHANGED
        return noes


class Decimals(OpenApiSerializerFieldExtension):
    """Decimals are told as texts, which lose nothing, and read as texts or numbers."""

    target_class = "rest_framework.serializers.DecimalField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        described: dict[str, Any] = auto_schema._map_serializer_field(self.target, direction, bypass_extensions=True)
        # Whether it may be null is added by whoever asks.
        return described | {"type": ["string", "number"] if direction == "request" else "string"}


class CookieScheme(OpenApiAuthenticationExtension):
    """How one is signed in: by the cookie that POST /api/v1/auth/login/ gives."""

    target_class = "apps.api.authentication.CookieJWTAuthentication"
    name = "cookie"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "apiKey", "in": "cookie", "name": "coveris_access"}


class BearerScheme(OpenApiAuthenticationExtension):
    """How one is signed in where Amazon Cognito says who somebody is."""

    target_class = "apps.api.cognito.CognitoJWTAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
