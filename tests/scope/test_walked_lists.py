"""Of a large part of the organisation lists are walked, of a small one put together: the same is seen either way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.core.paginator import Paginator
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.audit_log.models import AuditEntry
from apps.business_rules.counting import COUNTED_OF_A_RULE, count_by_rule, have_ever_fired
from apps.business_rules.enums import UNRESOLVED
from apps.business_rules.health import health_of
from apps.business_rules.models import BusinessRule, RuleViolation
from apps.changes.drain import drain
from apps.inbox.enums import AlertKind
from apps.inbox.items import Sleep, Whose, find
from apps.inbox.models import Attention
from apps.inbox.reading import asked_by, subscription_of, waiting_by_rank
from apps.inbox.services import assign, snooze
from apps.org import querysets
from apps.users.enums import Role
from apps.users.groups import sync_groups
from tests.factories import (
    AssignmentFactory,
    EmployeeFactory,
    EmployeeTagFactory,
    LeaveFactory,
    OrgUnitFactory,
    PositionFactory,
    PositionTagFactory,
    RuleOverrideFactory,
    TagFactory,
    UserFactory,
    WaiverFactory,
)
from tests.inbox.conftest import one, waiting_clinic
from tests.today import TODAY

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
# Whatever hangs on the organisation; each is asked through both roads.
SCOPED = [
    "org.OrgUnit", "org.Position", "org.Employee", "org.Leave", "tags.EmployeeTag", "tags.PositionTag",
    "tags.TagChangeLog", "assignments.Assignment", "assignments.AssignmentTransitionLog",
    "fsm.EmployeeTransitionLog", "fsm.EmployeeStatusPeriod", "business_rules.RuleViolation", "business_rules.Waiver",
    "business_rules.RuleOverride", "inbox.Attention", "audit_log.AuditEntry", "offer.LedgerWeek",
]  # fmt: skip


@pytest.fixture
def house(clinic: Any) -> Any:
    """Both services full of all there is, people of the one who help in the other, and who looks after each."""
    sync_groups()
    AssignmentFactory(employee=clinic.surgeon, position=clinic.p1, effective_hours=5, accepted=True)
    over = AssignmentFactory(employee=clinic.nurse, position=clinic.p2, effective_hours=3, accepted=True)
    type(over).objects.filter(pk=over.pk).update(ends_on=TODAY - DAY)
    waiting_clinic(clinic)
    for employee in (clinic.nurse, clinic.surgeon):
        LeaveFactory(employee=employee, starts_on=TODAY + DAY * 40)
        EmployeeTagFactory(employee=employee, tag=TagFactory(certification=True), valid_until=TODAY + DAY * 9)
    clinic.ward = OrgUnitFactory(parent=clinic.h2, code="H2W")
    clinic.far = PositionFactory(org_unit=clinic.ward)
    clinic.stranger = EmployeeFactory(home_unit=clinic.h2, active=True)
    LeaveFactory(employee=clinic.stranger, starts_on=TODAY + DAY * 40)
    EmployeeTagFactory(employee=clinic.stranger, tag=TagFactory(certification=True))
    AssignmentFactory(employee=clinic.stranger, position=clinic.far, effective_hours=5, accepted=True)
    for position in (clinic.p1, clinic.far):
        PositionTagFactory(position=position, tag=TagFactory(certification=True))
    rule = BusinessRule.objects.get(code="POSITION_VACANT")
    for unit in (clinic.h1, clinic.h2):
        WaiverFactory(rule=rule, org_unit=unit, granted_by=clinic.admin, expires_on=TODAY + DAY)
        RuleOverrideFactory(rule=rule, org_unit=unit, threshold=3)
    drain()
    Attention.objects.create(kind="CLIFF", cause="LEAVE", subject_kind="employee", subject_id=clinic.stranger.pk)
    clinic.of_h2 = UserFactory(role=Role.MANAGER, unit=clinic.h2)
    clinic.of_ward = UserFactory(role=Role.MANAGER, unit=clinic.ward)
    clinic.of_all = UserFactory(role=Role.MANAGER, unit=clinic.root)
    assign(key=one(clinic.manager, AlertKind.CLIFF).key, to=clinic.manager, actor=clinic.manager)
    snooze(key=one(clinic.manager, AlertKind.PROPOSAL).key, until=TODAY + DAY * 3, actor=clinic.manager)
    return clinic


@pytest.fixture
def by_road(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], tuple[Any, Any]]:
    """Answer a question twice: with every scope taken for a small one, and for a large one."""

    def both(question: Callable[[], Any]) -> tuple[Any, Any]:
        answers = []
        for many in (1_000_000, 0):
            monkeypatch.setattr(querysets, "MANY_UNITS", many)
            querysets._sizes.clear()
            answers.append(question())
        querysets._sizes.clear()
        return answers[0], answers[1]

    return both


@pytest.mark.parametrize("who", ["manager", "of_h2", "of_ward", "of_all", "viewer"])
@pytest.mark.parametrize("label", SCOPED)
def test_either_way_the_same_rows_are_seen(house: Any, by_road: Any, label: str, who: str) -> None:
    rows, user = apps.get_model(label).objects, getattr(house, who)
    composed, walked = by_road(lambda: set(rows.visible_to(user).order_by().values_list("pk", flat=True)))
    assert walked == composed
    if who == "manager":
        assert walked and walked < set(rows.order_by().values_list("pk", flat=True)), "some, and not all"


@pytest.mark.parametrize("who", ["manager", "of_h2", "of_ward", "of_all"])
@pytest.mark.parametrize(
    "asked",
    [
        {}, {"kinds": [AlertKind.VACANT]}, {"kinds": [AlertKind.RULE, AlertKind.CLIFF]}, {"ranks": [1]},
        {"words": "triage"}, {"words": "a"}, {"whose": Whose.MINE}, {"whose": Whose.NOBODY}, {"sleep": Sleep.ASLEEP},
        {"sleep": Sleep.BOTH, "words": "e"},
    ],
    ids=str,
)  # fmt: skip
def test_either_way_the_same_items_wait_in_the_same_order(house: Any, by_road: Any, who: str, asked: Any) -> None:
    user = getattr(house, who)
    composed, walked = by_road(lambda: find(asked_by(user, subscription_of(user), **asked), limit=100))
    assert list(walked.items) == list(composed.items)
    assert walked.counts == composed.counts


def test_an_item_of_another_unit_never_waits_nor_counts(house: Any, by_road: Any) -> None:
    """The surgeon's hours in H2 wait for who has H2; with an assignment in H1 they wait there too, until it ends."""

    def told() -> list[set[int]]:
        return [
            {item.key.subject_id for item in find(asked_by(user, subscription_of(user)), limit=100).items
             if item.key.subject_kind == "employee"}
            for user in (house.manager, house.of_ward)
        ]  # fmt: skip

    for of_h1, of_ward in by_road(told):
        assert house.surgeon.pk in of_h1 and of_ward == set()
    house.surgeon.assignments.filter(position=house.p1).update(ends_on=TODAY - DAY)
    for of_h1, _of_ward in by_road(told):
        assert house.surgeon.pk not in of_h1


def test_how_many_wait_by_severity_is_told_from_the_gravest_on(house: Any, by_road: Any) -> None:
    composed, walked = by_road(lambda: waiting_by_rank(house.manager, 100))
    assert walked == composed
    items = find(asked_by(house.manager, subscription_of(house.manager)), limit=100).items
    assert walked == {rank: sum(item.rank == rank for item in items) for rank in {item.rank for item in items}}
    assert waiting_by_rank(house.manager, 1) == {min(walked): 1}


@pytest.mark.parametrize("who", ["manager", "of_h2", "of_ward", "of_all"])
def test_violations_of_each_rule_count_the_same_either_way(house: Any, by_road: Any, who: str) -> None:
    user, rules = getattr(house, who), BusinessRule.objects.all()
    composed, walked = by_road(lambda: count_by_rule(rules, user, UNRESOLVED))
    assert {pk: dict(states) for pk, states in walked.by_rule.items()} == {
        pk: dict(states) for pk, states in composed.by_rule.items()
    }
    assert (composed.most, walked.most) == (None, COUNTED_OF_A_RULE)
    health = by_road(lambda: {item.rule.code: (item.unresolved, item.waivers, item.never_fired, item.waived_percent)
                              for item in health_of(user)})  # fmt: skip
    assert health[0] == health[1]


def test_what_was_resolved_elsewhere_is_never_broken_here(house: Any, by_road: Any) -> None:
    rule = BusinessRule.objects.get(code="POSITION_VACANT")
    RuleViolation.objects.filter(rule=rule).exclude(subject_id=house.far.pk).delete()
    row = RuleViolation.objects.filter(rule=rule).first() or RuleViolation.objects.create(
        rule=rule, subject_kind="position", subject_id=house.far.pk, subject_code="F", severity="WARNING",
        first_seen="2026-12-01T00:00Z", last_seen="2026-12-01T00:00Z",
    )  # fmt: skip
    RuleViolation.objects.filter(pk=row.pk).update(state="RESOLVED", resolved_at="2026-12-02T00:00Z")
    _composed, walked = by_road(lambda: (have_ever_fired([rule], house.manager), have_ever_fired([rule], house.of_h2)))
    assert walked == (set(), {rule.pk})


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Take every scope for a large one."""
    monkeypatch.setattr(querysets, "MANY_UNITS", 0)
    querysets._sizes.clear()
    yield
    querysets._sizes.clear()


def pages_of(user: Any, model: Any, rf: Any) -> Paginator[Any]:
    screen = admin.site._registry[model]
    request = rf.get("/")
    request.user = user
    return screen.get_paginator(request, screen.get_queryset(request).order_by("pk"), 25)


class TestCounting:
    @pytest.mark.parametrize("model", [RuleViolation, Attention])
    def test_who_has_a_part_is_never_told_an_estimate(
        self, house: Any, large: Any, rf: Any, monkeypatch: pytest.MonkeyPatch, model: Any
    ) -> None:
        monkeypatch.setattr(querysets, "COUNTED_WALKING", 1)
        pages = pages_of(house.manager, model, rf)
        with CaptureQueriesContext(connection) as asked:
            assert (pages.count, pages.is_estimate, pages.more_than) == (2, False, 1)
        assert not any("EXPLAIN" in query["sql"] for query in asked), "the planner knows the tables, not the scope"

    def test_pages_end_where_counting_does(
        self, house: Any, large: Any, rf: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(querysets, "COUNTED_WALKING", 25)
        for number in range(30):
            PositionFactory(org_unit=house.h1, code=f"N{number}")
        pages = pages_of(house.manager, type(house.p1), rf)
        assert (pages.num_pages, pages.has_hidden_pages) == (1, True)

    def test_the_list_says_more_than_and_no_number(
        self, house: Any, large: Any, as_user: Callable[[Any], Client], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(querysets, "COUNTED_WALKING", 2)
        page = as_user(house.manager).get("/admin/business_rules/ruleviolation/?state=all").content.decode()
        assert "more than 2" in page and "≈" not in page

    def test_a_rule_with_more_than_is_counted_says_so(
        self, house: Any, large: Any, as_user: Callable[[Any], Client], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from apps.business_rules import counting

        RuleViolation.objects.filter(rule__code="UNIT_UNDER_COVERED").exclude(subject_id=house.h1.pk).delete()
        monkeypatch.setattr(counting, "COUNTED_OF_A_RULE", 0)
        page = as_user(house.manager).get("/admin/business_rules/businessrule/").content.decode()
        assert "more than 0" in page

    def test_a_small_part_is_counted_to_the_end(self, house: Any, rf: Any) -> None:
        pages = pages_of(house.manager, AuditEntry, rf)
        assert pages.count == AuditEntry.objects.visible_to(house.manager).count() > 10
