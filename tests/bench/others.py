"""Other ways to judge: the obvious loop over objects, and rule engines fed with facts read in bulk.

The eight conditions are written out a second time here, in plain Python, so that what they find can be compared.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Q, Sum

from apps.assignments.models import Assignment
from apps.org.models import Employee
from apps.tags.models import EmployeeTag, PositionTag

from .data import TODAY

SOON = TODAY + timedelta(days=30)
LATER = TODAY + timedelta(days=60)
Facts = dict[str, Any]


def object_by_object(employees: list[int]) -> int:
    """Judge these employees and their assignments with a few queries each, as one would first write it."""
    found = 0
    for pk in employees:
        employee = Employee.objects.select_related("home_unit").get(pk=pk)
        live = Q(ends_on__isnull=True) | Q(ends_on__gte=TODAY)
        active = Assignment.objects.filter(live, employee=employee, status="ACTIVE", voided=False)
        total = active.aggregate(total=Sum("effective_hours"))["total"] or Decimal(0)
        found += total > 60
        valid = Q(valid_until__isnull=True) | Q(valid_until__gte=TODAY)
        tags = EmployeeTag.objects.filter(valid, employee=employee, valid_from__lte=TODAY).select_related("tag")
        pool = sum((held.tag.hours_delta for held in tags), Decimal(0))
        found += pool < total
        contract = tags.filter(tag__type="CONTRACT").order_by("-valid_until").first()
        found += contract is not None and contract.valid_until is not None and contract.valid_until <= LATER
        for assignment in Assignment.objects.filter(live, employee=employee, status__in=("PROPOSED", "ACTIVE")):
            found += employee.status in ("TERMINATED", "SUSPENDED")
            twins = Assignment.objects.filter(live, employee=employee, position=assignment.position_id)
            found += twins.filter(is_reinforcement=False, status__in=("PROPOSED", "ACTIVE")).count() > 1
            for wanted in PositionTag.objects.filter(position=assignment.position_id, level="REQUIRED"):
                held = tags.filter(tag=wanted.tag_id).first()
                found += held is None
                found += held is not None and held.valid_until is not None and held.valid_until <= SOON
    return found


def facts(first: int, last: int) -> list[Facts]:
    """Read everything about the employees with these ids in bulk and return one dictionary an assignment."""
    params = [first, last]
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, status FROM org_employee WHERE id BETWEEN %s AND %s", params)
        status = dict(cursor.fetchall())
        cursor.execute(
            "SELECT t.employee_id, t.tag_id, t.valid_until, c.type, c.hours_delta FROM tags_employeetag t"
            " JOIN tags_tagcatalog c ON c.id = t.tag_id"
            " WHERE t.employee_id BETWEEN %s AND %s AND t.valid_from <= %s"
            " AND (t.valid_until IS NULL OR t.valid_until >= %s)",
            [*params, TODAY, TODAY],
        )
        held: dict[int, dict[int, date | None]] = defaultdict(dict)
        pool: dict[int, float] = defaultdict(float)
        contract_end: dict[int, date | None] = {}
        for employee, tag, until, kind, hours in cursor.fetchall():
            held[employee][tag] = until
            pool[employee] += float(hours)
            if kind == "CONTRACT":
                contract_end[employee] = until
        cursor.execute(
            "SELECT a.id, a.employee_id, a.position_id, a.effective_hours, a.is_reinforcement, a.status, w.tag_id"
            " FROM assignments_assignment a"
            " LEFT JOIN tags_positiontag w ON w.position_id = a.position_id AND w.level = 'REQUIRED'"
            " WHERE a.employee_id BETWEEN %s AND %s AND a.status IN ('PROPOSED', 'ACTIVE') AND NOT a.voided"
            " AND (a.ends_on IS NULL OR a.ends_on >= %s)",
            [*params, TODAY],
        )
        rows = cursor.fetchall()
    total: dict[int, float] = defaultdict(float)
    twins: dict[tuple[int, int], int] = defaultdict(int)
    for _pk, employee, position, hours, reinforcement, state, _tag in rows:
        total[employee] += float(hours) if state == "ACTIVE" else 0.0
        twins[employee, position] += not reinforcement
    built = []
    for pk, employee, position, hours, _reinforcement, _state, tag in rows:
        until = held[employee].get(tag, "none") if tag else None
        end = contract_end.get(employee)
        built.append(
            {
                "id": pk,
                "status": status.get(employee, ""),
                "total": total[employee],
                "pool": pool[employee],
                "hours": float(hours),
                "twins": twins[employee, position],
                "lacks": until == "none",
                "tag_days": (until - TODAY).days if isinstance(until, date) else 99_999,
                "contract_days": (end - TODAY).days if end else 99_999,
            }
        )
    return built


CONDITIONS = {
    "cap": "total > 60",
    "pool": "pool < total",
    "away": 'status == "TERMINATED" or status == "SUSPENDED"',
    "twins": "twins > 1",
    "lacks": "lacks == true",
    "expiring": "tag_days <= 30",
    "contract": "contract_days <= 60",
    "share": "hours > pool",
}


def _lambdas() -> dict[str, Callable[[Facts], bool]]:
    return {
        name: eval(f"lambda f: {_over_facts(text)}", {})  # our own eight conditions
        for name, text in CONDITIONS.items()
    }


def _over_facts(text: str) -> str:
    for name in ("total", "pool", "status", "twins", "lacks", "tag_days", "contract_days", "hours"):
        text = " ".join(f'f["{name}"]' if word == name else word for word in text.split())
    return text.replace("true", "True")


def with_zen(given: list[Facts]) -> int:
    """Judge ready facts with GoRules' zen-engine, its expressions compiled once."""
    import zen

    compiled = [zen.compile_expression(text) for text in CONDITIONS.values()]
    return sum(bool(expression.evaluate(one)) for one in given for expression in compiled)


def with_rule_engine(given: list[Facts]) -> int:
    """Judge ready facts with the rule-engine package."""
    import rule_engine

    compiled = [rule_engine.Rule(text) for text in CONDITIONS.values()]
    return sum(rule.matches(one) for one in given for rule in compiled)


def with_python(given: list[Facts]) -> int:
    """Judge ready facts with plain Python: the oracle for the two engines."""
    compiled = list(_lambdas().values())
    return sum(bool(condition(one)) for one in given for condition in compiled)


def some_employees(count: int, seed: int = 3) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(id) FROM org_employee")
        last = cursor.fetchone()[0]
    return sorted(random.Random(seed).sample(range(1, last + 1), min(count, last)))
