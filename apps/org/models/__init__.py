"""The organisation tree and who works in it."""

from .employee import Employee
from .leave import Leave
from .org_unit import OrgUnit
from .position import Position
from .unit_scope import UnitScope

__all__ = ["Employee", "Leave", "OrgUnit", "Position", "UnitScope"]
