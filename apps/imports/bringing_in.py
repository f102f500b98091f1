"""Bringing sheets in, one or several: all of it in one transaction, which is taken back if it was only to be looked at.

Several sheets are written one after the other, so that a later one may name what an earlier one brings. Whatever stays
is one deed of the history, whichever kinds it wrote to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from django.utils.translation import gettext as _

from apps.business_rules.services.what_if import latest_mark
from apps.common.acting import acting
from apps.common.errors import Reason, Refusal
from apps.common.resources import SheetResource, resources
from apps.common.staging import EFFECTIVE, StagedSheet

from .applying import apply_row_by_row, apply_whole
from .checking import check, refuse_overlaps
from .choosing import Choices, stage_choices
from .cleaning import Cells
from .differences import changes
from .elsewhere import RefusedElsewhere
from .enums import Mode, Stage
from .impact import impact_since
from .looking import names_for
from .matching import match
from .problems import MOST_TOLD
from .reading import Limits, Options, Table, Unreadable, read_file
from .reports import SHOWN_CHANGES, Report, report_on, together
from .returning import RefusedRows
from .rights import may

if TYPE_CHECKING:
    from apps.users.models import User

# What is told while it goes on: the stage, how many rows, and which of how many sheets (0 of 0 for a single one).
Tell = Callable[..., None]


@dataclass(frozen=True)
class Incoming:
    """One sheet on its way in. `part` is its turn among several, `sheet` its name in a workbook if one was picked."""

    kind: str
    file_name: str
    content: Callable[[], bytes]
    options: Options = field(default_factory=Options)
    mapping: Mapping[str, str] = field(default_factory=dict)
    sheet: str = ""
    part: int = 0
    choices: Choices = field(default_factory=dict)


@dataclass(frozen=True)
class Manner:
    """How sheets are brought in, whatever they hold."""

    actor: User | None
    whole: bool
    dry_run: bool
    limits: Limits
    tell: Tell


class _TakeBack(Exception):
    """Leaves a transaction that was only to be looked at."""


def resource_of(kind: str) -> SheetResource:
    """Return the declaration of a kind of sheet; raise Refusal if there is none."""
    found = resources().get(kind)
    if found is None:
        raise Refusal(
            Reason(
                _("There is no kind of sheet “%(kind)s”. There are: %(kinds)s.")
                % {"kind": kind, "kinds": ", ".join(resources())},
                code="unknown_kind",
            )
        )
    return found()


def refuse_forbidden(kind: str, actor: User | None) -> None:
    """Raise Refusal if the actor may not bring this kind in."""
    resource = resource_of(kind)
    if not may(actor, "import", type(resource)):
        raise Refusal(
            Reason(_("You may not bring in sheets of this kind: %(kind)s.") % {"kind": kind}, code="forbidden")
        )


def is_written(report: Report, mode: str) -> bool:
    """Say whether something of the sheets comes in, going by what was found."""
    if report.ok:
        return True
    return mode == Mode.GOOD_ROWS and not report.is_unreadable and report.created + report.updated > 0


def bring_in(
    sheets: Sequence[Incoming],
    mode: str,
    actor: User | None,
    limits: Limits,
    *,
    dry_run: bool,
    in_the_end: Callable[[Report], None] | None = None,
    with_impact: bool,
    deed: UUID | None,
    tell: Tell,
) -> Report:
    """Read, check and write inside one transaction; take it back if it is a dry run or nothing may come of it.

    `in_the_end` is called where it stays, before it is committed.
    """
    for one in sheets:
        refuse_forbidden(one.kind, actor)
    manner = Manner(actor, mode == Mode.ALL_OR_NOTHING, dry_run, limits, tell)
    reports: list[Report] = []
    report: Report | None = None
    at: Incoming = sheets[0]
    try:
        with acting(actor, reason=_reason(sheets)[:200], origin="import", deed=deed):
            begun = latest_mark()
            back, refused = RefusedRows(), RefusedElsewhere()
            told = 0
            for place, at in enumerate(sheets, start=1):
                number = (place, len(sheets)) if at.part else (0, 0)
                reports.append(_Sheet(at, manner, number, back, refused).bring_in(several=len(sheets) > 1))
                # Of all sheets together no more is told than of one.
                reports[-1].errors = reports[-1].errors[: max(0, MOST_TOLD - told)]
                told += len(reports[-1].errors)
                if reports[-1].is_unreadable:
                    break
            report = together(reports, whole=manner.whole)
            report.refused_rows = back.content()
            if with_impact and report.created + report.updated:
                tell(Stage.IMPACT, report.rows)
                found = impact_since(begun, actor)
                report.impact = {"rules": {**report.impact["rules"], **found["rules"]}, "coverage": found["coverage"]}
            if dry_run or not is_written(report, mode):
                raise _TakeBack
            if in_the_end is not None:
                in_the_end(report)
    except Unreadable as error:
        failed = Report(kind=at.kind, dry_run=dry_run, part=at.part, errors=[error.error], is_unreadable=True)
        return together([*reports, failed], whole=manner.whole)
    except _TakeBack:
        pass
    if report is None:
        raise AssertionError("unreachable")
    return report


def _reason(sheets: Sequence[Incoming]) -> str:
    if len(sheets) == 1:
        return _("sheet %(file)s") % {"file": sheets[0].file_name}
    return _("sheets %(files)s") % {"files": ", ".join(one.file_name for one in sheets)}


class _Sheet:
    """One sheet in the transaction under way."""

    def __init__(
        self, incoming: Incoming, manner: Manner, number: tuple[int, int], back: RefusedRows, refused: RefusedElsewhere
    ):
        self.incoming, self.manner, self.number = incoming, manner, number
        self.back, self.refused = back, refused
        self.resource = resource_of(incoming.kind)

    def bring_in(self, *, several: bool) -> Report:
        """Read, match, check and write the sheet; return what came of it.

        `several`: what is good is written even where the sheet as a whole will not stand, so that the sheets after it
        are not refused for lacking it.
        """
        incoming, manner = self.incoming, self.manner
        table = read_file(
            incoming.content(),
            options=incoming.options,
            headers=self.resource.headers(),
            names=names_for(type(self.resource), incoming.sheet),
            limits=manner.limits,
        )
        cells = Cells(self.resource, table, incoming.mapping)
        cells.load(self._tell)
        if cells.errors:
            report = report_on(cells, None, None, shown=[], whole=manner.whole, dry_run=manner.dry_run)
            return self._finished(report, table, cells.rows)
        self._tell(Stage.CHECKING, cells.rows)
        if incoming.choices:
            stage_choices(incoming.choices)
        sheet = match(cells, manner.actor, with_choices=bool(incoming.choices))
        check(sheet, cells)
        if manner.whole:
            refuse_overlaps(sheet)
        shown = changes(sheet, 2 * SHOWN_CHANGES)
        outcome = None
        self._tell(Stage.WRITING, cells.rows)
        if not manner.whole:
            outcome = apply_row_by_row(sheet)
        elif _has_only_good_rows(sheet):
            outcome = apply_whole(sheet)
        elif several:
            apply_row_by_row(sheet)
        report = report_on(cells, sheet, outcome, shown=shown, whole=manner.whole, dry_run=manner.dry_run)
        if several:
            self.refused.tell(report.errors, self.resource)
            self.refused.add(self.resource, sheet, incoming.file_name)
        if report.refused:
            self.back.add(cells, sheet, report.errors, title=incoming.kind if several else "")
        sheet.execute("DROP TABLE IF EXISTS sheet_cells, sheet_rows, sheet_problems, sheet_choices")
        return self._finished(report, table, cells.rows)

    def _finished(self, report: Report, table: Table, rows: int) -> Report:
        report.part, report.rows = self.incoming.part, rows
        report.read_as = {
            "format": table.format, "sheet": table.sheet, "sheets": table.sheets, "rows": rows,
            **table.options.as_dict(),
        }  # fmt: skip
        return report

    def _tell(self, stage: str, rows: int) -> None:
        self.manner.tell(stage, rows, *(self.number if self.number[1] else ()))


def _has_only_good_rows(sheet: StagedSheet) -> bool:
    """Say whether some rows change something, and nothing is wrong with any."""
    sql = f"SELECT count(*) FILTER (WHERE {EFFECTIVE}) > 0 AND NOT bool_or(s.refused) FROM sheet_rows s"
    return bool(sheet.fetch(sql)[0][0])
