"""The screens of demand."""

from . import demand_adjustment

__all__ = ["demand_adjustment"]
