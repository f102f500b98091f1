"""Tags as badges."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.common.badges import badge

from .enums import TagType

EXPIRING_DAYS = 30
TYPES = {
    TagType.CONTRACT: ("petrol", "contract"),
    TagType.QUALIFICATION: ("blue", "school"),
    TagType.CERTIFICATION: ("green", "workspace_premium"),
    TagType.EXCEPTION: ("yellow", "rule"),
}


def type_badge(kind: str) -> SafeString:
    """Return a tag type's badge."""
    tone, icon = TYPES[TagType(kind)]
    return badge(TagType(kind).label, tone, icon)


def tag_state(held: Any, day: date) -> SafeString:
    """Return the badge that says whether a held tag is in force, near its end, over, or to come."""
    if held.valid_from > day:
        return badge(_("to come"), "petrol", "schedule")
    if held.valid_until is None or held.valid_until > day + timedelta(days=EXPIRING_DAYS):
        return badge(_("in force"), "green")
    if held.valid_until >= day:
        left = (held.valid_until - day).days
        text = ngettext("%(days)d day left", "%(days)d days left", left) % {"days": left} if left else _("last day")
        return badge(text, "yellow", "hourglass_bottom")
    return badge(_("over"), "grey")
