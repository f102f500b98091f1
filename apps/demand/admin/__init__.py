"""The screens of demand."""

from . import corrections, demand_adjustment, unit_coverage

__all__ = ["corrections", "demand_adjustment", "unit_coverage"]
