"""Transition logs as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import display

from apps.common.badges import two_lines
from apps.common.columns import moment_column, short_day

from .buttons import status_badge
from .moves import TAKE_BACK, Machine


class LogScreen:
    """The columns of a log of transitions; put it before ReadOnlyAdmin. A subclass adds `whom`."""

    machine: ClassVar[Machine]
    list_select_related: ClassVar[tuple[str, ...]]
    list_display = ("happened", "whom", "move", "came_from", "went_to", "by", "reason")
    fields = ("happened", "about", "move", "came_from", "went_to", "by", "reason", "particulars")
    ordering = ("-id",)
    happened = moment_column("created_at", gettext_lazy("when"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Join the subject on the page of one entry too: of one that is gone there is only its code."""
        rows: QuerySet[Any] = super().get_queryset(request)  # type: ignore[misc]
        return rows.select_related(*self.list_select_related)

    @display(description=gettext_lazy("record"))
    def about(self, obj: Any) -> str:
        """Return the subject with a link; of one that is gone its code."""
        if obj.subject is None:
            return gone(obj.subject_code)
        opts = obj.subject._meta
        url = reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[obj.subject.pk])
        return format_html('<a href="{}">{}</a>', url, obj.subject)

    @display(description=gettext_lazy("transition"))
    def move(self, obj: Any) -> str:
        return move_label(self.machine, obj.transition)

    @display(description=gettext_lazy("from"))
    def came_from(self, obj: Any) -> str:
        return state_badge(self.machine, obj.from_status)

    @display(description=gettext_lazy("to"))
    def went_to(self, obj: Any) -> str:
        return state_badge(self.machine, obj.to_status)

    @display(description=gettext_lazy("by"))
    def by(self, obj: Any) -> str:
        return str(obj.actor) if obj.actor else _("the system")

    @display(description=gettext_lazy("details"))
    def particulars(self, obj: Any) -> str:
        lines = [f"{label}: {value}" for label, value in details(self.machine, obj)]
        lines += [
            f"{met['rule']} ({met['subject']}): {met['observed']} / {met['limit']}, {met['how']}"
            for met in rules_met(obj.metadata)
        ]
        return format_html_join("", "<div>{}</div>", ((line,) for line in lines)) or "–"


def gone(code: str) -> str:
    """Return whom an entry is about when an undo took the row away: its code, and that it is gone."""
    return two_lines(code or "–", _("no longer there"))


def move_filter(machine: Machine) -> type[DropdownFilter]:
    """Return the filter of a log by transition."""

    class MoveFilter(DropdownFilter):
        title = gettext_lazy("transition")
        parameter_name = "transition"

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
            return [(move.name, move.label) for move in (*machine.moves, TAKE_BACK)]

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            return queryset.filter(transition=self.value()) if self.value() else queryset

    return MoveFilter


def log_rows(machine: Machine, logs: Iterable[Any]) -> list[dict[str, Any]]:
    """Return what a table of transitions shows of each: labels, badges, who, why, and the details in words."""
    return [
        {
            "log": log,
            "move": move_label(machine, log.transition),
            "from": state_badge(machine, log.from_status),
            "to": state_badge(machine, log.to_status),
            "details": details(machine, log),
            "rules": rules_met(log.metadata),
        }
        for log in logs
    ]


def move_label(machine: Machine, name: str) -> str:
    """Return what a transition is called; its name for one that no longer exists."""
    move = machine.told(name)
    return str(move.label) if move else name


def state_badge(machine: Machine, state: str) -> SafeString | str:
    """Return a state's badge; of a row that an undo took away, that there is none any more."""
    return status_badge(machine, state) if state in machine.states.values else state or _("no longer there")


def details(machine: Machine, log: Any) -> list[tuple[str, str]]:
    """Return the inputs of a transition as label and value, in the reader's language."""
    move = machine.by_name.get(log.transition)
    needs = {need.name: need for need in move.needs} if move else {}
    shown = []
    for name, value in log.metadata.items():
        if name in needs and name != "reason":
            choices = dict(needs[name].choices)
            shown.append((capfirst(str(needs[name].label)), str(choices.get(value) or _day(value))))
        elif name == "because":
            shown.append((_("Because of"), move_label_anywhere(str(value))))
    return shown


def move_label_anywhere(name: str) -> str:
    """Return the label of an employee's transition that brought this one about."""
    from .employee_fsm import MACHINE

    return move_label(MACHINE, name)


def rules_met(metadata: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the verdicts a transition went past: confirmed warnings, waivers used, notes, rules without an answer."""
    words = {
        "confirmed": _("confirmed"),
        "waived": _("covered by a waiver"),
        "noted": _("noted"),
        "unjudged": _("could not be judged"),
    }
    rules = metadata.get("rules") or {}
    return [{**found, "how": words.get(how, how)} for how, kept in rules.items() for found in kept]


def _day(value: Any) -> str:
    try:
        return short_day(date.fromisoformat(value))
    except (TypeError, ValueError):
        return str(value)
