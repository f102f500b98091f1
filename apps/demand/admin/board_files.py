"""What the board shows, as a file: every line of the open levels, those beyond the page's last one too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.common.hours import to_hours
from apps.common.weeks import week_code
from apps.imports.exporting import MOST_ROWS, answer_table
from apps.imports.writing import FORMATS
from apps.org.enums import UnitKind

from ..corrected import Stamp
from ..coverage import FIGURES, ROLLED_UP, STATES
from ..levels import Answer, PositionAt, UnitAt
from ..overview import Figures
from .board_asked import EXPORT, WEEKS, Asked, answered, read_asked
from .board_rows import KINDS, closed_figures, key_of, position_words, unit_words, units_on, way_to

if TYPE_CHECKING:
    from apps.common.admin import BaseAdmin as Screen
else:
    Screen = object


class BoardFiles(Screen):  # type: ignore[misc]
    """Adds the files to the board's screen."""

    def file_links(self, asked: Asked) -> list[tuple[str, str]]:
        """Return the formats and their addresses."""
        link = reverse(f"{self.admin_site.name}:demand_unitcoverage_export")
        return [(name.upper(), link + asked.query(page="", format=name)) for name in ("xlsx", "csv")]

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """Answer the file; one that would be too long is refused, with what to do about it, on the board."""
        asked = read_asked(request, EXPORT)
        answer, asked = answered(asked, page=1, per_level=MOST_ROWS + 1)
        board = reverse(f"{self.admin_site.name}:demand_unitcoverage_changelist")
        if asked.problem:  # the page says it
            return HttpResponseRedirect(f"{board}?{request.GET.urlencode()}")
        if _is_too_long(answer):
            messages.warning(
                request,
                _("At most %(rows)s lines go into one file: open fewer units, or filter first.") % {"rows": MOST_ROWS},
            )
            return HttpResponseRedirect(board + asked.query())
        lines = [place.line for place in answer.places]
        units = units_on(request, (line.path for line in lines if isinstance(line, UnitAt)))
        table = _weeks_table if asked.view == WEEKS else _board_table
        rows = table(asked, answer, units)
        format = request.GET.get("format", "")
        format = format if format in FORMATS else "csv"
        kind = "coverage_weeks" if asked.view == WEEKS else f"coverage_{week_code(asked.week)}"
        return answer_table(request, rows, title=_("Coverage"), kind=kind, format=format)


def _is_too_long(answer: Answer) -> bool:
    return len(answer.places) > MOST_ROWS or answer.pages > 1 or bool(answer.longer)


def _identity(line: UnitAt | PositionAt, level: int, units: Any) -> list[Any]:
    if isinstance(line, PositionAt):
        return [level, _("Position"), line.code, line.name, units[line.unit].name if line.unit in units else ""]
    return [level, str(KINDS.get(line.kind, UnitKind.UNIT.label)), line.code, line.name, way_to(line.path, units)]


def _head() -> list[Any]:
    return [_("Level"), _("Kind"), _("Code"), _("Name"), _("Part of")]


def _board_table(asked: Asked, answer: Answer, units: Any) -> Iterator[list[Any]]:
    hours = [*FIGURES[:2], *ROLLED_UP, *FIGURES[2:]]
    second = answer.has_headroom
    stamp, was = answer.stamp, closed_figures(asked, answer)
    yield [
        _("Week"), *_head(), _("Required h"), _("Assigned h"), _("Filled h"), _("Deficit h"), _("Surplus h"),
        _("Reinforcement h"), _("Proposed h"), _("Unqualified h"), _("Coverage %"), _("Raw %"),
        *(_("%(state)s positions") % {"state": state.label} for state in STATES.values()), _("Net-zero"), _("State"),
        *(_second_target_head() * second),
        *(_closed_head() if stamp else ()),
    ]  # fmt: skip
    for place in answer.places:
        line, figures = place.line, place.line.figures
        is_position = isinstance(line, PositionAt)
        yield [
            week_code(asked.week),
            *_identity(line, place.level, units),
            *(to_hours(getattr(figures, name)) for name in hours),
            figures.raw_percent if is_position else figures.coverage_percent,
            figures.raw_percent,
            *(getattr(figures, name) for name in STATES),
            _("yes") if figures.net_zero and not is_position else _("no"),
            _state(line, figures),
            *(_second_target(figures, is_position) * second),
            *(_as_closed(stamp, line, was.get(key_of(line))) if stamp else ()),
        ]


def _second_target_head() -> tuple[str, ...]:
    return (_("Headroom h"), _("With headroom h"), _("Missing with headroom h"), _("Coverage with headroom %"))


def _second_target(figures: Figures, is_position: bool) -> tuple[Any, ...]:
    if is_position:  # the headroom is the unit's
        return (None,) * 4
    return (figures.headroom_hours, figures.second_target_hours, figures.second_deficit_hours, figures.second_percent)


def _closed_head() -> list[Any]:
    return [_("Corrected on"), _("Corrected by"), _("Closed as: coverage %"), _("Closed as: deficit h")]


def _as_closed(stamp: Stamp, line: UnitAt | PositionAt, was: Figures | None) -> list[Any]:
    """Return who corrected a line and what it was closed with; nothing for one that stayed as it was."""
    if was is None:
        return [None] * 4
    percent = was.raw_percent if isinstance(line, PositionAt) else was.coverage_percent
    return [timezone.localdate(stamp.at), stamp.by, percent, to_hours(was.deficit)]


def _weeks_table(asked: Asked, answer: Answer, units: Any) -> Iterator[list[Any]]:
    codes = [week_code(week) for week in asked.weeks]
    names = (_("%(week)s %%"), _("%(week)s missing h"), _("%(week)s state"))
    yield [*_head(), *(name % {"week": code} for code in codes for name in names)]
    for place in answer.places:
        line, cells = place.line, []
        for figures in line.weeks:
            percent = figures.raw_percent if isinstance(line, PositionAt) else figures.coverage_percent
            cells += [percent, to_hours(figures.deficit), _state(line, figures)]
        yield [*_identity(line, place.level, units), *cells]


def _state(line: UnitAt | PositionAt, figures: Figures) -> str:
    return position_words(figures) if isinstance(line, PositionAt) else unit_words(figures)
