"""What positions need, and how far it is covered."""

from .closed_week import ClosedPositionWeek, ClosedUnitWeek, CorrectedPositionWeek, CorrectedUnitWeek
from .demand_adjustment import DemandAdjustment
from .position_cliff import PositionCliff
from .position_coverage import PositionCoverage
from .unit_coverage import UnitCoverage, WholeCoverage

__all__ = [
    "ClosedPositionWeek",
    "ClosedUnitWeek",
    "CorrectedPositionWeek",
    "CorrectedUnitWeek",
    "DemandAdjustment",
    "PositionCliff",
    "PositionCoverage",
    "UnitCoverage",
    "WholeCoverage",
]
