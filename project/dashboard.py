"""The first page: how things stand this week in the part of the organisation the reader works in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db.models import Exists, Func, IntegerField
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.formats import number_format
from django.utils.http import urlencode
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.assignments.models import Assignment
from apps.business_rules.enums import Severity
from apps.business_rules.models import RuleViolation
from apps.changes.freshness import freshness_shown
from apps.common.clock import monday_of, today
from apps.common.paginator import COUNTED_EXACTLY
from apps.common.walking import UpTo, number_or_more
from apps.common.weeks import horizon, week_code
from apps.demand.overview import count_net_zero, totals_by_week, worst_units
from apps.fsm.employee_fsm import EmployeeStatus
from apps.inbox.enums import RANKS
from apps.inbox.reading import waiting_by_rank
from apps.org.models import Employee, OrgUnit, Position
from apps.org.querysets import is_walked_for, scope_of
from apps.tags.models import EmployeeTag
from apps.users.models import User

WORST, EXPIRING_DAYS = 8, 30
# The first page says that there is more to do than anybody does today; the inbox says how much.
WAITING_COUNTED = 100
# A tile counts no further than the list behind it; for who sees a large part of the organisation no further than this.
COUNTED_ON_A_TILE = 200
NET_ZERO_COUNTED = 1_000


@dataclass(frozen=True)
class Tile:
    """A number with its name, what it is made of, and the list that shows the records behind it."""

    label: str
    value: Any
    text: str = ""
    link: str = ""
    tone: str = ""
    icon: str = ""


def overview(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Fill the page; the number of queries does not grow with the clinic."""
    return context | _overview(request)


def _overview(request: HttpRequest) -> dict[str, Any]:
    user: Any = request.user
    week = monday_of(today())
    root = scope_of(user)
    unit = OrgUnit.objects.filter(pk=root).first() if root is not None else None
    context: dict[str, Any] = {
        "title": _("Overview"),
        "subtitle": None,
        "scope_unit": unit,
        "week_code": week_code(week),
        "week_first": week,
        "week_last": week + timedelta(days=6),
        "shortcuts": shortcuts(request),
        "freshness": freshness_shown(),
        "dead_letters_link": address("changes.deadletter", "changelist", request=request),
    }
    counts = counts_of(user)
    if not counts.has_units:
        return context | {"is_empty": True, "first_steps": first_steps(request)}
    weeks = horizon(week)
    figures = totals_by_week(root=root, weeks=weeks)
    return context | {
        "weeks": weeks,
        "figures": figures,
        "now": figures[0],
        "positions_known": counts.has_positions,
        "hours": hours_tiles(figures[0], root, week, request),
        "people": people_tiles(counts, request),
        "inbox": inbox_tile(user, request),
        "violations": violation_tiles(counts, request),
        "worst": [
            {"unit": item, "link": address("demand.unitcoverage", "changelist", request=request, unit=item.code)}
            for item in worst_units(root=root, week=week, limit=WORST)
        ],
        "tree_link": address("demand.unitcoverage", "changelist", request=request, order="worst"),
        "week": week,
    }


def hours_tiles(now: Any, root: int | None, week: date, request: HttpRequest) -> list[Tile]:
    def board(**query: str) -> str:
        return address("demand.unitcoverage", "changelist", request=request, **query)

    hidden = count_net_zero(root=root, week=week, most=NET_ZERO_COUNTED)
    return [
        Tile(_("Required hours"), now.required_hours, _("a week"), board(), icon="target"),
        Tile(_("Filled hours"), now.filled_hours, _("of what is required"), icon="task_alt"),
        Tile(
            _("Missing hours"),
            now.deficit_hours,
            _("never set off against surplus"),
            board(order="worst"),
            "red" if now.deficit else "green",
            "trending_down",
        ),
        Tile(
            _("Surplus hours"),
            now.surplus_hours,
            _("%(hours)s h are reinforcement") % {"hours": number_format(now.reinforcement_hours)},
            board(state="OVER_COVERED"),
            "blue" if now.surplus else "",
            "add_circle",
        ),
        Tile(
            _("Vacant positions"),
            now.vacant,
            ngettext("and %(n)d partly covered", "and %(n)d partly covered", now.partial) % {"n": now.partial},
            board(state="VACANT"),
            "red" if now.vacant else "green",
            "person_off",
        ),
        Tile(
            _("Net-zero units"),
            number_or_more(hidden, NET_ZERO_COUNTED),
            _("surplus hides a gap there"),
            board(state="NET_ZERO"),
            "yellow" if hidden else "green",
            "balance",
        ),
    ]


@dataclass(frozen=True)
class Counts:
    """What the reader's part of the organisation holds, counted up to `most`."""

    has_units: bool
    has_positions: bool
    proposals: int
    on_leave: int
    leaving: int
    expiring: int
    violations: dict[Severity, int]
    most: int

    def told(self, number: int) -> Any:
        return number_or_more(number, self.most)


def counts_of(user: Any) -> Counts:
    """Count what the tiles tell, in one statement."""
    day, most = today(), COUNTED_ON_A_TILE if is_walked_for(user) else COUNTED_EXACTLY
    until = day + timedelta(days=EXPIRING_DAYS)
    employees = Employee.objects.visible_to(user)
    violations = RuleViolation.objects.visible_to(user).open()
    lists = (
        Assignment.objects.visible_to(user).proposed(),
        employees.on_leave_on(day).exclude(status=EmployeeStatus.TERMINATED),
        employees.filter(status=EmployeeStatus.NOTICE),
        EmployeeTag.objects.visible_to(user).filter(valid_until__gte=day, valid_until__lte=until),
    )
    units, positions, proposals, on_leave, leaving, expiring, *severe = User.objects.filter(pk=user.pk).values_list(
        Exists(OrgUnit.objects.visible_to(user)),
        Exists(Position.objects.visible_to(user)),
        *(UpTo(rows, most) for rows in lists),
        *(UpTo(violations.filter(severity=severity), most) for severity in Severity),
    )[0]
    return Counts(
        units, positions, proposals, on_leave, leaving, expiring, dict(zip(Severity, severe, strict=True)), most
    )


def _count(expression: Any) -> Func:
    """Return a count that groups by nothing."""
    return Func(expression, function="COUNT", output_field=IntegerField())


def people_tiles(counts: Counts, request: HttpRequest) -> list[Tile]:
    proposals, on_leave, leaving, expiring = (
        counts.told(number) for number in (counts.proposals, counts.on_leave, counts.leaving, counts.expiring)
    )
    return [
        Tile(
            _("Proposals waiting"),
            proposals,
            _("to be accepted or rejected"),
            address("assignments.assignment", "changelist", request=request, status__exact="PROPOSED"),
            "blue" if proposals else "",
            "pending_actions",
        ),
        Tile(
            _("On leave today"),
            on_leave,
            _("giving no hours meanwhile"),
            address("org.employee", "changelist", request=request, status__exact="ON_LEAVE"),
            "",
            "beach_access",
        ),
        Tile(
            _("Leaving"),
            leaving,
            _("in notice"),
            address("org.employee", "changelist", request=request, status__exact="NOTICE"),
            "yellow" if leaving else "",
            "logout",
        ),
        Tile(
            _("Tags expiring"),
            expiring,
            _("within %(days)d days") % {"days": EXPIRING_DAYS},
            address("tags.employeetag", "changelist", request=request),
            "yellow" if expiring else "",
            "event_busy",
        ),
    ]


def inbox_tile(user: Any, request: HttpRequest) -> Tile | None:
    """Return how many items wait for the reader, the gravest told first; None for who has no inbox."""
    link = address("inbox.attention", "inbox", request=request)
    if not link:
        return None
    ranks = waiting_by_rank(user, WAITING_COUNTED + 1)
    number = sum(ranks.values())
    # Counted from the gravest on: where there are more, only the last kind of them was cut short.
    cut = max(ranks) if number > WAITING_COUNTED else None
    told = [
        f"{severity.label} {number_or_more(ranks[rank], ranks[rank] - 1 if rank == cut else None)}"
        for rank, severity in enumerate(RANKS)
        if rank in ranks
    ]
    tones = ("red", "yellow", "blue")
    return Tile(
        _("Waiting in my inbox"),
        number_or_more(number, WAITING_COUNTED),
        " · ".join(told) or _("nothing waits"),
        link,
        tones[min(ranks)] if ranks else "green",
        "inbox",
    )


def violation_tiles(counts: Counts, request: HttpRequest) -> list[Tile]:
    tones = {Severity.BLOCKING: "red", Severity.WARNING: "yellow", Severity.INFO: "blue"}
    icons = {Severity.BLOCKING: "block", Severity.WARNING: "warning", Severity.INFO: "info"}
    return [
        Tile(
            str(severity.label),
            counts.told(counts.violations[severity]),
            "",
            address(
                "business_rules.ruleviolation", "changelist", request=request,
                severity__exact=severity.value, state="unresolved",
            ),
            tones[severity] if counts.violations[severity] else "",
            icons[severity],
        )
        for severity in Severity
    ]  # fmt: skip


def shortcuts(request: HttpRequest) -> list[dict[str, str]]:
    """Return what this person most often comes for, as far as they may."""
    wanted = [
        ("assignments.assignment", "add", "add", "person_add", _("Propose an assignment")),
        ("imports.importjob", "add", "add", "upload_file", _("Bring in a sheet")),
        ("inbox.attention", "inbox", "view", "inbox", _("What waits for somebody")),
        ("business_rules.ruleviolation", "changelist", "view", "report", _("Open violations")),
        ("org.employee", "changelist", "view", "badge", _("Find an employee")),
        ("audit_log.auditentry", "changelist", "view", "history", _("Who changed what")),
    ]
    found = []
    for label, page, verb, icon, text in wanted:
        link = address(label, page, request=request, verb=verb)
        if link:
            found.append({"link": link, "icon": icon, "text": text})
    return found


def first_steps(request: HttpRequest) -> list[dict[str, Any]]:
    """Return what to do in an empty installation, in the order in which things need each other."""
    steps = [
        ("org.orgunit", _("Enter the units"), _("the clinic, its departments and services")),
        (
            "tags.tagcatalog",
            _("Look over the tags"),
            _("contracts with their weekly hours, qualifications, certificates"),
        ),
        ("org.position", _("Enter the positions"), _("what each unit needs, in hours a week")),
        ("org.employee", _("Enter the employees"), _("and give each one a contract, then activate them")),
        ("assignments.assignment", _("Propose assignments"), _("coverage appears within seconds of accepting them")),
    ]
    return [
        {
            "title": title,
            "text": text,
            "link": address(label, "changelist", request=request),
            "name": capfirst(str(apps.get_model(label)._meta.verbose_name_plural)),
        }
        for label, title, text in steps
    ]


def address(
    label: str, page: str, *args: Any, request: HttpRequest | None = None, verb: str = "view", **query: str
) -> str:
    """Return the address of a model's screen; empty without such a screen, or for whom it is closed (`request`)."""
    model = apps.get_model(label)
    screen = admin.site._registry.get(model)
    if screen is None:
        return ""
    if request is not None:
        allowed = screen.has_add_permission(request) if verb == "add" else screen.has_view_permission(request)
        if not allowed:
            return ""
    opts = model._meta
    try:
        link = reverse(f"admin:{opts.app_label}_{opts.model_name}_{page}", args=args)
    except NoReverseMatch:
        return ""
    return f"{link}?{urlencode(query)}" if query else link
