"""Signing in and out of the interface, and who one is."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError as DjangoValidationError
from django.middleware.csrf import get_token, rotate_token
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from apps.org.models import OrgUnit
from apps.org.querysets import scope_of
from apps.users.models import User
from apps.users.services import set_password

from .authentication import access_token_of, drop_cookies, enforce_csrf, put_cookies, refresh_token_of
from .records import Alone, Deeds
from .throttles import Login, Logout, TokenRefresh
from .tokens import NotSignedIn, family_of, refresh, sign_in, sign_out, sign_out_everywhere


class Credentials(serializers.Serializer):
    """What one signs in with."""

    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(max_length=1_000, trim_whitespace=False, write_only=True)


class NewPassword(serializers.Serializer):
    """The password in force and the one to be."""

    current = serializers.CharField(max_length=1_000, trim_whitespace=False, write_only=True)
    new = serializers.CharField(max_length=1_000, trim_whitespace=False, write_only=True)


class Me(serializers.ModelSerializer):
    """Who is signed in; `unit_code` is the part of the organisation they work in, null for the whole of it."""

    unit_code = serializers.SerializerMethodField()
    employee_number = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = (
            "id", "email", "given_name", "family_name", "role", "language", "must_change_password", "unit_code",
            "employee_number",
        )  # fmt: skip
        read_only_fields = fields

    def get_unit_code(self, user: User) -> str | None:
        unit = scope_of(user)
        return None if unit is None else OrgUnit.objects.values_list("code", flat=True).get(pk=unit)

    def get_employee_number(self, user: User) -> str | None:
        employee = getattr(user, "employee", None)
        return employee.employee_number if employee is not None else None


class Open(Alone):
    """A view for whoever is not signed in yet, or any more: no token is read, and what fails is a 401 all the same."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get_authenticate_header(self, request: Request) -> str:
        return "Cookie"


class LoginView(Open):
    """Proves who one is by e-mail and password. What fails is counted by axes, also across addresses."""

    throttle_classes = (Login,)

    @extend_schema(request=Credentials, responses={200: Me}, operation_id="auth_login")
    def post(self, request: Request) -> Response:
        given = self.sent(Credentials)
        user = authenticate(
            request._request,
            username=given["email"].lower(),
            password=given["password"],
        )
        if user is None:
            # The same for an unknown address, a wrong password, a locked account.
            raise AuthenticationFailed(_("E-mail or password are not right."), code="wrong_credentials")
        rotate_token(request._request)
        response = Response(Me(user).data)
        put_cookies(response, sign_in(user=user))
        return response


class RefreshView(Open):
    """Gives a new pair of tokens for the refresh token, which is good once."""

    throttle_classes = (TokenRefresh,)

    @extend_schema(request=None, responses={204: OpenApiResponse(description="New cookies.")},
                   operation_id="auth_token_refresh")  # fmt: skip
    def post(self, request: Request) -> Response:
        enforce_csrf(request)
        try:
            pair = refresh(token=refresh_token_of(request))
        except NotSignedIn as error:
            raise AuthenticationFailed(_("You are not signed in, or no longer."), code="not_signed_in") from error
        response = Response(status=status.HTTP_204_NO_CONTENT)
        put_cookies(response, pair)
        return response


class LogoutView(Open):
    """Ends the sign-in, also one whose access token ran out; the cookies go whatever they hold."""

    throttle_classes = (Logout,)

    @extend_schema(request=None, responses={204: OpenApiResponse(description="Signed out.")},
                   operation_id="auth_logout")  # fmt: skip
    def post(self, request: Request) -> Response:
        enforce_csrf(request)
        for renewing, token in ((False, access_token_of(request)), (True, refresh_token_of(request))):
            try:
                sign_out(family=family_of(token, renewing=renewing).pk)
            except NotSignedIn:
                continue  # what is no token, or is over, ends nothing
        response = Response(status=status.HTTP_204_NO_CONTENT)
        drop_cookies(response)
        return response


class PasswordView(Deeds):
    """Changes one's own password, and ends every other sign-in."""

    permission_classes = (IsAuthenticated,)
    open_to_owed_password = True

    @extend_schema(request=NewPassword, responses={204: OpenApiResponse(description="Changed.")},
                   operation_id="auth_password")  # fmt: skip
    def post(self, request: Request) -> Response:
        given = self.sent(NewPassword)
        user = User.objects.select_for_update(no_key=True).get(pk=request.user.pk)
        if not user.check_password(given["current"]):
            raise serializers.ValidationError({"current": [_("This is not the password in force.")]})
        try:
            set_password(user=user, password=given["new"], actor=user)
        except DjangoValidationError as error:
            raise serializers.ValidationError({"new": error.messages}) from error
        sign_out_everywhere(user=user)
        response = Response(status=status.HTTP_204_NO_CONTENT)
        if not settings.COGNITO_USER_POOL_ID:
            put_cookies(response, sign_in(user=user))
        return response


class MeView(Alone):
    """Who is signed in. Reading it also gives the CSRF cookie that every change asks for."""

    permission_classes = (IsAuthenticated,)
    open_to_owed_password = True

    @extend_schema(responses={200: Me}, operation_id="auth_me")
    def get(self, request: Request) -> Response:
        get_token(request._request)
        return Response(Me(request.user).data)
