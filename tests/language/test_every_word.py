"""Every word of the vocabulary, on the demo clinic: it compiles, runs, and has the right value."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from apps.assignments.models import Assignment
from apps.business_rules.language.compiling import Compiler
from apps.business_rules.language.grammar import parse_reference
from apps.business_rules.language.reading import Reading
from apps.business_rules.language.vocabulary import Sight, Type, known_words
from apps.business_rules.questions import Question
from apps.business_rules.subjects import kind_named, kinds
from apps.demand.coverage import state_of
from apps.demand.models import PositionCoverage, UnitCoverage
from apps.offer.models import LedgerWeek
from apps.org.models import Employee, Leave, OrgUnit, Position
from apps.tags.models import EmployeeTag, PositionTag, TagCatalog
from tests.conftest import TODAY
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def values(kind: str, text: str, question: Question | None = None, user: Any = None) -> dict[int, Any]:
    """Return the value of a word for each subject there is (or asked about)."""
    reading = Reading(kind, question or Question(TODAY, due={}), user=user)
    sight = Sight.of(user) if user else Sight.of_rules()
    sql = Compiler(reading, sight).value(parse_reference(text))
    row = reading.subject.row
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {row}.id, {sql} FROM {kind_named(kind).table} {row} {reading.joined}", reading.params)
        return dict(cursor.fetchall())


def hours(hour_days: int) -> Decimal:
    return Decimal(hour_days) / 700


def live(**by: Any) -> Any:
    return Assignment.objects.live(TODAY).filter(**by)


def held(employee: Employee) -> Any:
    return EmployeeTag.objects.filter(employee=employee, valid_from__lte=TODAY).exclude(valid_until__lt=TODAY)


def run_end(employee: Employee, **by: Any) -> date | None:
    """Return the last day of what is held today, day by day: a gap of one day ends it."""
    rows = list(EmployeeTag.objects.filter(employee=employee, **by).values_list("valid_from", "valid_until"))
    day: date | None = TODAY - timedelta(days=1)
    while day is not None:
        after = [until for start, until in rows if start <= day + timedelta(days=1) and (until is None or until > day)]
        if not after:
            return day if day >= TODAY else None
        day = None if None in after else max(after)  # type: ignore[type-var]
    return None


def nearest_end(employee: Employee) -> int | None:
    ends = [run_end(employee, tag=tag) for tag in set(held(employee).values_list("tag", flat=True))]
    return min(((end - TODAY).days for end in ends if end), default=None)


def contract_end(employee: Employee) -> int | None:
    end = run_end(employee, tag__type="CONTRACT")
    return (end - TODAY).days if end else None


def next_leave(employee: Employee) -> int | None:
    first = Leave.objects.filter(employee=employee, starts_on__gt=TODAY).order_by("starts_on").first()
    return (first.starts_on - TODAY).days if first else None


def ledger(employee: Employee) -> LedgerWeek:
    return LedgerWeek.objects.get(employee=employee)


def coverage(position: Position) -> PositionCoverage:
    return PositionCoverage.objects.get(position=position)


def below(unit: OrgUnit, name: str) -> int:
    return sum(getattr(row, name)[0] for row in UnitCoverage.objects.filter(org_unit__path__contains=[unit.pk]))


def percent(part: int, whole: int) -> Decimal | None:
    return Decimal(part) * 100 / whole if whole else None


def days(day: date | None) -> int | None:
    return None if day is None else (day - TODAY).days


EXPECTED: dict[str, dict[str, Any]] = {
    "employee": {
        "employee_number": lambda e: e.employee_number,
        "given_name": lambda e: e.given_name,
        "family_name": lambda e: e.family_name,
        "name": lambda e: f"{e.family_name}, {e.given_name}",
        "email": lambda e: e.email,
        "national_id": lambda e: e.national_id,
        "status": lambda e: e.status,
        "hired_on": lambda e: e.hired_on,
        "last_day": lambda e: e.last_day,
        "days_since_hired": lambda e: -days(e.hired_on),  # type: ignore[operator]
        "days_to_last_day": lambda e: days(e.last_day),
        'in_unit("ANY")': lambda e, code: OrgUnit.objects.get(code=code).pk in e.home_unit.path,
        "on_leave": lambda e: (
            Leave.objects.filter(employee=e, starts_on__lte=TODAY).exclude(ends_on__lt=TODAY).exists()
        ),
        "days_to_leave": next_leave,
        "contract_hours": lambda e: (
            sum(row.tag.hours_delta for row in held(e).filter(tag__type="CONTRACT").select_related("tag"))
            if EmployeeTag.objects.filter(employee=e, tag__type="CONTRACT")
            .exclude(valid_from__gt=TODAY)
            .exclude(valid_until__lt=TODAY)
            .exists()
            else None
        ),
        "days_to_contract_end": contract_end,
        'has_tag("ANY")': lambda e, code: held(e).filter(tag__code=code).exists(),
        "days_to_tag_expiry": nearest_end,
        'days_to_tag_expiry("ANY")': lambda e, code: days(run_end(e, tag__code=code)),
        "assignments": lambda e: live(employee=e).count(),
        "pool": lambda e: hours(ledger(e).pool[0]),
        "assigned": lambda e: hours(ledger(e).assigned[0]),
        "proposed": lambda e: hours(ledger(e).proposed[0]),
        "balance": lambda e: hours(ledger(e).pool[0] - ledger(e).assigned[0]),
        "lowest_balance": lambda e: hours(min(p - a for p, a in zip(ledger(e).pool, ledger(e).assigned, strict=True))),
        "weeks_over": lambda e: sum(a > p for p, a in zip(ledger(e).pool, ledger(e).assigned, strict=True)),
    },
    "position": {
        "code": lambda p: p.code,
        "title": lambda p: p.title,
        "required_weekly_hours": lambda p: p.required_weekly_hours,
        "opens_on": lambda p: p.opens_on,
        "closes_on": lambda p: p.closes_on,
        'in_unit("ANY")': lambda p, code: OrgUnit.objects.get(code=code).pk in p.org_unit.path,
        'requires_tag("ANY")': lambda p, code: PositionTag.objects.filter(
            position=p, tag__code=code, level="REQUIRED"
        ).exists(),
        "people": lambda p: live(position=p).values("employee").distinct().count(),
        "required": lambda p: hours(coverage(p).required[0]),
        "assigned": lambda p: hours(coverage(p).assigned[0]),
        "proposed": lambda p: hours(coverage(p).proposed[0]),
        "unqualified_hours": lambda p: hours(coverage(p).unqualified[0]),
        "deficit_hours": lambda p: hours(max(coverage(p).required[0] - coverage(p).assigned[0], 0)),
        "surplus_hours": lambda p: hours(max(coverage(p).assigned[0] - coverage(p).required[0], 0)),
        "coverage_percent": lambda p: percent(coverage(p).assigned[0], coverage(p).required[0]),
        "worst_coverage_percent": lambda p: min(
            (
                percent(assigned, required)
                for assigned, required in zip(coverage(p).assigned, coverage(p).required, strict=True)
                if required
            ),
            default=None,
        ),
        "state": lambda p: state_of(coverage(p).required[0], coverage(p).assigned[0]).value,
    },
    "unit": {
        "code": lambda u: u.code,
        "name": lambda u: u.name,
        "kind": lambda u: u.kind,
        "is_active": lambda u: u.is_active,
        "max_weekly_hours": lambda u: u.max_weekly_hours,
        "coverage_target": lambda u: u.coverage_target,
        "headroom": lambda u: u.headroom,
        "depth": lambda u: len(u.path),
        'in_unit("ANY")': lambda u, code: OrgUnit.objects.get(code=code).pk in u.path,
        "required": lambda u: hours(below(u, "required")),
        "assigned": lambda u: hours(below(u, "assigned")),
        "deficit_hours": lambda u: hours(below(u, "deficit")),
        "surplus_hours": lambda u: hours(below(u, "surplus")),
        "unqualified_hours": lambda u: hours(below(u, "unqualified")),
        "coverage_percent": lambda u: percent(below(u, "filled"), below(u, "required")),
        "vacant_positions": lambda u: below(u, "vacant"),
    },
    "assignment": {
        "effective_hours": lambda a: a.effective_hours,
        "starts_on": lambda a: a.starts_on,
        "ends_on": lambda a: a.ends_on,
        "expires_on": lambda a: a.expires_on,
        "status": lambda a: a.status,
        "is_reinforcement": lambda a: a.is_reinforcement,
        "voided": lambda a: a.voided,
        "days_to_end": lambda a: days(a.ends_on),
        "days_since_start": lambda a: -days(a.starts_on),  # type: ignore[operator]
        "same_unit": lambda a: a.employee.home_unit_id == a.position.org_unit_id,
    },
}
# What the demo has the same of everyone is made to differ first.
PREPARED: dict[tuple[str, str], Any] = {
    ("unit", "is_active"): lambda: OrgUnit.objects.filter(pk=OrgUnit.objects.last().pk).update(is_active=False),  # type: ignore[union-attr]
}


def code_for(kind: str, word: str) -> str:
    """Return a code that is true of some subjects and false of others."""
    if word == "in_unit":
        return str(OrgUnit.objects.filter(parent__isnull=False, children__isnull=False).order_by("code")[0].code)
    if word == "requires_tag":
        return str(PositionTag.objects.filter(level="REQUIRED").order_by("tag__code")[0].tag.code)
    return str(TagCatalog.objects.filter(holders__valid_until__gt=TODAY).order_by("code")[0].code)


def same(found: Any, wanted: Any) -> bool:
    if isinstance(found, Decimal) and wanted is not None:
        return abs(found - Decimal(wanted)) < Decimal("0.000001")
    return bool(found == wanted)


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, words in EXPECTED.items() for text in words])
def test_a_word_has_the_right_value_for_every_subject(demo: None, kind: str, text: str) -> None:
    expected = EXPECTED[kind][text]
    name, bracket, _rest = text.partition("(")
    if (kind, name) in PREPARED:
        PREPARED[kind, name]()
    code = [code_for(kind, name)] if bracket else []
    found = values_of_all(kind, f'{name}("{code[0]}")' if code else name)
    rows = kind_named(kind).model.objects.all()
    wanted = {row.pk: expected(row, *code) for row in rows}
    wrong = [(str(row), found[row.pk], wanted[row.pk]) for row in rows if not same(found[row.pk], wanted[row.pk])]
    assert not wrong, wrong[:5]
    assert len(set(found.values())) > 1, "the demo cannot tell whether this word is right"


def values_of_all(kind: str, text: str) -> dict[int, Any]:
    if text == "national_id":
        return values(kind, text, user=UserFactory(role="ADMIN"))
    return values(kind, text)


def test_the_table_above_has_every_word(demo: None) -> None:
    for kind in kinds():
        words = {found.name for found in known_words(kind.name, Sight.of(UserFactory(role="ADMIN"))) if not found.paths}
        assert words == {text.partition("(")[0] for text in EXPECTED[kind.name]}, kind.name


@pytest.mark.parametrize("kind", ["employee", "position", "unit", "assignment"])
def test_every_word_through_a_path_compiles_and_runs_for_everyone_and_for_a_few(demo: None, kind: str) -> None:
    model = kind_named(kind).model
    some = list(model.objects.order_by("pk").values_list("pk", flat=True)[:3])
    for found in known_words(kind, Sight.of_rules()):
        text = found.name
        if found.word.arguments:
            text += '("NONE")'
        everyone = values(kind, text)
        few = values(kind, text, Question(TODAY, ids={kind: some}))
        assert {pk: few[pk] for pk in some} == {pk: everyone[pk] for pk in some}, text
        assert found.word.type in Type
