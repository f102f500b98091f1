"""The timeline: who did what to which record, when and why. Nobody writes here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.http import urlencode
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from apps.common.admin import ReadOnlyAdmin
from apps.common.admin.history import origin_label
from apps.fsm.buttons import status_badge
from apps.imports.exporting import ListExportMixin
from apps.imports.lists import ListOut, plain
from apps.org.models import Employee, OrgUnit, Position
from apps.users.models import User

from .models import AuditEntry, AuditKind
from .sources import BY_NAME, SOURCES
from .timeline import Shown, folded, shown

PAGE, PEOPLE, CHOICES = 50, 50, 8
# What a timeline of its own can be asked for, by the label in the address.
RECORDS = frozenset({source.label for source in SOURCES if source.kind == "CHANGE"})


@admin.register(AuditEntry)
class AuditEntryAdmin(ListExportMixin, ReadOnlyAdmin):
    """Pages from the newest entry on, by key instead of by number: the thousandth costs what the first one does."""

    icon = "history"
    list_display = ("at", "kind", "source", "deed")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        source, _sep, key = object_id.rpartition("~")
        if source not in BY_NAME or not (key.isascii() and key.isdigit() and len(key) < 19):
            return None
        return self.get_queryset(request).filter(source=source, key=int(key)).first()

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.method not in ("GET", "HEAD") or not self.has_view_permission(request):
            raise PermissionDenied
        asked = Asked(request)
        rows = asked.filtered(self.get_queryset(request))
        entries, has_newer, has_older = page_of(rows, request)
        items = folded(shown(entries, request.user))  # type: ignore[arg-type]
        for item in items:
            prepare(item)
        context = {
            **self.admin_site.each_context(request),
            "title": capfirst(str(self.opts.verbose_name_plural)),
            "subtitle": asked.record_name or None,
            "opts": self.opts,
            "asked": asked,
            "days": [
                (day, list(of_day)) for day, of_day in groupby(items, lambda item: timezone.localdate(item.entry.at))
            ],
            "kinds": AuditKind.choices,
            "models": model_choices(request),
            "newer": asked.address(after=key_of(entries[0])) if entries and has_newer else "",
            "older": asked.address(before=key_of(entries[-1])) if entries and has_older else "",
            "media": self.media,
            **self.sheet_links(request),
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        return TemplateResponse(request, "audit_log/timeline.html", context)

    def out_of(self, request: HttpRequest) -> ListOut:
        """Give out the entries the filters leave, each as a line of the words the page says it in."""
        rows = Asked(request).filtered(self.get_queryset(request)).newest_first()
        header = [_("When"), _("Who"), _("What"), _("Of"), _("Record"), _("Changes"), _("Reason"), _("From where")]

        def lines(entries: Sequence[Any]) -> Iterable[Sequence[Any]]:
            return map(line_of, shown(entries, request.user))  # type: ignore[arg-type]

        return ListOut("timeline", capfirst(str(self.opts.verbose_name_plural)), rows, header, lines)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show one entry by itself."""
        if object_id is None or request.method not in ("GET", "HEAD") or not self.has_view_permission(request):
            raise PermissionDenied
        entry = self.get_object(request, object_id.replace("_7E", "~"))
        if entry is None:
            raise Http404
        items = shown([entry], request.user)  # type: ignore[arg-type]
        for item in items:
            prepare(item)
        context = {
            **self.admin_site.each_context(request),
            "title": capfirst(str(self.opts.verbose_name_plural)),
            "opts": self.opts,
            "days": [(timezone.localdate(entry.at), items)],
            "alone": True,
        }
        return TemplateResponse(request, "audit_log/timeline.html", context)


class Asked:
    """The filters of one request, cleaned; what makes no sense is told in `problems` and left out."""

    def __init__(self, request: HttpRequest):
        self.request = request
        self.user: Any = request.user
        text = {
            name: request.GET.get(name, "").replace("\x00", "").strip()[:200]
            for name in ("person", "kind", "model", "from", "until", "record", "about")
        }
        self.text = text
        self.problems: list[str] = []
        self.choices: list[tuple[str, str]] = []
        self.kind = text["kind"] if text["kind"] in AuditKind else ""
        self.model = text["model"] if text["model"] in RECORDS else ""
        self.first = self._day("from")
        self.last = self._day("until")
        self.label, self.pk, self.record_name = "", "", ""
        self._find_record()

    def _day(self, name: str) -> date | None:
        value = self.text[name]
        if not value:
            return None
        try:
            day = parse_date(value)
        except ValueError:
            day = None
        if day is None:
            self.problems.append(_("“%(value)s” is not a day: write it like 2026-12-09.") % {"value": value})
        return day

    def _find_record(self) -> None:
        """Read the record from the address, or find it by what was typed."""
        label, _sep, pk = self.text["record"].partition(":")
        if label in RECORDS and pk:
            self.label, self.pk = label, pk
            model = BY_NAME[label].model
            rows = model._default_manager.all()
            try:
                found = (rows.visible_to(self.user) if hasattr(rows, "visible_to") else rows).filter(pk=pk).first()
            except (ValueError, ValidationError, OverflowError):
                found, self.label, self.pk = None, "", ""
            self.record_name = str(found) if found is not None else ""
            return
        term = self.text["about"]
        if not term:
            return
        matches = list(records_called(term, self.user))
        if len(matches) == 1:
            self.label, self.pk, self.record_name = matches[0]
        elif matches:
            self.problems.append(_("Several records fit “%(term)s”: choose one.") % {"term": term})
            self.choices = [
                (name, self.address(record=f"{label}:{pk}", about="")) for label, pk, name in matches[:CHOICES]
            ]
        else:
            self.problems.append(_("No record you may see is called “%(term)s”.") % {"term": term})

    def filtered(self, rows: Any) -> Any:
        if self.text["about"] and not self.label:
            return rows.none()
        if self.label:
            rows = rows.about(self.label, self.pk)
        if self.text["person"]:
            rows = rows.by(self._people())
        if self.kind:
            rows = rows.filter(kind=self.kind)
        if self.model:
            rows = rows.filter(source__in=[source.name for source in SOURCES if source.label == self.model])
        if self.first:
            rows = rows.filter(at__gte=midnight(self.first))
        if self.last and self.last < date.max:
            rows = rows.filter(at__lt=midnight(self.last + timedelta(days=1)))
        return rows

    def _people(self) -> list[Any] | None:
        term = self.text["person"]
        if term.casefold() == _("the system").casefold():
            return None
        users = User.objects.all()
        for word in term.split()[:6]:
            users = users.filter(
                Q(email__icontains=word) | Q(given_name__icontains=word) | Q(family_name__icontains=word)
            )
        return list(users.order_by("pk").values_list("pk", flat=True)[:PEOPLE])

    @property
    def is_filtered(self) -> bool:
        return any(self.text.values())

    def address(self, **changed: str) -> str:
        """Return the address of this page with the filters kept, some of them changed."""
        values = {**self.text, "record": f"{self.label}:{self.pk}" if self.label else self.text["record"]}
        if self.label:
            values["about"] = ""
        return "?" + urlencode({name: value for name, value in {**values, **changed}.items() if value})


def records_called(term: str, user: Any) -> Iterable[tuple[str, Any, str]]:
    """Yield (label, id, name) of the visible employees, positions and units that have this code, or else this name."""
    searched = (
        ("org.employee", Employee, "employee_number", ("family_name", "given_name")),
        ("org.position", Position, "code", ("title",)),
        ("org.orgunit", OrgUnit, "code", ("name",)),
    )
    exact = [
        (label, obj.pk, str(obj))
        for label, model, code, _names in searched
        for obj in model.objects.visible_to(user).filter(**{f"{code}__iexact": term})[:CHOICES]
    ]
    if exact:
        yield from exact
        return
    for label, model, code, names in searched:
        rows = model.objects.visible_to(user)
        for word in term.split()[:6]:
            condition = Q(**{f"{code}__icontains": word})
            for name in names:
                condition |= Q(**{f"{name}__icontains": word})
            rows = rows.filter(condition)
        yield from ((label, obj.pk, str(obj)) for obj in rows.order_by("pk")[:CHOICES])


def page_of(rows: Any, request: HttpRequest) -> tuple[list[Any], bool, bool]:
    """Return a page of entries, newest first, and whether there are newer and older ones."""
    after, before = parse_key(request.GET.get("after", "")), parse_key(request.GET.get("before", ""))
    if after:
        entries = list(rows.after(*after).order_by("at", "key", "source")[: PAGE + 1])
        return entries[:PAGE][::-1], len(entries) > PAGE, True
    if before:
        rows = rows.before(*before)
    entries = list(rows.newest_first()[: PAGE + 1])
    return entries[:PAGE], before is not None, len(entries) > PAGE


def key_of(entry: Any) -> str:
    return f"{entry.at.isoformat()}~{entry.key}~{entry.source}"


def parse_key(text: str) -> tuple[datetime, int, str] | None:
    parts = text.split("~")
    if len(parts) != 3 or parts[2] not in BY_NAME or not parts[1].isdigit() or len(parts[1]) > 18:
        return None
    try:
        at = parse_datetime(parts[0])
    except ValueError:
        return None
    return None if at is None or timezone.is_naive(at) else (at, int(parts[1]), parts[2])


def midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def model_choices(request: HttpRequest) -> list[tuple[str, str]]:
    """Return the kinds of records the reader may look at, by name."""
    seen = {
        source.label: capfirst(str(source.model._meta.verbose_name_plural))
        for source in SOURCES
        if request.user.has_perm("{}.view_{}".format(*source.label.split(".")))
    }
    return sorted(seen.items(), key=lambda item: item[1])


def prepare(item: Any) -> None:
    """Add what only a page knows: addresses, badges, the words for where it came from."""
    item.url = address_of(*item.link) if item.link else ""
    item.from_where = origin_label(item.entry.origin) if item.entry.origin else ""
    if item.machine is not None:
        states = dict.fromkeys(state for state in (item.from_status, item.to_status) if state)
        item.badges = [state_shown(item, state) for state in states]


def line_of(item: Shown) -> list[Any]:
    """Return an entry as a line of a file."""
    said = [
        f"{change.label}: {change.after}" if change.before is None else
        f"{change.label}: {change.before} → {change.after}"
        for change in item.changes
    ]  # fmt: skip
    said += [f"{label}: {value}" for label, value in item.facts]
    if item.from_status or item.to_status:
        said.append(f"{state_named(item, item.from_status)} → {state_named(item, item.to_status)}")
    if item.detail:
        said.append(item.detail)
    entry = item.entry
    return [
        plain(entry.at), item.who, item.deed, item.noun, item.subject, "; ".join(said), entry.reason or "",
        origin_label(entry.origin) if entry.origin else "",
    ]  # fmt: skip


def state_named(item: Shown, state: str) -> str:
    """Return a status in words."""
    if item.machine is None or state not in item.machine.states.values:
        return state
    return str(item.machine.states(state).label)


def state_shown(item: Shown, state: str) -> Any:
    return status_badge(item.machine, state) if state in item.machine.states.values else state


def address_of(label: str, pk: Any) -> str:
    app, model = label.split(".")
    if apps.get_model(label) not in admin.site._registry:
        return ""
    try:
        return reverse(f"admin:{app}_{model}_change", args=(pk,))
    except NoReverseMatch:
        return ""
