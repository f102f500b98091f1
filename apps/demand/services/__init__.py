"""Writes of the demand side."""

from .adjustments import remove_adjustment, save_adjustments

__all__ = ["remove_adjustment", "save_adjustments"]
