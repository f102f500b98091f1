"""The page of the timeline: scope, filters, pages by key, and nothing to write."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.audit_log.admin import PAGE
from apps.audit_log.models import AuditEntry
from apps.audit_log.sources import ANCHORS
from apps.business_rules.models import RuleViolation
from apps.common.acting import acting
from apps.fsm.services import apply_transition
from apps.org.models import Employee, Position
from apps.users.enums import Role
from tests import factories

LIST = "admin:audit_log_auditentry_changelist"


def page(client: Any, query: str = "") -> str:
    response = client.get(f"{reverse(LIST)}{query}")
    assert response.status_code == 200
    return response.content.decode()


def keys(html: str) -> list[tuple[str, str]]:
    return re.findall(r'data-source="([^"]+)" data-key="(\d+)"', html)


def older(html: str) -> str:
    return re.search(r'rel="next" href="([^"]+)"', html).group(1).replace("&amp;", "&")


@pytest.fixture
def eventful(clinic: Any) -> Any:
    """The same deeds in both services; what happened in H2 carries the marker."""
    for unit, employee, position, mark in (
        (clinic.h1, clinic.nurse, clinic.p1, "here"),
        (clinic.h2, clinic.surgeon, clinic.p2, "MARKER"),
    ):
        # Catalogues are everybody's: they stay without the marker.
        held, wanted, rule = factories.TagFactory(), factories.TagFactory(), factories.BusinessRuleFactory()
        with acting(clinic.admin, f"reason {mark}", "admin"):
            type(unit).objects.filter(pk=unit.pk).update(name=f"Unit {mark}")
            Position.objects.filter(pk=position.pk).update(title=f"Position {mark}")
            Employee.objects.filter(pk=employee.pk).update(family_name=f"Family {mark}")
            factories.LeaveFactory(employee=employee, starts_on=date(2027, 1, 4), ends_on=date(2027, 1, 8), reason=mark)
            factories.EmployeeTagFactory(employee=employee, tag=held, note=mark)
            factories.PositionTagFactory(position=position, tag=wanted)
            factories.DemandAdjustmentFactory(position=position, reason=mark)
            factories.WaiverFactory(
                rule=rule, subject_kind="employee", subject_id=employee.pk,
                subject_code=mark, granted_by=clinic.admin, expires_on=date(2027, 1, 1), reason=mark,
            )  # fmt: skip
        proposal = factories.AssignmentFactory(employee=employee, position=position, effective_hours=3)
        apply_transition(proposal, "reject", actor=clinic.admin, reason=f"reason {mark}")
    return clinic


def test_a_manager_of_one_service_reads_nothing_of_the_other(eventful: Any, as_user: Any) -> None:
    mine = page(as_user(eventful.manager))
    assert "MARKER" not in mine and "Family here" in mine and "Position here" in mine
    everything = page(as_user(eventful.admin))
    assert everything.count("MARKER") >= 8, "the canary: it is there for who may see it"


def test_each_source_keeps_the_scope(eventful: Any, as_user: Any) -> None:
    as_user(eventful.manager)
    reader = type(eventful.manager).objects.get(pk=eventful.manager.pk)
    mine = set(AuditEntry.objects.visible_to(reader).values_list("source", "key"))
    everything = AuditEntry.objects.all()
    outside = {
        (entry.source, entry.key)
        for entry in everything
        if (entry.employee_id == eventful.surgeon.pk and entry.position_id in (None, eventful.p2.pk))
        or (entry.position_id == eventful.p2.pk)
        or (entry.source == "org.orgunit" and entry.unit_id in (eventful.h2.pk, eventful.root.pk))
        or entry.source in ("users.user", "org.unitscope")
    }  # fmt: skip
    assert {source for source, _key in outside} >= {
        "org.employee", "org.position", "org.orgunit", "org.leave", "tags.employeetag:tag", "tags.positiontag",
        "assignments.assignment", "demand.demandadjustment", "business_rules.waiver", "org.employee:transition",
    }  # fmt: skip
    assert not mine & outside
    assert {source for source, _key in mine} >= {
        "org.employee",
        "org.leave",
        "tags.employeetag:tag",
        "assignments.assignment:transition",
    }


def test_a_record_out_of_scope_has_no_timeline_and_no_name(eventful: Any, as_user: Any) -> None:
    html = page(as_user(eventful.manager), f"?record=org.employee:{eventful.surgeon.pk}")
    assert not keys(html) and "MARKER" not in html
    # What one asked for oneself stands in the field, in the sentence, and in the address of the export.
    told = page(as_user(eventful.manager), "?about=MARKER")
    for own in ('value="MARKER"', "“MARKER”", "export/?about=MARKER"):
        told = told.replace(own, "")
    assert "MARKER" not in told


def test_what_hangs_on_a_record_is_found_by_the_indexes_of_each_source(eventful: Any) -> None:
    factories.WaiverFactory(
        rule=factories.BusinessRuleFactory(), subject_kind="", subject_id=None, subject_code="", org_unit=eventful.h1,
        granted_by=eventful.admin, expires_on=date(2027, 1, 1),
    )  # fmt: skip
    subjects = ("employee", eventful.nurse), ("position", eventful.p1), ("unit", eventful.h1)
    for kind, subject in subjects:
        RuleViolation.objects.create(
            rule=factories.BusinessRuleFactory(), subject_kind=kind, subject_id=subject.pk, subject_code="x",
            severity="WARNING", first_seen="2026-12-01T00:00Z", last_seen="2026-12-01T00:00Z", state="OPEN",
        )  # fmt: skip
    with connection.cursor() as cursor:  # what people did with an item goes with the item, its history stays
        cursor.execute(
            "INSERT INTO inbox_historicalattention (id, kind, cause, subject_kind, subject_id, note, history_date,"
            " history_type, origin) VALUES (7, 'VIOLATION', '', 'employee', %s, '', now(), '-', 'task')",
            [eventful.nurse.pk],
        )
    seen = set()
    for anchor in ANCHORS:
        for pk in set(AuditEntry.objects.values_list(anchor, flat=True)) - {None}:
            told = set(AuditEntry.objects.filter(**{anchor: pk}).values_list("source", "key"))
            assert set(AuditEntry.objects.hanging_on(anchor, pk).values_list("source", "key")) == told
            seen |= {(anchor, source) for source, _key in told}
    assert seen >= {
        ("employee_id", "business_rules.ruleviolation"), ("unit_id", "business_rules.ruleviolation"),
        ("employee_id", "business_rules.waiver"), ("unit_id", "business_rules.waiver"),
        ("employee_id", "inbox.attention"),
        ("assignment_id", "assignments.assignment:transition"), ("position_id", "tags.positiontag"),
    }  # fmt: skip


def test_one_entry_out_of_scope_does_not_exist(eventful: Any, as_user: Any) -> None:
    entry = AuditEntry.objects.filter(source="org.employee", employee_id=eventful.surgeon.pk).newest_first()[0]
    path = reverse("admin:audit_log_auditentry_change", args=(entry.id.replace("~", "_7E"),))
    assert as_user(eventful.admin).get(path).status_code == 200
    assert as_user(eventful.manager).get(path).status_code == 404


def test_who_removed_a_position_is_told_to_its_unit(clinic: Any, as_user: Any) -> None:
    gone = factories.PositionFactory(code="GONE", title="Night porter", org_unit=clinic.h1)
    with acting(clinic.manager, "closed"):
        gone.delete()
    assert "Night porter" in page(as_user(clinic.manager), "?model=org.position")
    assert "Night porter" not in page(
        as_user(factories.UserFactory(role=Role.MANAGER, unit=clinic.h2)), "?model=org.position"
    )


@pytest.mark.parametrize("name", ["changelist", "add", "change", "delete", "history"])
def test_nobody_writes_here_an_administrator_neither(eventful: Any, as_user: Any, name: str) -> None:
    entry = AuditEntry.objects.newest_first()[0]
    args = () if name in ("changelist", "add") else (entry.id.replace("~", "_7E"),)
    before = AuditEntry.objects.count()
    response = as_user(eventful.admin).post(reverse(f"admin:audit_log_auditentry_{name}", args=args), {"post": "yes"})
    assert response.status_code in (403, 404, 405)
    assert AuditEntry.objects.count() == before


def test_an_employees_own_timeline_has_what_hangs_on_it(eventful: Any, as_user: Any) -> None:
    html = page(as_user(eventful.manager), f"?record=org.employee:{eventful.nurse.pk}")
    assert {source for source, _key in keys(html)} >= {
        "org.employee", "org.employee:transition", "org.leave", "tags.employeetag:tag", "assignments.assignment",
        "assignments.assignment:transition",
    }  # fmt: skip
    assert all(source != "org.position" for source, _key in keys(html))


def test_filters_narrow_by_person_kind_record_and_period(eventful: Any, as_user: Any) -> None:
    client = as_user(eventful.admin)
    assert not keys(page(client, "?person=nobody-like-this"))
    assert keys(page(client, "?person=admin@example.org"))
    assert {source for source, _key in keys(page(client, "?kind=TRANSITION"))} == {
        "org.employee:transition", "assignments.assignment:transition"
    }  # fmt: skip
    assert {source for source, _key in keys(page(client, "?model=org.leave"))} == {"org.leave"}
    assert not keys(page(client, "?until=2001-01-01"))
    assert keys(page(client, "?from=2001-01-01"))
    assert "is not a day" in page(client, "?from=soon")
    assert keys(page(client, "?about=E1")) and "Only about" in page(client, "?about=E1")


@pytest.mark.parametrize(
    "query", ["?record=org.employee:x", "?record=nothing:1", "?before=rubbish", "?after=~~", "?about=%00",
              "?from=2026-13-45", "?until=9999-12-31", "?record=users.user:1", "?before=2026-01-01T00:00:00Z~1~nothing",
              "?record=org.employee:99999999999999999999999"]
)  # fmt: skip
def test_nonsense_in_the_address_is_no_error(eventful: Any, as_user: Any, query: str) -> None:
    page(as_user(eventful.admin), query)


def test_pages_follow_each_other_without_gap_or_repetition(clinic: Any, as_user: Any) -> None:
    # One statement, so one moment for all: only the key tells the rows apart.
    Position.objects.bulk_create(
        [
            Position(code=f"Z{n:03d}", title="Z", org_unit=clinic.h1, required_weekly_hours=1)
            for n in range(2 * PAGE + 7)
        ]
    )
    client = as_user(clinic.admin)
    seen: list[tuple[str, str]] = []
    html = page(client, "?model=org.position")
    while True:
        seen += keys(html)
        if 'rel="next"' not in html:
            break
        html = page(client, older(html))
    assert len(seen) == len(set(seen)) == AuditEntry.objects.filter(source="org.position").count()
    newer = re.search(r'rel="prev" href="([^"]+)"', html).group(1).replace("&amp;", "&")
    back = keys(page(client, newer))
    assert back == seen[-len(keys(html)) - PAGE : -len(keys(html))]


def test_the_page_costs_the_same_with_two_entries_and_with_twenty(clinic: Any, as_user: Any) -> None:
    client = as_user(clinic.admin)
    query = "?model=org.position"

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert keys(page(client, query))
        return len(captured)

    page(client, query)
    few = queries()
    for number in range(20):
        factories.PositionFactory(code=f"N{number}", org_unit=clinic.h1)
    assert queries() == few < 12


def plan_rows(node: dict[str, Any]) -> int:
    own = int(node.get("Actual Rows", 0)) * int(node.get("Actual Loops", 1)) + int(
        node.get("Rows Removed by Filter", 0)
    )
    return max([own, *(plan_rows(child) for child in node.get("Plans", ()))])


@pytest.mark.parametrize("query", ["newest", "later", "kind", "record", "actor"])
def test_a_page_reads_a_page_however_long_the_history(clinic: Any, query: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO org_historicalposition (id, code, title, org_unit_id, required_weekly_hours, history_date,
                   history_type, origin, history_user_id)
               SELECT 1000000 + n %% 5000, 'X' || n, 'T', %s, 36,
                   TIMESTAMPTZ '2025-01-01' + n / 1000 * INTERVAL '1 hour',
                   '+', 'sql', CASE WHEN n %% 50 = 0 THEN %s::uuid END FROM generate_series(1, 60000) n""",
            [clinic.h1.pk, clinic.manager.pk],
        )
        cursor.execute("ANALYZE org_historicalposition")
    rows = AuditEntry.objects.visible_to(clinic.admin)
    middle = AuditEntry.objects.filter(source="org.position", at__year=2025).newest_first()[30_000]
    asked = {
        "newest": rows,
        "later": rows.before(middle.at, middle.key, middle.source),
        "kind": rows.filter(kind="CHANGE"),
        "record": rows.about("org.position", 1000007),
        "actor": rows.by([clinic.manager.pk]),
    }[query]
    plan = asked.newest_first()[: PAGE + 1].explain(format="json", analyze=True)
    read = plan_rows(json.loads(plan)[0]["Plan"])
    assert read < 4_000, f"{read} of 60,000 rows were read"
