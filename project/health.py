"""Liveness and readiness for load balancers and watchers: they answer without login and name nothing private."""

from typing import Any

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse

from apps.business_rules.models import BusinessRule
from apps.business_rules.unjudged import unjudged
from apps.changes.freshness import Freshness, freshness

BROKER_SECONDS = 0.5


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


def ready(request: HttpRequest) -> JsonResponse:
    """Return what all of it depends on: database, broker, relay, workers, and how long the oldest change waits.

    503 while the database does not answer, for nothing works then. Without broker or workers people go on working and
    the figures wait: 200, `degraded`.
    """
    try:
        fresh = freshness()
    except DatabaseError:
        return JsonResponse({"status": "unavailable", "database": "down"}, status=503, headers={"Retry-After": "5"})
    broker = _broker_answers()
    is_well = broker and not fresh.is_late and not fresh.dead_letters
    return JsonResponse(
        {
            "status": "ok" if is_well else "degraded",
            "database": "up",
            "broker": "up" if broker else "down",
            "relay_seconds_ago": _seconds_since(fresh, fresh.relay_at),
            "workers_seconds_ago": _seconds_since(fresh, fresh.drained_at),
            "waiting_changes": fresh.waiting,
            "oldest_waiting_seconds": round(fresh.age.total_seconds(), 1),
            "dead_letters": fresh.dead_letters,
        }
    )


def _broker_answers() -> bool:
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=BROKER_SECONDS, socket_connect_timeout=BROKER_SECONDS
        ) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError, ValueError):
        return False


def _seconds_since(fresh: Freshness, moment: Any) -> float | None:
    return None if moment is None else round((fresh.now - moment).total_seconds(), 1)
