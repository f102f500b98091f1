"""What the OpenAPI description says beyond what serializers say by themselves."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiResponse
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


NO = {
    400: OpenApiResponse(No, description="Something that was sent is not right."),
    401: OpenApiResponse(No, description="Not signed in, or no longer."),
    403: OpenApiResponse(No, description="Not among what this person may do."),
    429: OpenApiResponse(No, description="Asked too often: Retry-After says when to ask again."),
}
NO_RECORD = {404: OpenApiResponse(No, description="Not there, or out of this person's sight.")}
NO_CHANGE = {
    409: OpenApiResponse(No, description="The records as they are, or the rules, stand in the way; or warnings are to "
                                         "be confirmed (code confirmation_needed)."),
    412: OpenApiResponse(No, description="Somebody changed the record meanwhile (If-Match)."),
}  # fmt: skip


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
