"""The screens of demand."""

from . import demand_adjustment, unit_coverage

__all__ = ["demand_adjustment", "unit_coverage"]
