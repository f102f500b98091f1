"""The screens of assignments and of their log."""

from . import assignment, assignment_transition_log

__all__ = ["assignment", "assignment_transition_log"]
