"""The inbox, and what is kept about it."""

from . import attention, digest

__all__ = ["attention", "digest"]
