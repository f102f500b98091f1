"""Liveness for load balancers: answers without login and names nothing private."""

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse

from apps.business_rules.models import BusinessRule
from apps.business_rules.unjudged import unjudged


def health(request: HttpRequest) -> JsonResponse:
    """Return 200 with the database's answer, 503 while it does not answer.

    `unjudged_rules` counts the rules staff wrote that give no answer: somebody has to look at them, but all else works.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        rules = len(unjudged(BusinessRule.objects.filter(enabled=True).exclude(condition="")))
    except DatabaseError:
        return JsonResponse({"status": "unavailable", "database": "down"}, status=503, headers={"Retry-After": "5"})
    return JsonResponse({"status": "ok", "database": "up", "unjudged_rules": rules})
