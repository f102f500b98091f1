"""Writes of the demand side."""

from .adjustments import remove_adjustment, save_adjustments
from .corrections import correct_week, preview_correction

__all__ = ["correct_week", "preview_correction", "remove_adjustment", "save_adjustments"]
