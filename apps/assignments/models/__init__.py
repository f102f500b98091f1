"""The bridge between who can give hours and where they are needed."""

from .assignment import Assignment
from .assignment_transition_log import AssignmentTransitionLog

__all__ = ["Assignment", "AssignmentTransitionLog"]
