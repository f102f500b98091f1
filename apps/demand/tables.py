"""Where the figures of coverage are kept."""

from apps.changes.correcting import ClosedTable
from apps.changes.storing import Table

from .coverage import FIGURES, UNIT_FIGURES

POSITIONS = Table("demand_positioncoverage", "position_id", "org_position", FIGURES)
UNITS = Table("demand_unitcoverage", "org_unit_id", "org_orgunit", UNIT_FIGURES)
WHOLES = Table("demand_wholecoverage", "org_unit_id", "org_orgunit", UNIT_FIGURES)
CLOSED_POSITIONS = ClosedTable("demand_closedpositionweek", "demand_correctedpositionweek", "position_id", FIGURES)
CLOSED_UNITS = ClosedTable("demand_closedunitweek", "demand_correctedunitweek", "org_unit_id", UNIT_FIGURES)
