"""The page of positions that hang on one person, or on nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.formats import localize_input
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.common.admin.dialogs import PAGE_MEDIA
from apps.common.badges import Tone, badge
from apps.common.clock import today
from apps.common.columns import short_day
from apps.org.filters import unit_asked, units_offered
from apps.org.models import Employee, OrgUnit
from apps.org.querysets import scope_of

from ..cliffs import Cause, hours_of
from ..dependence import Dependent, Found, dependent_positions, has_more_positions_than
from ..services import request_dependence
from ..waterfall import Place
from .cliffs import VIEW, hours_text
from .kept_answers import told

if TYPE_CHECKING:
    from apps.common.admin import BaseAdmin as Screen
else:
    Screen = object

PER_PAGE, MOST_PAGES = 50, 1_000
# Of so many positions it is found out while somebody waits.
FEW_POSITIONS = 10_000
DAYS = 91
KINDS = {"nobody": 0, "one": 1}
TITLE = gettext_lazy("Hanging on one person")


@dataclass(frozen=True)
class Asked:
    """What the reader wants to see: positions nobody could fill, one person, or either (""); a unit; a page from 1."""

    kind: str
    unit: OrgUnit | None
    page: int

    def query(self, **changed: Any) -> str:
        asked = {"kind": self.kind, "unit": self.unit.code if self.unit else "", "page": ""} | changed
        return "?" + urlencode({name: value for name, value in asked.items() if value})


class DependencePage(Screen):  # type: ignore[misc]
    """Adds the page to a screen."""

    def get_urls(self) -> list[Any]:
        guarded, name = self.admin_site.admin_view, "demand_positioncoverage_dependence"
        return [
            path("dependence/", guarded(self.dependence_view), name=name),
            path("dependence/anew/", guarded(self.dependence_anew_view), name=f"{name}_anew"),
            *super().get_urls(),
        ]

    def dependence_view(self, request: HttpRequest) -> HttpResponse:
        """Show which positions of the reader's part of the organisation hang on one person, or on nobody."""
        user: Any = request.user
        asked = _asked(request)
        place = Place(root=asked.unit.pk if asked.unit else None, scope=scope_of(user))
        kept = request_dependence(actor=user) if has_more_positions_than(FEW_POSITIONS, place) else None
        found = dependent_positions(
            today=today(),
            days=DAYS,
            root=place.root,
            scope=place.scope,
            kept=kept is not None,
            many=KINDS.get(asked.kind),
            limit=PER_PAGE + 1,
            offset=(asked.page - 1) * PER_PAGE,
        )
        rows = found.rows[:PER_PAGE]
        seen = set(
            Employee.objects.visible_to(user)
            .filter(pk__in={row.employee_id for row in rows if row.employee_id})
            .values_list("pk", flat=True)
        )
        context = {
            **self.admin_site.each_context(request),
            "title": TITLE,
            "content_title": TITLE,
            "subtitle": None,
            "asked": asked,
            "kept": told(kept),
            "anew_url": reverse(f"{self.admin_site.name}:demand_positioncoverage_dependence_anew") + asked.query(),
            "is_known": kept is None or kept.computed_at is not None,
            "tiles": _tiles(asked, found),
            **units_offered(request),
            "rows": [self._row(row, seen, user.has_perm("org.view_employee")) for row in rows],
            "days": DAYS,
            "show_all": Asked("", None, 1).query(),
            "is_filtered": bool(asked.kind or asked.unit),
            "earlier": asked.query(page=asked.page - 1) if asked.page > 1 else "",
            "later": asked.query(page=asked.page + 1) if len(found.rows) > PER_PAGE else "",
            "media": PAGE_MEDIA,
        }
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        return TemplateResponse(request, "demand/dependence.html", context)

    def dependence_anew_view(self, request: HttpRequest) -> HttpResponse:
        """Have workers look for them anew, and show how far they are."""
        if request.method != "POST" or not request.user.has_perm(VIEW):
            raise PermissionDenied
        request_dependence(actor=request.user, anew=True)  # type: ignore[arg-type]
        page = reverse(f"{self.admin_site.name}:demand_positioncoverage_dependence")
        return HttpResponseRedirect(f"{page}?{request.GET.urlencode()}")

    def _row(self, item: Dependent, seen: set[int], may_look: bool) -> dict[str, Any]:
        site = self.admin_site.name
        is_seen = item.employee_id in seen
        return {
            "item": item,
            "who": _who(item, is_seen),
            "employee_url": reverse(f"{site}:org_employee_change", args=(item.employee_id,)) if is_seen else "",
            "position_url": reverse(f"{site}:org_position_coverage", args=(item.position_id,)),
            "find_url": _find(item, site) if may_look else "",
            "required": hours_text(item.required),
            "given": hours_text(item.given) if item.employee_id else "–",
            "away": _away(item) if is_seen else None,
        }


def _asked(request: HttpRequest) -> Asked:
    if request.method not in ("GET", "HEAD") or not request.user.has_perm(VIEW):
        raise PermissionDenied
    kind, page = (request.GET.get(name, "").strip() for name in ("kind", "page"))
    number = int(page) if page.isascii() and page.isdecimal() and len(page) < 5 else 1
    return Asked(kind if kind in KINDS else "", unit_asked(request), min(max(number, 1), MOST_PAGES))


def _tiles(asked: Asked, found: Found) -> list[dict[str, Any]]:
    return [
        {"label": label, "number": number, "icon": icon, "tone": tone if number else "", "text": text,
         "link": asked.query(kind="" if kind == asked.kind else kind), "is_chosen": kind == asked.kind}
        for kind, label, number, icon, tone, text in (
            ("nobody", _("Nobody could fill"), found.nobody, "person_off", "red", _("nobody holds what is required")),
            ("one", _("One person could fill"), found.one, "person_alert", "yellow", _("nobody could stand in")),
        )
    ]  # fmt: skip


def _who(item: Dependent, is_seen: bool) -> Any:
    if item.employee_id is None:
        return badge(_("nobody"), Tone.RED, "person_off")
    return f"{item.employee_name} ({item.employee_number})" if is_seen else _("somebody out of your sight")


def _find(item: Dependent, site: str) -> str:
    """Return where somebody else is looked for: for all the position needs, whoever lacks a tag included."""
    wanted = {"untrained": "on", "hours": localize_input(hours_of(item.required))}
    return f"{reverse(f'{site}:org_position_candidates', args=(item.position_id,))}?{urlencode(wanted)}"


def _away(item: Dependent) -> Any:
    """Return when the one person will be missed, and why, as a badge; None if nothing is known to come."""
    if item.away_on is None or item.cause is None:
        return None
    return badge(f"{Cause(item.cause).label}: {short_day(item.away_on)}", Tone.RED, "event_busy")
