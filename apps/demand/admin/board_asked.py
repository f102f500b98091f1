"""What a reader of the board asks for: all of it is in the address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from apps.common.clock import monday_of, today
from apps.common.paginator import page_asked
from apps.common.tree import opened_in
from apps.common.weeks import horizon, parse_week, week_code
from apps.org.enums import UnitKind
from apps.org.filters import unit_asked
from apps.org.models import OrgUnit
from apps.org.querysets import scope_of, sees_the_house
from apps.tags.models import TagCatalog

from ..board import NoFigures
from ..enums import CoverageState
from ..levels import NET_ZERO, UNQUALIFIED, Answer, Order, Question, levels

VIEW, EXPORT = "demand.view_unitcoverage", "demand.export_unitcoverage"
POSITIONS = "demand.view_positioncoverage"
WEEKS = "weeks"
STATES = (*CoverageState.values, UNQUALIFIED, NET_ZERO)
OPEN_AT_MOST = 60
LEVEL = 50
LAST_PAGE = 100_000


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the reader wants to see. `problem` says why the week is none."""

    view: str
    week: date
    unit: OrgUnit | None
    opened: frozenset[int] | None
    kind: str
    state: str
    tag: TagCatalog | None
    order: Order
    page: int
    scope: int | None
    sees_positions: bool
    problem: str = ""

    @property
    def weeks(self) -> Sequence[date]:
        return horizon() if self.view == WEEKS else [self.week]

    @property
    def is_filtered(self) -> bool:
        return bool(self.kind or self.state or self.tag)

    @property
    def is_flat(self) -> bool:
        return self.question().is_flat

    def question(self, **changed: Any) -> Question:
        asked: dict[str, Any] = {
            "weeks": self.weeks,
            "root": self.unit.pk if self.unit else None,
            "scope": self.scope,
            "opened": self.opened,
            "kind": self.kind,
            "state": self.state,
            "tag": self.tag.pk if self.tag else None,
            "order": self.order,
            "page": self.page,
            "per_level": LEVEL,
            "with_positions": self.sees_positions,
        }
        return Question(**(asked | changed))

    def parameters(self, **changed: Any) -> dict[str, str]:
        """Return what an address says of it; `open` is said even if it is empty, once it was said at all."""
        asked: dict[str, Any] = {
            "view": self.view,
            "week": "" if self.problem else week_code(self.week),
            "unit": self.unit.code if self.unit else "",
            "open": None if self.opened is None else ",".join(map(str, sorted(self.opened))),
            "kind": self.kind,
            "state": self.state,
            "tag": self.tag.code if self.tag else "",
            "order": self.order if self.order != Order.CODE else "",
            "page": self.page if self.page > 1 else "",
        } | changed
        return {name: str(value) for name, value in asked.items() if value or (name == "open" and value is not None)}

    def query(self, **changed: Any) -> str:
        return "?" + urlencode(self.parameters(**changed))


def read_asked(request: HttpRequest, permission: str) -> Asked:
    """Return what is asked for; what is no choice is as if it were not asked, a unit out of sight is none: 404."""
    user: Any = request.user
    if request.method not in ("GET", "HEAD") or not user.has_perm(permission) or not sees_the_house(user):
        raise PermissionDenied

    def said(name: str, choices: Sequence[str] = ()) -> str:
        value = request.GET.get(name, "").replace("\x00", "").strip()[:200]
        return value if not choices or value in choices else ""

    week, problem = monday_of(today()), ""
    view = said("view", (WEEKS,))
    if code := said("week"):
        try:
            week = parse_week(code)
        except ValueError as error:
            # The 13 weeks are the same whatever the address says.
            problem = "" if view == WEEKS else str(error)
    tag = None
    if code := said("tag"):
        tag = TagCatalog.objects.visible_to(user).filter(code=code).first()
        if tag is None:
            raise Http404
    opened = opened_in(request.GET.get("open"), OPEN_AT_MOST)
    return Asked(
        view=view,
        week=week,
        unit=unit_asked(request),
        opened=None if opened is None else frozenset(opened),
        kind=said("kind", UnitKind.values),
        state=said("state", STATES),
        tag=tag,
        order=Order.WORST if said("order") == Order.WORST else Order.CODE,
        page=page_asked(said("page"), LAST_PAGE),
        scope=scope_of(user),
        sees_positions=user.has_perm(POSITIONS),
        problem=problem,
    )


def answered(asked: Asked, **changed: Any) -> tuple[Answer, Asked]:
    """Return what the tree answers, and what was asked with the reason why it is nothing."""
    nothing = Answer([], set())
    if asked.problem:
        return nothing, asked
    try:
        return levels(asked.question(**changed)), asked
    except NoFigures:
        problem = _("No figures are kept for %(week)s: they are there for this week and the 12 to come, and for weeks "
                    "gone by since the installation began to count.") % {"week": week_code(asked.week)}  # fmt: skip
        return nothing, replace(asked, problem=problem)
