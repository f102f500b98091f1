"""Contracts, qualifications, certifications and exceptions as one primitive: the tag."""

from .employee_tag import EmployeeTag
from .position_tag import PositionTag
from .tag_catalog import TagCatalog
from .tag_change_log import TagChangeLog

__all__ = ["EmployeeTag", "PositionTag", "TagCatalog", "TagChangeLog"]
