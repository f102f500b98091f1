"""What positions need, and how far it is covered."""

from .closed_week import ClosedPositionWeek, ClosedUnitWeek, CorrectedPositionWeek, CorrectedUnitWeek
from .comparison import ComparedRecord, Comparison
from .demand_adjustment import DemandAdjustment
from .dependence import Dependence, DependentPosition
from .position_cliff import PositionCliff
from .position_coverage import PositionCoverage
from .unit_coverage import UnitCoverage, WholeCoverage

__all__ = [
    "ClosedPositionWeek",
    "ClosedUnitWeek",
    "ComparedRecord",
    "Comparison",
    "CorrectedPositionWeek",
    "CorrectedUnitWeek",
    "DemandAdjustment",
    "Dependence",
    "DependentPosition",
    "PositionCliff",
    "PositionCoverage",
    "UnitCoverage",
    "WholeCoverage",
]
