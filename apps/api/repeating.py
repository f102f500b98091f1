"""A POST that may be sent twice: an Idempotency-Key has it done once, and answered the same both times."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from .models import AnsweredRequest

HEADER = "Idempotency-Key"
REPEATED = "Idempotency-Replayed"


class KeyTaken(APIException):
    """The key names another request."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "key_taken"

    def __init__(self) -> None:
        super().__init__(_("This Idempotency-Key was used for another request: choose a new one."))


def once(handler: Callable[..., Response]) -> Callable[..., Response]:
    """Return a handler that does what a key names once; whoever sends it again gets the first answer."""

    def answered(request: Request, *args: Any, **kwargs: Any) -> Response:
        if (before := answered_before(request)) is not None:
            return before
        return keep_answer(request, handler(request, *args, **kwargs))

    return answered


def answered_before(request: Request) -> Response | None:
    """Return the answer this very request got before; else take its key, which the next one waits for.

    Whoever comes second waits for the first one's transaction: there is an answer then, or the key is free again.
    """
    if not (key := request.headers.get(HEADER, "")):
        return None
    if len(key) > 200:
        raise ValidationError({HEADER: [_("At most 200 characters.")]})
    asked = _fingerprint(request)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO api_answeredrequest (user_id, key, asked, status) VALUES (%s, %s, %s, 0)"
            " ON CONFLICT (user_id, key) DO NOTHING RETURNING id",
            [request.user.pk, key, asked],
        )
        if cursor.fetchone() is not None:
            return None
    before = _answers(request).get(key=key)
    if before.asked != asked:
        raise KeyTaken
    return Response(before.answer, status=before.status, headers={REPEATED: "true"})


def keep_answer(request: Request, response: Response) -> Response:
    """Keep an answer for whoever sends the request again. A no is taken back with its key, and asked anew."""
    if key := request.headers.get(HEADER, ""):
        answer: Any = json.loads(json.dumps(response.data, default=str))
        _answers(request).filter(key=key).update(status=response.status_code, answer=answer)
    return response


def forget_old(*, kept: timedelta = timedelta(days=1)) -> int:
    """Remove answers that nobody repeats any more. Safe to run twice."""
    return AnsweredRequest.objects.filter(created_at__lt=timezone.now() - kept).delete()[0]


def _answers(request: Request) -> Any:
    return AnsweredRequest.objects.filter(user_id=str(request.user.pk))


def _fingerprint(request: Request) -> str:
    body = json.dumps(request.data, sort_keys=True, default=_told)
    return hashlib.sha256(f"{request.method} {request.path}\n{body}".encode()).hexdigest()


def _told(value: Any) -> str:
    if not isinstance(value, UploadedFile):
        return str(value)
    content = hashlib.sha256()
    for chunk in value.chunks():
        content.update(chunk)
    value.seek(0)
    return content.hexdigest()
