"""The rows of the board and of the heatmap, with the addresses behind them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.common.badges import SHAPES, Tone
from apps.common.tree import DEEPEST_INDENT, toggled
from apps.common.weeks import week_code
from apps.org.enums import UnitKind
from apps.org.models import OrgUnit

from ..corrected import as_closed
from ..coverage import state_of
from ..enums import COVERAGE_COLOURS, CoverageState
from ..levels import Answer, Place, PositionAt, UnitAt
from ..overview import Figures
from ..templatetags.coverage import SHAPES as STATE_SHAPES
from ..templatetags.coverage import as_percent
from .board_asked import WEEKS, Asked

MOST_SHOWN = 400
KINDS = dict(UnitKind.choices)


@dataclass
class Row:
    """A line of the page: a unit, a position, or (`more`) how many of a unit's are not shown."""

    place: Place
    is_unit: bool
    level: int
    link: str
    kind: Any = ""
    above: str = ""
    toggle: str = ""
    focus: str = ""
    cells: Sequence[SafeString] = ()
    more: int = 0
    was: Figures | None = None  # what a corrected line was closed with

    @property
    def was_words(self) -> str:
        """Return in words what a corrected line was closed with."""
        if self.was is None:
            return ""
        percent = self.was.coverage_percent if self.is_unit else self.was.raw_percent
        return _("corrected, was %(percent)s, %(hours)s h missing") % {
            "percent": as_percent(percent), "hours": number_format(self.was.deficit_hours, decimal_pos=2),
        }  # fmt: skip

    @property
    def line(self) -> UnitAt | PositionAt:
        return self.place.line

    @property
    def words(self) -> str:
        """Return in words how the line stands in the first week."""
        line = self.line
        return position_words(line.figures) if isinstance(line, PositionAt) else unit_words(line.figures)


Was = Mapping[tuple[str, int], Figures]


def closed_figures(asked: Asked, answer: Answer) -> Was:
    """Return what the corrected lines of an answer were closed with; one query, in a closed week alone.

    Narrowed to a tag there is nothing to compare: only positions that have it today count.
    """
    if answer.stamp is None or asked.tag:
        return {}
    lines = [place.line for place in answer.places]
    found = as_closed(
        asked.week,
        units=[line.id for line in lines if isinstance(line, UnitAt)],
        positions=[line.id for line in lines if isinstance(line, PositionAt)],
    )
    return {
        key: found[key]
        for line in lines
        if (key := key_of(line)) in found and _told_of(found[key]) != _told_of(line.figures)
    }


def key_of(line: UnitAt | PositionAt) -> tuple[str, int]:
    return ("position" if isinstance(line, PositionAt) else "unit", line.id)


def _told_of(figures: Figures) -> tuple[int, ...]:
    return (figures.required, figures.assigned, figures.filled, figures.deficit, figures.unqualified)


def rows_of(
    asked: Asked, answer: Answer, units: Mapping[int, OrgUnit], site: str, *, was: Was | None = None
) -> list[Row]:
    """Return the rows of a page, at most MOST_SHOWN of them; `was` has what corrected ones were closed with."""
    rows: list[Row] = []
    ending: list[Row] = []  # open units whose content is not shown whole

    def end(level: int) -> None:
        while ending and ending[-1].level >= level:
            rows.append(ending.pop())

    for place in answer.places[:MOST_SHOWN]:
        end(place.level)
        row = _row(asked, answer, place, units, site)
        row.was = (was or {}).get(key_of(place.line))
        rows.append(row)
        if place.is_open and place.line.id in answer.longer:
            ending.append(replace(row, more=answer.longer[place.line.id], toggle="", cells=(), was=None))
    end(0)
    return rows


def _row(asked: Asked, answer: Answer, place: Place, units: Mapping[int, OrgUnit], site: str) -> Row:
    line, level = place.line, min(place.level, DEEPEST_INDENT)
    if isinstance(line, PositionAt):
        link = reverse(f"{site}:org_position_assignments", args=(line.id,))
        at = reverse(f"{site}:org_position_coverage", args=(line.id,))
        cells = [_position_cell(week, figures, at) for week, figures in _weeks(asked, line)]
        return Row(place, False, level, link, cells=cells)
    above = toggle = ""
    if asked.is_flat:
        above = way_to(line.path, units)
    else:
        toggle = f"{asked.query(open=toggled(answer.opened, line.id))}#unit-{line.id}"
    return Row(
        place,
        True,
        level,
        f"{reverse(f'{site}:org_orgunit_change', args=(line.id,))}?week={week_code(asked.week)}",
        kind=KINDS[line.kind],
        above=above,
        toggle=toggle if line.has_content else "",
        focus=_focus(asked, line),
        cells=[_unit_cell(week, figures, asked, line) for week, figures in _weeks(asked, line)],
    )


def _focus(asked: Asked, line: UnitAt, **changed: Any) -> str:
    """Return the address of the board of this unit and what is below it, without what makes the list flat."""
    state = asked.state if asked.state in CoverageState else ""
    return asked.query(**({"unit": line.code, "open": None, "kind": "", "page": "", "state": state} | changed))


def _weeks(asked: Asked, line: UnitAt | PositionAt) -> Iterable[tuple[date, Figures]]:
    return zip(asked.weeks, line.weeks, strict=True) if asked.view == WEEKS else ()


def _unit_cell(week: date, figures: Figures, asked: Asked, line: UnitAt) -> SafeString:
    link = _focus(asked, line, view="", week=week_code(week))
    tone = figures.tone
    shape = STATE_SHAPES[CoverageState.PARTIAL] if tone == Tone.YELLOW else SHAPES[tone]
    if figures.net_zero:
        shape = "balance"
    return _cell(link, tone, shape, figures.coverage_percent, unit_words(figures), figures)


def _position_cell(week: date, figures: Figures, at: str) -> SafeString:
    state = state_of(figures.required, figures.assigned)
    tone, shape = COVERAGE_COLOURS[state], STATE_SHAPES[state]
    if figures.unqualified:
        tone, shape = Tone.RED if tone == Tone.RED else Tone.YELLOW, "school"
    link = f"{at}#{week_code(week)}"
    return _cell(link, tone, shape, figures.raw_percent, position_words(figures), figures)


def position_words(figures: Figures) -> str:
    """Return in words how a position stands."""
    state = str(state_of(figures.required, figures.assigned).label)
    return f"{state}, {_('unqualified hours')}" if figures.unqualified else state


def unit_words(figures: Figures) -> str:
    """Return in words how a unit stands."""
    if not figures.required:
        return _("No demand")
    if figures.is_green:
        return _("Covered")
    short = figures.vacant + figures.partial
    if not short:
        return _("Unqualified hours")
    words = ngettext("%(n)d position short", "%(n)d positions short", short) % {"n": short}
    return f"{words}, {_('net-zero')}" if figures.net_zero else words


def _cell(link: str, tone: str, shape: str, percent: Any, words: str, figures: Figures) -> SafeString:
    """Return a cell: a shape, a number and a ground for who sees, and words for who hears or points at it."""
    if figures.deficit:
        words = _("%(state)s, %(hours)s h missing") % {
            "state": words, "hours": number_format(figures.deficit_hours, decimal_pos=2),
        }  # fmt: skip
    shown = "–" if percent is None else number_format(percent, decimal_pos=1)
    return format_html(
        '<td class="coveris-heat coveris-badge-{}"><a href="{}" title="{}">'
        '<span class="material-symbols-outlined" aria-hidden="true">{}</span>{}'
        '<span class="visually-hidden"> {}{}</span></a></td>',
        tone, link, words, shape, shown, "" if percent is None else "%, ", words,
    )  # fmt: skip


def units_on(request: HttpRequest, paths: Iterable[Sequence[int]]) -> dict[int, OrgUnit]:
    """Return the units on these paths, as far as the reader may see them: code and name, in one query."""
    ids = {pk for path in paths for pk in path}
    if not ids:
        return {}
    user: Any = request.user
    return OrgUnit.objects.visible_to(user).only("code", "name").in_bulk(ids)


def way_to(path: Sequence[int], units: Mapping[int, OrgUnit]) -> str:
    """Return the names of what a unit is part of, from the top."""
    return " › ".join(units[pk].name for pk in path[:-1] if pk in units)
