"""The screens of the catalogue and of the tags employees hold."""

from . import employee_tag, tag_catalog, tag_change_log

__all__ = ["employee_tag", "tag_catalog", "tag_change_log"]
