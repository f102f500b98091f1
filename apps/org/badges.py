"""Leaves as badges."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from apps.common.badges import badge


def leave_state(leave: Any, day: date) -> SafeString:
    """Return the badge that says whether a leave runs, is to come, or is over."""
    if leave.starts_on > day:
        return badge(_("to come"), "petrol", "schedule")
    if leave.ends_on is None or leave.ends_on >= day:
        return badge(_("running"), "yellow", "beach_access")
    return badge(_("over"), "grey")
