"""What a watcher is told, without signing in."""

from __future__ import annotations

from typing import Any

from apps.changes.freshness import beat
from apps.common.clock import monday_of, today
from apps.common.weeks import week_code


def test_all_is_well_where_everybody_is_at_work(client: Any, db: Any) -> None:
    beat("drain")
    beat("relay")
    told = client.get("/api/health/ready/")
    assert told.status_code == 200
    answer = told.json()
    assert (answer["status"], answer["database"], answer["broker"], answer["waiting_changes"]) == ("ok", "up", "up", 0)
    assert answer["workers_seconds_ago"] < 60 and answer["dead_letters"] == 0


def test_without_workers_it_is_degraded_and_still_answers(client: Any, db: Any) -> None:
    answer = client.get("/api/health/ready/")
    assert (answer.status_code, answer.json()["status"], answer.json()["workers_seconds_ago"]) == (
        200,
        "degraded",
        None,
    )


def test_without_a_broker_it_is_degraded_at_once(client: Any, db: Any, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    beat("drain")
    answer = client.get("/api/health/ready/").json()
    assert (answer["status"], answer["broker"]) == ("degraded", "down")


def test_the_weeks_are_those_of_the_clinic(who: Any) -> None:
    told = who("viewer").get("weeks/").json()
    assert len(told) == 13 and told[0]["week"] == week_code(monday_of(today())) and told[0]["is_current"]
    assert [one["is_current"] for one in told].count(True) == 1
