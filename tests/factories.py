"""Builders of records, with traits; statuses are reached through the door, as everywhere."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import factory
from django.contrib.auth.hashers import make_password
from factory.django import DjangoModelFactory

from apps.assignments.models import Assignment
from apps.business_rules.models import BusinessRule, RuleOverride, Waiver
from apps.demand.models import DemandAdjustment
from apps.fsm.services import apply_transition
from apps.org.models import Employee, Leave, OrgUnit, Position, UnitScope
from apps.tags.models import EmployeeTag, PositionTag, TagCatalog
from apps.users.enums import Role
from apps.users.models import User


class UserFactory(DjangoModelFactory):
    class Meta:
        model = User
        skip_postgeneration_save = True

    email = factory.Sequence(lambda n: f"person{n}@example.org")
    given_name = "Sam"
    family_name = factory.Sequence(lambda n: f"Person{n}")
    role = Role.VIEWER
    is_staff = factory.LazyAttribute(lambda user: user.role != Role.EMPLOYEE)
    is_superuser = factory.LazyAttribute(lambda user: user.role == Role.ADMIN)
    password = factory.Transformer("a long enough password", transform=make_password)

    @factory.post_generation
    def unit(self, create: bool, extracted: OrgUnit | None, **kwargs: Any) -> None:
        if extracted is not None:
            UnitScope.objects.create(user=self, org_unit=extracted)


class OrgUnitFactory(DjangoModelFactory):
    class Meta:
        model = OrgUnit

    code = factory.Sequence(lambda n: f"U{n:04d}")
    name = factory.Sequence(lambda n: f"Unit {n}")
    kind = "SERVICE"


class PositionFactory(DjangoModelFactory):
    class Meta:
        model = Position

    code = factory.Sequence(lambda n: f"P{n:04d}")
    title = factory.Sequence(lambda n: f"Nurse {n}")
    org_unit = factory.SubFactory(OrgUnitFactory)
    required_weekly_hours = Decimal("36")
    opens_on = date(2026, 1, 1)


class TagFactory(DjangoModelFactory):
    class Meta:
        model = TagCatalog

    code = factory.Sequence(lambda n: f"T{n:04d}")
    name = factory.Sequence(lambda n: f"Tag {n}")
    type = "QUALIFICATION"

    class Params:
        contract = factory.Trait(type="CONTRACT", hours_delta=Decimal("36"))
        certification = factory.Trait(type="CERTIFICATION", expires=True)


class EmployeeTagFactory(DjangoModelFactory):
    class Meta:
        model = EmployeeTag

    tag = factory.SubFactory(TagFactory)
    valid_from = date(2020, 1, 1)


class EmployeeFactory(DjangoModelFactory):
    """An employee still ONBOARDING; `active=True` brings a contract (`hours`) and goes through the door."""

    class Meta:
        model = Employee
        skip_postgeneration_save = True

    employee_number = factory.Sequence(lambda n: f"E{n:05d}")
    given_name = "Ana"
    family_name = factory.Sequence(lambda n: f"Pérez {n}")
    home_unit = factory.SubFactory(OrgUnitFactory)
    hired_on = date(2020, 1, 6)

    @factory.post_generation
    def active(self, create: bool, extracted: bool, hours: str = "36", **kwargs: Any) -> None:
        if extracted:
            tag = TagFactory(contract=True, hours_delta=Decimal(hours))
            EmployeeTagFactory(employee=self, tag=tag, valid_from=self.hired_on)
            apply_transition(self, "activate", actor=None, confirmed=True)
            self.refresh_from_db()


class LeaveFactory(DjangoModelFactory):
    class Meta:
        model = Leave

    kind = "VACATION"


class PositionTagFactory(DjangoModelFactory):
    class Meta:
        model = PositionTag

    level = "REQUIRED"


class AssignmentFactory(DjangoModelFactory):
    """A proposal; `accepted=True` takes it through the door as the system, warnings confirmed."""

    class Meta:
        model = Assignment
        skip_postgeneration_save = True

    employee = factory.SubFactory(EmployeeFactory, active=True)
    position = factory.SubFactory(PositionFactory)
    effective_hours = Decimal("36")
    starts_on = date(2026, 1, 1)

    @factory.post_generation
    def accepted(self, create: bool, extracted: bool, **kwargs: Any) -> None:
        if extracted:
            apply_transition(self, "accept", actor=None, confirmed=True)
            self.refresh_from_db()


class DemandAdjustmentFactory(DjangoModelFactory):
    class Meta:
        model = DemandAdjustment

    position = factory.SubFactory(PositionFactory)
    from_day = date(2026, 12, 1)
    hours = Decimal("12")


class BusinessRuleFactory(DjangoModelFactory):
    class Meta:
        model = BusinessRule
        django_get_or_create = ("code",)

    code = "MAX_WEEKLY_HOURS"
    name = factory.LazyAttribute(lambda rule: rule.code)
    subject_kind = "employee"
    severity = "BLOCKING"
    threshold = Decimal("60")


class RuleOverrideFactory(DjangoModelFactory):
    class Meta:
        model = RuleOverride


class WaiverFactory(DjangoModelFactory):
    class Meta:
        model = Waiver

    reason = "agreed with the head of service"


class Clinic:
    """The cast: clinic H over services H1 and H2, and one login a role; `supervisor` and below work in H1."""

    def __init__(self) -> None:
        self.root = OrgUnitFactory(code="H", name="Hospital", kind="CLINIC")
        self.h1 = OrgUnitFactory(code="H1", name="Urgencias", parent=self.root)
        self.h2 = OrgUnitFactory(code="H2", name="Quirófano", parent=self.root)
        for unit in (self.root, self.h1, self.h2):
            unit.refresh_from_db()
        self.admin = UserFactory(email="admin@example.org", role=Role.ADMIN)
        self.manager = UserFactory(email="manager@example.org", role=Role.MANAGER, unit=self.h1)
        self.supervisor = UserFactory(email="supervisor@example.org", role=Role.SUPERVISOR, unit=self.h1)
        self.viewer = UserFactory(email="viewer@example.org", role=Role.VIEWER, unit=self.h1)
        self.p1 = PositionFactory(code="P1", title="Enfermería de guardia", org_unit=self.h1)
        self.p2 = PositionFactory(code="P2", title="Instrumentación", org_unit=self.h2)
        self.nurse = EmployeeFactory(
            employee_number="E1", given_name="Lucía", family_name="Gómez", home_unit=self.h1, active=True
        )
        self.surgeon = EmployeeFactory(
            employee_number="E2", given_name="Bruno", family_name="Díaz", home_unit=self.h2, active=True
        )
        self.newcomer = EmployeeFactory(
            employee_number="E3", given_name="Eva", family_name="Luna", home_unit=self.h1, hired_on=date(2026, 12, 8)
        )
