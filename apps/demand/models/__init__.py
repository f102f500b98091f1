"""What positions need, and how far it is covered."""

from .closed_week import ClosedPositionWeek, ClosedUnitWeek
from .demand_adjustment import DemandAdjustment
from .position_coverage import PositionCoverage
from .unit_coverage import UnitCoverage
from .whole_coverage import WholeCoverage

__all__ = [
    "ClosedPositionWeek",
    "ClosedUnitWeek",
    "DemandAdjustment",
    "PositionCoverage",
    "UnitCoverage",
    "WholeCoverage",
]
