"""What every screen of the product starts from."""

from .base import BaseAdmin
from .history import HistoryMixin
from .inlines import BaseInlineMixin, BaseStackedInline, BaseTabularInline, ReadOnlyInline
from .readonly import ReadOnlyAdmin

__all__ = [
    "BaseAdmin",
    "BaseInlineMixin",
    "BaseStackedInline",
    "BaseTabularInline",
    "HistoryMixin",
    "ReadOnlyAdmin",
    "ReadOnlyInline",
]
