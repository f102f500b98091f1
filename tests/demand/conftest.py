"""What the tests of the board share."""

from __future__ import annotations

from typing import Any

import pytest

from apps.changes.drain import drain
from tests import factories


@pytest.fixture
def house(clinic: Any) -> Any:
    """H over H1 (P1 partly covered; below it the ward H1A, over-covered) and H2 (P2 vacant, P3 unqualified)."""
    clinic.ward = factories.OrgUnitFactory(code="H1A", name="Ward", kind="UNIT", parent=clinic.h1)
    clinic.extra = factories.PositionFactory(code="P4", org_unit=clinic.ward, required_weekly_hours=12)
    clinic.p3 = factories.PositionFactory(code="P3", org_unit=clinic.h2, required_weekly_hours=20)
    clinic.tag = factories.TagFactory(code="ICU")
    factories.PositionTagFactory(position=clinic.p3, tag=clinic.tag)
    factories.AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=30, accepted=True)
    helper = factories.EmployeeFactory(home_unit=clinic.ward, active=True)
    factories.AssignmentFactory(
        employee=helper, position=clinic.extra, effective_hours=36, is_reinforcement=True, accepted=True
    )
    someone = factories.AssignmentFactory(employee=clinic.surgeon, position=clinic.p3, effective_hours=20)
    type(someone).objects.filter(pk=someone.pk).update(status="ACTIVE", accepted_at="2026-01-01T00:00Z")
    drain()
    return clinic
