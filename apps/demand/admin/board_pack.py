"""The board on paper: one page a unit, with its figures, what lies right below it and who is on its positions."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.assignments.models import Assignment
from apps.audit_log.services import record_export
from apps.changes.freshness import freshness_shown
from apps.common.weeks import week_code

from ..levels import PositionAt, UnitAt, contents
from .board_asked import VIEW, answered, read_asked
from .board_rows import KINDS, units_on, way_to

if TYPE_CHECKING:
    from apps.common.admin import BaseAdmin as Screen
else:
    Screen = object

MOST_UNITS, LONGEST_LEVEL = 200, 200


class BoardPack(Screen):  # type: ignore[misc]
    """Adds the printable pack to the board's screen."""

    def print_view(self, request: HttpRequest) -> HttpResponse:
        """Show a page for each unit of the board as it is filtered and opened, made to be printed."""
        asked = replace(read_asked(request, VIEW), view="")
        answer, asked = answered(asked, page=1, per_level=MOST_UNITS + 1, with_positions=False)
        units = [place.line for place in answer.places if isinstance(place.line, UnitAt)]
        board = reverse(f"{self.admin_site.name}:demand_unitcoverage_changelist")
        if asked.problem or not units or len(units) > MOST_UNITS or answer.longer or answer.pages > 1:
            if units:
                messages.warning(
                    request,
                    _("A pack has at most %(units)s pages, one a unit: open fewer units, or filter first.")
                    % {"units": MOST_UNITS},
                )
            return HttpResponseRedirect(f"{board}?{request.GET.urlencode()}")
        found, longer = contents(
            asked.question(per_level=LONGEST_LEVEL),
            [unit.id for unit in units],
            is_closed=answer.closed_at is not None,
        )
        positions = [line for lines in found.values() for line in lines if isinstance(line, PositionAt)]
        people = people_on(request, [position.id for position in positions], asked.week)
        above = units_on(request, (unit.path for unit in units))
        freshness = None if answer.closed_at else freshness_shown()
        pages = [
            {
                "unit": unit,
                "kind": KINDS.get(unit.kind, ""),
                "above": way_to(unit.path, above),
                "units": [line for line in found[unit.id] if isinstance(line, UnitAt)],
                "positions": [
                    (line, people.get(line.id, ())) for line in found[unit.id] if isinstance(line, PositionAt)
                ],
                "more": longer.get(unit.id, 0),
            }
            for unit in units
        ]
        record_export(
            actor=request.user, what=f"coverage_pack_{week_code(asked.week)}", format="html", rows=len(pages),
            page=request.path, filters=request.GET.urlencode(),
        )  # fmt: skip
        context = {
            **self.admin_site.each_context(request),
            "title": _("Coverage, one page a unit"),
            "asked": asked,
            "pages": pages,
            "week_code": week_code(asked.week),
            "week_last": asked.week + timedelta(days=6),
            "closed_at": answer.closed_at,
            "stamp": answer.stamp,
            "freshness": freshness,
            "printed_at": timezone.now(),
            "back": board + asked.query(),
        }
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        return TemplateResponse(request, "demand/board_pack.html", context)


def people_on(request: HttpRequest, positions: list[int], week: date) -> dict[int, list[Assignment]]:
    """Return the accepted assignments whose dates touch the week, of each position, as far as the reader may see."""
    user: Any = request.user
    last = week + timedelta(days=6)
    rows = (
        Assignment.objects.visible_to(user)
        .counted()
        .filter(Q(ends_on__isnull=True) | Q(ends_on__gte=week), position__in=positions, starts_on__lte=last)
        .select_related("employee")
        .order_by("employee__family_name", "employee__given_name", "starts_on")
    )
    found: dict[int, list[Assignment]] = defaultdict(list)
    for row in rows:
        found[row.position_id].append(row)
    return found
