"""One envelope for every no: {code, detail, errors: [{field, code, detail}]}, in the reader's language."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.signals import got_request_exception
from django.db import DatabaseError
from django.http import Http404
from django.http.multipartparser import MultiPartParserError
from django.utils.translation import gettext as _
from rest_framework import exceptions, status
from rest_framework.response import Response

from apps.common.database_errors import explain_database_error
from apps.common.errors import ConfirmationNeeded, Reason, Refusal

logger = logging.getLogger("coveris.api")

# What a service's no means to a program. Whatever is not named stands in the way of the records as they are: 409.
FORBIDDEN = frozenset({"forbidden", "out_of_scope", "own_rights"})
MISSING = frozenset({"missing"})
INVALID = frozenset({"invalid", "needed", "not_a_date", "unknown_transition", "required"})


class PreconditionFailed(exceptions.APIException):
    """The record is not the one that was read: somebody changed it meanwhile."""

    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_code = "changed_meanwhile"

    def __init__(self) -> None:
        super().__init__(_("Somebody changed this record meanwhile: read it again, then change it."))


class TooLarge(exceptions.APIException):
    """More was sent than is read."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"

    def __init__(self) -> None:
        super().__init__(_("That is more than is read in one request: send less at once."))


def envelope(code: str, detail: str, errors: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Return the body of a no."""
    return {"code": code, "detail": detail, "errors": list(errors)}


def answer_to(error: Exception, context: Mapping[str, Any]) -> Response:
    """Return the answer to whatever a view raised; what nobody foresaw is logged, and nothing of it told."""
    if isinstance(error, DatabaseError) and (reason := explain_database_error(error)) is not None:
        error = Refusal(reason)
    match error:
        case Refusal():
            return _refused(error)
        case Http404():
            error = exceptions.NotFound()
        case DjangoPermissionDenied():
            error = exceptions.PermissionDenied()
        case DjangoValidationError():
            error = exceptions.ValidationError(_by_field(error))
        case RequestDataTooBig():
            error = TooLarge()
        case SuspiciousOperation() | BadRequest() | MultiPartParserError():
            error = exceptions.ParseError()
    if isinstance(error, exceptions.ValidationError):
        errors = list(_flat(error.get_full_details()))
        detail = _("Some values are not right: see errors.")
        return Response(envelope("invalid", detail, errors), status=error.status_code)
    if isinstance(error, exceptions.APIException):
        headers = {}
        if scheme := getattr(error, "auth_header", None):
            headers["WWW-Authenticate"] = scheme
        if wait := getattr(error, "wait", None):
            headers["Retry-After"] = str(int(wait) + 1)
        codes = error.get_codes()
        code = codes if isinstance(codes, str) else "refused"
        return Response(envelope(code, str(error.detail)), status=error.status_code, headers=headers)
    request = context.get("request")
    logger.exception("a request of the interface failed", exc_info=error)
    got_request_exception.send(sender=type(context.get("view")), request=getattr(request, "_request", None))
    detail = _("Something went wrong on our side; it is on record. Try again later.")
    return Response(envelope("error", detail), status=status.HTTP_500_INTERNAL_SERVER_ERROR)


def _refused(refusal: Refusal) -> Response:
    reasons = refusal.reasons
    codes = {reason.code for reason in reasons}
    number: int
    if isinstance(refusal, ConfirmationNeeded):
        code, number = "confirmation_needed", status.HTTP_409_CONFLICT
    elif codes & MISSING:
        code, number = "not_found", status.HTTP_404_NOT_FOUND
    elif codes & FORBIDDEN:
        code, number = next(iter(codes & FORBIDDEN)), status.HTTP_403_FORBIDDEN
    elif codes <= INVALID:
        code, number = "invalid", status.HTTP_400_BAD_REQUEST
    else:
        code, number = (next(iter(codes)) if len(codes) == 1 else "refused"), status.HTTP_409_CONFLICT
    detail = " ".join(refusal.explain()[:3])
    return Response(envelope(code, detail, [_told(reason) for reason in reasons]), status=number)


def _told(reason: Reason) -> dict[str, Any]:
    return {"field": reason.field, "code": reason.code, "detail": str(reason.message)}


def _by_field(error: DjangoValidationError) -> Any:
    return error.message_dict if hasattr(error, "error_dict") else error.messages


def _flat(details: Any, field: str = "") -> Iterator[dict[str, Any]]:
    """Yield one line a problem; fields inside of others are joined by points."""
    if isinstance(details, Mapping) and {"message", "code"} <= details.keys():
        yield {"field": field, "code": str(details["code"]), "detail": str(details["message"])}
    elif isinstance(details, Mapping):
        for name, inner in details.items():
            own = "" if name == "non_field_errors" else str(name)
            yield from _flat(inner, ".".join(filter(None, (field, own))))
    else:
        for number, inner in enumerate(details):
            is_leaf = isinstance(inner, Mapping) and {"message", "code"} <= inner.keys()
            yield from _flat(inner, field if is_leaf else ".".join(filter(None, (field, str(number)))))
