"""Every operation × every role × every part of the house: nothing out of sight is told, and what is in sight is.

Each part of the house has a household of its own: every kind of record, with the mark of the part in every text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from django.db import transaction

from apps.assignments.models import AssignmentTransitionLog
from apps.business_rules.models import RuleViolation
from apps.fsm.models import EmployeeTransitionLog
from apps.fsm.services import apply_transition
from apps.imports.models import ImportJob
from apps.org.models import Employee, OrgUnit, Position
from apps.org.querysets import PositionQuerySet
from apps.tags.models import TagChangeLog
from tests.factories import (
    AssignmentFactory,
    BusinessRuleFactory,
    EmployeeFactory,
    EmployeeTagFactory,
    LeaveFactory,
    OrgUnitFactory,
    PositionFactory,
    PositionTagFactory,
    TagFactory,
    UserFactory,
    WaiverFactory,
)

from .conftest import Person
from .operations import OPEN, OWN, SAFE, Operation, operations

# The unit people work in, one below it, the one above, one beside it, and a tree of its own.
PLACES = ("own", "child", "parent", "sibling", "foreign")
IN_SIGHT = {
    "admin": set(PLACES), "manager": {"own", "child"}, "supervisor": {"own", "child"}, "viewer": {"own", "child"},
    "employee": set(),
}  # fmt: skip
MARKS = re.compile(r"zz(own|child|parent|sibling|foreign)zz", re.IGNORECASE)
SECRETS = re.compile(r"nid(own|child|parent|sibling|foreign)nid")


def mark(place: str) -> str:
    return f"zz{place}zz"


@dataclass
class Household:
    """The records of a part of the house, by the prefix of their addresses."""

    place: str
    unit: OrgUnit
    ids: dict[str, int] = field(default_factory=dict)
    position: Any = None
    employee: Any = None


def furnish(place: str, unit: OrgUnit, admin: Any, uploader: Any) -> Household:
    said = mark(place)
    there = Household(place, unit)
    OrgUnit.objects.filter(pk=unit.pk).update(code=f"{said}U", name=f"{said} unidad")
    unit.refresh_from_db()
    there.position = PositionFactory(code=f"{said}P", title=f"{said} puesto", org_unit=unit)
    there.employee = person = EmployeeFactory(
        employee_number=f"{said}E", given_name=f"{said} nombre", family_name=f"{said} apellido", home_unit=unit,
        email=f"{said}@example.org", national_id=f"nid{place}nid", active=True,
    )  # fmt: skip
    position = there.position
    proposed = AssignmentFactory(employee=person, position=position, effective_hours=Decimal(5))
    other = PositionFactory(code=f"{said}Q", title=f"{said} otro", org_unit=unit)
    closed = AssignmentFactory(employee=person, position=other, effective_hours=Decimal(5))
    apply_transition(closed, "reject", actor=admin, reason=f"{said} razón")
    leave = LeaveFactory(
        employee=person, starts_on=date(2027, 1, 11), ends_on=date(2027, 1, 15), reason=f"{said} motivo"
    )
    tag = TagFactory(code=f"HOUSE{place}", name=f"Of the house {place}")
    held = EmployeeTagFactory(employee=person, tag=tag, note=f"{said} nota")
    wanted = PositionTagFactory(position=position, tag=tag)
    violations = [
        RuleViolation.objects.create(
            rule=BusinessRuleFactory(code=f"RULE_{kind}", subject_kind=kind), subject_kind=kind, subject_id=subject.pk,
            subject_code=code, severity="WARNING", first_seen="2026-12-01T00:00Z", last_seen="2026-12-01T00:00Z",
            state="OPEN", facts={"said": said},
        )
        for kind, subject, code in (
            ("position", position, position.code), ("employee", person, person.employee_number),
            ("unit", unit, unit.code), ("assignment", proposed, proposed.code),
        )
    ]  # fmt: skip
    waivers = [
        WaiverFactory(
            rule=violations[0].rule, subject_kind="position", subject_id=position.pk, subject_code=position.code,
            reason=f"{said} dispensa", granted_by=admin, expires_on=date(2027, 1, 1),
        ),
        WaiverFactory(
            rule=violations[0].rule, org_unit=unit, reason=said, granted_by=admin, expires_on=date(2027, 1, 1)
        ),
    ]  # fmt: skip
    job = ImportJob.objects.create(
        kind="positions", file_name=f"{said}.csv", user=uploader, state="PREVIEWED",
        errors=[{"line": 2, "column": "code", "value": said, "code": "x", "message": said}],
        options={"failure": said}, impact={"units": [said]},
    )  # fmt: skip
    suspended = EmployeeFactory(
        employee_number=f"{said}S", given_name=said, family_name=said, home_unit=unit, active=True
    )
    apply_transition(suspended, "suspend", actor=admin, reason=f"{said} suspensión")
    there.ids = {
        "assignments": proposed.pk, "employee-tags": held.pk, "employees": person.pk, "imports": job.pk,
        "leaves": leave.pk, "me/assignments": proposed.pk, "offer/hours-ledger": person.pk, "org-units": unit.pk,
        "position-tags": wanted.pk, "positions": position.pk, "violations": violations[0].pk,
        "waivers": waivers[0].pk,
        "tag-changes": TagChangeLog.objects.filter(employee=person).latest("pk").pk,
        "transition-logs/assignments": AssignmentTransitionLog.objects.filter(subject=closed).latest("pk").pk,
        "transition-logs/employees": EmployeeTransitionLog.objects.filter(subject=suspended).latest("pk").pk,
    }  # fmt: skip
    return there


# What is the house's, not a part's: the catalogue and the rules, and figures of weeks.
OF_THE_HOUSE = {"tags", "business-rules"}


@pytest.fixture
def households(house: Any) -> dict[str, Household]:
    units = {
        "own": house.h1, "child": OrgUnitFactory(parent=house.h1), "parent": house.root, "sibling": house.h2,
        "foreign": OrgUnitFactory(kind="CLINIC"),
    }  # fmt: skip
    found = {
        place: furnish(place, unit, house.admin, house.manager if place == "own" else UserFactory(role="MANAGER"))
        for place, unit in units.items()
    }
    # The login of the cast's EMPLOYEE is the person of the own unit; nobody else's.
    Employee.objects.filter(user=house.employee).update(user=None)
    Employee.objects.filter(pk=found["own"].employee.pk).update(user=house.employee)
    return found


def in_sight(role: str, prefix: str) -> set[str]:
    """Return the parts of the house whose records of an address somebody sees."""
    if prefix.startswith("me/"):
        return {"own"} if role == "employee" else set()
    if prefix == "imports" and role == "manager":
        return {"own"}  # one's own alone
    return IN_SIGHT[role]


def told_by(answer: Any) -> str:
    return answer.content.decode() + json.dumps(dict(answer.headers))


def deed(person: Person, operation: Operation, path: str, body: Any = None, **headers: str) -> Any:
    """Ask, and take back what came of it."""
    with transaction.atomic():
        answer = person.ask(operation.method.upper(), path, None if operation.method in SAFE else body or {}, **headers)
        transaction.set_rollback(True)
    return answer


def questions(operation: Operation, households: dict[str, Household], unseen: set[str]) -> Iterator[str]:
    """Yield the query strings that somebody curious tries on an operation without a record."""
    names = {parameter["name"] for parameter in operation.parameters if parameter["in"] == "query"}
    if operation.name == "demand_candidates":
        yield from (f"position={there.position.code}&limit=100" for there in households.values())
        return
    if operation.name == "demand_coverage_summary":
        yield from (f"unit={there.unit.code}" for there in households.values())
    yield "page_size=200" if "page_size" in names else ""
    if "ordering" in names:
        for key in ("-title", "national_id", "home_unit__code"):
            yield f"page_size=200&ordering={quote(key)}"
    for there in (households[place] for place in sorted(unseen)):
        values = {
            "code": there.position.code if "positions" in operation.path else there.unit.code,
            "unit_code": there.unit.code, "parent_code": there.unit.code, "home_unit_code": there.unit.code,
            "employee_number": there.employee.employee_number, "position_code": there.position.code,
            "search": mark(there.place), "subject_id": there.position.pk, "employee_id": there.employee.pk,
            "position_id": there.position.pk, "unit_id": there.unit.pk, "assignment_id": there.ids["assignments"],
        }  # fmt: skip
        for name in sorted(names & set(values)):
            yield f"page_size=200&{name}={quote(str(values[name]))}"


def body_of(there: Household) -> dict[str, Any]:
    """Return what is sent by somebody who tries the codes of a part of the house."""
    return {
        "unit_code": there.unit.code, "home_unit_code": there.unit.code, "parent_code": there.unit.code,
        "employee_number": there.employee.employee_number, "position_code": there.position.code, "tag_code": "HOUSEown",
        "code": "NEW", "title": "t", "required_weekly_hours": "5", "effective_hours": "5", "starts_on": "2027-03-01",
        "given_name": "n", "family_name": "n", "hired_on": "2026-01-01", "valid_from": "2026-01-01", "name": "n",
        "transition": "accept", "reason": "r", "expires_on": "2027-01-01", "level": "REQUIRED", "kind": "UNIT",
        "current": "x", "new": "y",
    }  # fmt: skip


def leaks(
    role: str, person: Person, households: dict[str, Household], only: str = ""
) -> tuple[list[Any], dict[str, set[str]]]:
    """Return what somebody is told that they may not be, and which parts of the house they are told of by operation."""
    found: list[Any] = []
    told_of: dict[str, set[str]] = {}

    def look(operation: Operation, asked: str, answer: Any, said: set[str] = frozenset()) -> None:  # type: ignore[assignment]
        text = told_by(answer)
        for own_word in said:  # what one said oneself may be said back
            text = text.replace(f"“{own_word}”", "")
        allowed = in_sight(role, operation.prefix)
        places = set(MARKS.findall(text))
        told_of.setdefault(operation.name, set()).update(places)
        if not places <= allowed:
            found.append((role, operation.name, asked, sorted(places - allowed), text[:400]))
        if answer.status_code >= 500:
            found.append((role, operation.name, asked, answer.status_code))
        secrets = set(SECRETS.findall(text))
        if secrets and not ((role in ("admin", "manager") and secrets <= allowed) or operation.name == "me_profile"):
            found.append((role, operation.name, asked, "a document number"))

    for operation in operations():
        if operation.name in OPEN | OWN or only not in operation.path:
            continue
        if "{id}" not in operation.path and operation.method in SAFE:
            for query in questions(operation, households, set(PLACES) - in_sight(role, operation.prefix)):
                look(operation, query, person.get(f"{operation.path}?{query}"))
            continue
        for there in households.values():
            body = body_of(there)
            codes = {there.unit.code, there.employee.employee_number, there.position.code}
            if "{id}" not in operation.path:
                answer = deed(person, operation, operation.path, body)
                look(operation, there.place, answer, codes)
                if there.place not in in_sight(role, operation.prefix) and answer.status_code < 400:
                    found.append((role, operation.name, there.place, answer.status_code))
                continue
            if operation.prefix in OF_THE_HOUSE:
                continue
            path = operation.path.replace("{id}", str(there.ids[operation.prefix]))
            answer = deed(person, operation, path, body, **{"If-Match": '"1-1"'} if operation.method != "get" else {})
            look(operation, path, answer, codes)
            seen = there.place in in_sight(role, operation.prefix)
            if not seen and answer.status_code not in (403, 404):
                found.append((role, operation.name, there.place, answer.status_code))
            if seen and answer.status_code == 404:
                found.append((role, operation.name, there.place, "is not there"))
    return found, told_of


# What tells of no record by its own texts: figures of the calendar, what is the house's, ids, steps of a lifecycle.
WITHOUT_TEXT = {
    "weeks", "tags_list", "business_rules_list", "assignments_transitions_list",
    "employees_transitions_list", "me_tags_list",
}  # fmt: skip


@pytest.mark.parametrize("role", ["admin", "manager", "supervisor", "viewer", "employee"])
def test_nobody_is_told_of_what_is_out_of_sight(role: str, who: Any, households: dict[str, Household]) -> None:
    found, told_of = leaks(role, who(role), households)
    assert not found
    # And what is in sight is there: an empty answer leaks nothing.
    wrong = {}
    for operation in operations():
        if operation.method not in SAFE or operation.name in OPEN | OWN or operation.prefix in OF_THE_HOUSE:
            continue
        may = who(role).get(operation.path.replace("{id}", "0") + "?position=x").status_code != 403
        expected = in_sight(role, operation.prefix) if may and operation.name not in WITHOUT_TEXT else set()
        if told_of[operation.name] != expected:
            wrong[operation.name] = (told_of[operation.name], expected)
    assert not wrong


@pytest.mark.parametrize("role", ["manager", "supervisor", "viewer"])
def test_the_timeline_names_no_record_out_of_sight(role: str, who: Any, households: dict[str, Household]) -> None:
    told = {}
    for name in ("employee_id", "position_id", "unit_id", "assignment_id"):
        rows = who(role).get("audit-log/?page_size=200").json()["results"]
        told[name] = {row[name] for row in rows if row[name] is not None}
    for place, there in households.items():
        named = {
            "employee_id": there.employee.pk, "position_id": there.position.pk, "unit_id": there.unit.pk,
            "assignment_id": there.ids["assignments"],
        }  # fmt: skip
        seen = {name for name, pk in named.items() if pk in told[name]}
        assert seen == (set(named) if place in IN_SIGHT[role] else set()), place


@pytest.mark.parametrize("role", ["manager", "supervisor", "viewer"])
def test_a_code_out_of_sight_is_answered_like_one_that_is_nobodys(
    role: str, who: Any, households: dict[str, Household]
) -> None:
    """Who asks by a code must not learn that there is such a record."""

    def answers(there: Household, body: dict[str, Any]) -> dict[str, tuple[int, str]]:
        codes = {there.unit.code: "U", there.employee.employee_number: "E", there.position.code: "P"}
        found = {}
        for operation in operations():
            if operation.method not in ("post", "patch") or operation.name in OPEN | OWN or "me/" in operation.path:
                continue
            pk = households["own"].ids.get(operation.prefix, 0)
            # Numbers are unique in the whole house, and have to be refused as taken.
            sent = body | ({"employee_number": "NEW"} if operation.prefix == "employees" else {})
            answer = deed(who(role), operation, operation.path.replace("{id}", str(pk)), sent)
            text = answer.content.decode()
            for code, kind in codes.items():
                text = text.replace(code, kind)
            found[operation.name] = (answer.status_code, text if answer.status_code >= 400 else "")
        return found

    nobody = Household("nobody", OrgUnit(code="qqU"), {}, Position(code="qqP"), Employee(employee_number="qqE"))
    expected = answers(nobody, body_of(nobody))
    for place in set(PLACES) - IN_SIGHT[role]:
        assert answers(households[place], body_of(households[place])) == expected, place


def test_a_filter_by_a_code_out_of_sight_finds_nothing(who: Any, households: dict[str, Household]) -> None:
    assert who("manager").get("org-units/?parent_code=zzparentzzU").json()["count"] == 0
    assert who("admin").get("org-units/?parent_code=zzparentzzU").json()["count"] == 2  # the canary


def test_a_list_that_shows_everything_is_found_out(who: Any, households: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(PositionQuerySet, "visible_to", lambda self, user: self)
    found, _told = leaks("viewer", who("viewer"), households, only="/positions/")
    assert {operation for _role, operation, *_rest in found} >= {"positions_list", "positions_retrieve"}
