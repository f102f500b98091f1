"""Liveness for load balancers: answers without login and names nothing private."""

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse


def health(request: HttpRequest) -> JsonResponse:
    """Return 200 with the database's answer, 503 while it does not answer."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"status": "unavailable", "database": "down"}, status=503, headers={"Retry-After": "5"})
    return JsonResponse({"status": "ok", "database": "up"})
