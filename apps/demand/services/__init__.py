"""Writes of the demand side."""

from .adjustments import remove_adjustment, save_adjustments
from .corrections import correct_week, preview_correction
from .kept_answers import request_comparison, request_dependence

__all__ = [
    "correct_week",
    "preview_correction",
    "remove_adjustment",
    "request_comparison",
    "request_dependence",
    "save_adjustments",
]
