"""What a reader of the waterfall asks for: a part of the organisation, two weeks, a cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from apps.common.weeks import parse_week, week_code
from apps.org.filters import unit_asked
from apps.org.models import OrgUnit, Position
from apps.org.querysets import scope_of

from ..waterfall import Cause, Place

VIEW, EXPORT = "demand.view_positioncoverage", "demand.export_positioncoverage"


@dataclass(frozen=True)
class Where:
    """The part of the organisation that is looked at; neither = all that the reader may see: `scope`, None = all."""

    unit: OrgUnit | None = None
    position: Position | None = None
    scope: OrgUnit | None = None

    @property
    def place(self) -> Place:
        return Place(
            root=self.unit.pk if self.unit else None,
            position=self.position.pk if self.position else None,
            scope=self.scope.pk if self.scope else None,
        )

    @property
    def asked(self) -> dict[str, str]:
        if self.position:
            return {"position": self.position.code}
        return {"unit": self.unit.code} if self.unit else {}

    @property
    def title(self) -> str:
        if self.position:
            return f"{self.position.title} ({self.position.code})"
        unit = self.unit or self.scope
        return f"{unit.name} ({unit.code})" if unit else _("All units")


@dataclass(frozen=True)
class Asked:
    """What the reader wants to see."""

    where: Where
    first: date
    second: date
    cause: Cause | None = None
    page: int = 1

    def query(self, **changed: str) -> str:
        asked = {
            **self.where.asked,
            "from": week_code(self.first),
            "to": week_code(self.second),
            "cause": self.cause.value if self.cause else "",
        } | changed
        return "?" + urlencode({name: value for name, value in asked.items() if value})


def where_asked(request: HttpRequest, permission: str, *, reading: bool = True) -> Where:
    """Return the part of the organisation asked for; what is out of sight is not found."""
    if (reading and request.method not in ("GET", "HEAD")) or not request.user.has_perm(permission):
        raise PermissionDenied
    user: Any = request.user
    position = None
    # A position is narrower than any unit asked for beside it.
    if code := request.GET.get("position", "").replace("\x00", "").strip():
        position = Position.objects.visible_to(user).filter(code=code).first()
        if position is None:
            raise Http404
    unit = None if position else unit_asked(request)
    scope = scope_of(user)
    return Where(unit, position, None if scope is None else OrgUnit.objects.get(pk=scope))


def weeks_asked(request: HttpRequest, where: Where, gone: Sequence[date], to_come: Sequence[date]) -> Asked:
    """Return what is asked for; what is no choice is as if it were not asked, and the earlier week comes first."""
    known = [*gone, *to_come]

    def week(name: str) -> date | None:
        try:
            monday = parse_week(request.GET.get(name, ""))
        except ValueError:
            return None
        return monday if monday in known else None

    first, second = week("from"), week("to")
    now = known.index(to_come[0])
    if first is None and second is None:
        # From the last week to this one; before any week was closed, from this one to the next.
        first, second = (known[now - 1], known[now]) if now else (known[0], known[1])
    elif first is None or second is None or first == second:
        place = known.index(first or second or to_come[0])
        first, second = (known[place], known[place + 1]) if place + 1 < len(known) else (known[place - 1], known[place])
    cause, page = request.GET.get("cause", ""), request.GET.get("page", "")
    return Asked(
        where,
        min(first, second),
        max(first, second),
        Cause(cause) if cause in Cause else None,
        int(page) if page.isascii() and page.isdigit() and 0 < len(page) < 7 and int(page) else 1,
    )


def shortcuts(asked: Asked, gone: Sequence[date], to_come: Sequence[date]) -> list[dict[str, Any]]:
    choices = [
        (_("This week and the next"), to_come[0], to_come[1]),
        (_("This week and in 4 weeks"), to_come[0], to_come[4]),
        (_("This week and in 12 weeks"), to_come[0], to_come[-1]),
    ]
    if gone:
        choices.insert(0, (_("Last week and this one"), gone[-1], to_come[0]))
    return [
        {
            "label": label,
            "link": asked.query(**{"from": week_code(first), "to": week_code(second), "cause": ""}),
            "is_chosen": (first, second) == (asked.first, asked.second),
        }
        for label, first, second in choices
    ]
