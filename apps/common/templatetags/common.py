"""The small pieces of apps/common/badges.py for templates."""

from typing import Any

from django import template
from django.contrib.admin.views.main import ChangeList

from apps.common import badges

register = template.Library()
register.simple_tag(badges.badge, name="badge")
register.simple_tag(badges.two_lines, name="two_lines")
register.simple_tag(badges.progress, name="progress")
register.simple_tag(badges.sparkline, name="sparkline")


@register.inclusion_tag("common/empty_state.html")
def empty_state(icon: str, title: str, text: str = "", link: str = "", link_text: str = "") -> dict[str, Any]:
    """Show that there is nothing here, why, and what to do next."""
    return {"icon": icon, "title": title, "text": text, "link": link, "link_text": link_text}


@register.filter
def is_estimate(cl: ChangeList) -> bool:
    return bool(getattr(cl.paginator, "is_estimate", False))


@register.filter
def more_than(cl: ChangeList) -> int | None:
    """Return the number beyond which a list was not counted; None where it was."""
    return getattr(cl.paginator, "more_than", None)


@register.filter
def shown_count(cl: ChangeList) -> int:
    return int(getattr(cl.paginator, "shown_count", cl.result_count))
