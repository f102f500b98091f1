"""An import of several sheets: which sheets its files hold, what each of them is, and in which order they come in."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from apps.common.cells import CellError, fold, is_empty
from apps.common.errors import Reason, Refusal
from apps.common.resources import SheetResource, TransitionColumn, resources

from .cleaning import header_errors
from .looking import head_of
from .mapping import ASIDE, file_columns, lacking
from .models import ImportFile, ImportJob, ImportPart
from .problems import Error, error_of
from .reading import UPLOAD, Options, Unreadable, read_file, sheet_names
from .reports import SEVERAL, Report, together
from .rights import in_order, kinds_for, may

if TYPE_CHECKING:
    from apps.users.models import User

MOST_PARTS, LONGEST_NAME = 60, 255
# An employees' sheet that activates comes after the contracts, one with other transitions last.
ACTIVATE, AFTER_CONTRACTS, AT_THE_END = "activate", 4.5, 99.0
OF_MOVES = ("transition", "reason", "last_day")
_NUMBERED = re.compile(r"^\d+[ _.-]+")


def sheets_of(job: ImportJob) -> list[Any]:
    """Return the sheets of an import in their turn, left-aside ones too; a job of a single sheet is that sheet."""
    parts = list(job.parts.select_related("file").defer("file__content").order_by("place"))
    for part in parts:
        part.job = job
    return parts or [job]


def kinds_of(job: ImportJob) -> set[str]:
    """Return the kinds of sheet an import brings in."""
    return set(job.parts.filter(is_left_aside=False).values_list("kind", flat=True)) or {job.kind}


def take_apart(job: ImportJob, actor: User) -> None:
    """Find the sheets in the files of an import, and what each of them is."""
    parts: list[ImportPart] = []
    for file in job.files.defer("content"):
        content = _content(file)
        names = _names(content)
        if len(parts) + len(names) > MOST_PARTS:
            raise Refusal(
                Reason(
                    _("These are more than %(count)s sheets: bring them in by parts.") % {"count": MOST_PARTS},
                    code="too_many_sheets",
                )
            )
        parts += _parts_of(job, file, content, names, actor)
    for place, part in enumerate(parts, start=1):
        part.place = place
    ImportPart.objects.bulk_create(parts)


def sheet_count(job: ImportJob) -> int:
    """Return how many sheets an import holds, before or after they are told apart."""
    if job.content is not None:
        return 1
    return job.parts.count() or sum(len(_names(_content(file))) for file in job.files.defer("content"))


def alone(job: ImportJob, actor: User) -> bool:
    """Make an import whose files hold a single sheet one without parts, once it is known what it is; say if it is."""
    part: ImportPart | None = job.parts.select_related("file").defer("file__content").first()
    if part is None or job.parts.count() > 1 or part.is_left_aside or part.kind not in kinds_for(actor, "import"):
        return False
    job.kind, job.file_name, job.content = part.kind, part.file.name, part.content
    job.options = {name: value for name, value in job.options.items() if name != "kind"} | part.options
    job.digest = hashlib.sha256(bytes(job.content or b"")).hexdigest()
    job.save()
    part.delete()
    job.files.defer("content").delete()
    return True


def _content(file: ImportFile) -> bytes:
    return bytes(ImportFile.objects.values_list("content", flat=True).get(pk=file.pk) or b"")


def _names(content: bytes) -> list[str]:
    """Return the names of the sheets to tell apart; one without a name for a file that is a sheet itself."""
    try:
        names = sheet_names(content, limits=UPLOAD)
    except Unreadable:
        return [""]  # looking at it tells why
    return names if names and all(len(name) <= LONGEST_NAME for name in names) else [""]


def _parts_of(job: ImportJob, file: ImportFile, content: bytes, names: Sequence[str], actor: User) -> list[ImportPart]:
    how = {name: job.options[name] for name in ("picked", "open", "language") if name in job.options}
    found = []
    for name in names:
        part = ImportPart(job=job, file=file, sheet=name if len(names) > 1 else "", options={**how})
        part.kind, head = job.options.get("kind", ""), None
        if not part.kind:
            part.kind = kind_by_name(name) if len(names) > 1 else kind_by_name(name) or kind_by_name(file.name)
        if not part.kind:
            try:
                head = head_of(content, options=Options(**how["picked"]), resource=None, sheet=name, rows=5)
            except Unreadable as error:
                part.is_left_aside = len(names) > 1 and error.error["code"] == "empty_file"
                part.options["head"] = {"fault": error.error}
            else:
                part.kind = kind_by_headers(head.header, kinds_for(actor, "import"))
                if not part.kind:
                    part.options["head"] = head.as_json(None, [], Options(**how["picked"]))
        found.append(part)
    return found


def kind_by_name(name: str) -> str:
    """Return the kind that a file or sheet is named after (“03_employees_activate.csv”, “Puestos”); "" for none."""
    stem = PurePath(name).stem if name.casefold().endswith((".csv", ".txt", ".xlsx")) else name
    plain = fold(_NUMBERED.sub("", stem.strip()))
    names = {alias: kind for kind, resource in in_order().items() for alias in _aliases(kind, resource)}
    # The longest first: employee_tags before employees.
    for alias in sorted(names, key=len, reverse=True):
        if plain == alias or plain.startswith(f"{alias}_"):
            return names[alias]
    return ""


def _aliases(kind: str, resource: type[SheetResource]) -> set[str]:
    return {fold(kind), fold(resource.spanish)}


def kind_by_headers(header: Sequence[Any], kinds: dict[str, type[SheetResource]]) -> str:
    """Return the kind these headers are of: its keys are there, and half of them are its; "" if two match alike."""
    titled = sum(not is_empty(title) for title in header)
    scores = []
    for kind, resource in kinds.items():
        columns = file_columns(resource, header, {})
        known = sum(column.how == "name" for column in columns)
        if known and not lacking(resource, columns)[0] and 2 * known >= titled:
            scores.append((known, -len(lacking(resource, columns)[1]), kind))
    scores.sort(reverse=True)
    if not scores or (len(scores) > 1 and scores[0][:2] == scores[1][:2]):
        return ""
    return scores[0][2]


# Their turns


def put_in_turn(job: ImportJob, parts: Sequence[ImportPart], turns: Sequence[int] | None = None) -> list[ImportPart]:
    """Give the sheets their turns: whatever one refers to comes before it, unless a person has said otherwise.

    `turns` are what a person says; where they are as they were, nothing is said by them.
    """
    ordered = list(parts)
    if turns is not None:
        if list(turns) != [part.place for part in parts]:
            job.options = job.options | {"turns_given": True}
            ordered = [part for _turn, part in sorted(zip(turns, parts, strict=True), key=lambda pair: pair[0])]
    elif not job.options.get("turns_given"):
        if (first := _first_without_moves(job, parts)) is not None:
            ordered.append(first)
        ordered = sorted(ordered, key=lambda part: (_rank(part), part.place))
    for place, part in enumerate(ordered, start=1):
        part.place = place
    ImportPart.objects.bulk_update(ordered, ["place", "options"])
    kinds = {part.kind for part in ordered if not part.is_left_aside}
    job.kind = kinds.pop() if len(kinds) == 1 and kinds != {""} else SEVERAL
    return ordered


def _first_without_moves(job: ImportJob, parts: Sequence[ImportPart]) -> ImportPart | None:
    """Return a turn before the contracts for new people who are activated in the same sheet; None if none is needed.

    A contract needs its person and an activation needs the contract: such a sheet comes in once for the people
    themselves and once more for their transitions.
    """
    kinds = [part.kind for part in parts if not part.is_left_aside]
    mine = [part for part in parts if part.kind == "employees" and not part.is_left_aside]
    if job.options.get("split") or "employee_tags" not in kinds or len(mine) != 1 or ACTIVATE not in _moves(mine[0]):
        return None
    (part,) = mine
    mapping = part.options.get("mapping", {})
    columns = file_columns(in_order()["employees"], part.options["head"]["header"], mapping)
    if lacking(in_order()["employees"], columns)[1]:
        return None  # nobody new can come with it
    later = {one.key: ASIDE for one in columns if one.column in OF_MOVES}
    kept = {name: value for name, value in part.options.items() if name not in ("habit", "moves", "to_remember")}
    job.options = job.options | {"split": True}
    first: ImportPart = ImportPart.objects.create(
        job=job, file=part.file, sheet=part.sheet, kind=part.kind, place=len(parts) + 1,
        options={**kept, "mapping": {**mapping, **later}, "without_moves": True},
    )  # fmt: skip
    return first


def _rank(part: ImportPart) -> float:
    if part.is_left_aside or not part.kind:
        return 1_000.0
    rank = float(list(in_order()).index(part.kind)) if part.kind in in_order() else 999.0
    if part.kind != "employees":
        return rank
    moves = _moves(part)
    return AFTER_CONTRACTS if ACTIVATE in moves else AT_THE_END if moves else rank


def _moves(part: ImportPart) -> set[str]:
    """Return the transitions a sheet asks for; found by going through its rows, once."""
    if "moves" not in part.options:
        part.options["moves"] = sorted(_moves_in(part))
    return set(part.options["moves"])


def _moves_in(part: ImportPart) -> set[str]:
    resource, head = in_order()[part.kind], part.options.get("head", {})
    columns = file_columns(resource, head.get("header", []), part.options.get("mapping", {}))
    place = next((one.place for one in columns if one.column == "transition"), None)
    column = resource.columns().get("transition")
    if place is None or not isinstance(column, TransitionColumn):
        return set()
    table = read_file(
        bytes(part.content or b""),
        options=Options(**part.options["picked"]),
        headers=resource.headers(),
        names=(part.sheet.strip(),) if part.sheet else (resource.sheet, resource.spanish),
        limits=UPLOAD,
    )
    words: set[Any] = set()
    try:
        for _line, cells in table:
            if place < len(cells) and not is_empty(cells[place]) and len(words) < 100:
                words.add(cells[place])
    except Unreadable:
        pass  # told when its rows are read
    found = set()
    for word in words:
        try:
            found.add(column.widget.clean(word))
        except CellError:
            continue  # a word that is no transition is told with its row
    return found


# What is left to say


def faults_of(parts: Sequence[ImportPart]) -> Report | None:
    """Return what a person has to say before the sheets can be brought in together; None if nothing is open."""
    reports = [
        Report(kind=part.kind, dry_run=True, part=part.place, errors=errors, is_unreadable=bool(errors))
        for part in parts
        for errors in [_faults(part)]
    ]
    if all(part.is_left_aside for part in parts):
        reports[0].errors = [error_of(1, "", "", "nothing", _("All sheets are left aside: there is nothing to do."))]
        reports[0].is_unreadable = True
    return together(reports, whole=True) if any(report.is_unreadable for report in reports) else None


def _faults(part: ImportPart) -> list[Error]:
    head = part.options.get("head", {})
    if part.is_left_aside:
        return []
    if "fault" in head:
        return [head["fault"]]
    if not part.kind:
        message = _("Say what kind of sheet this is, or leave it aside.")
        return [error_of(1, "", part.sheet or part.file.name, "unknown_kind", message)]
    resource = resources()[part.kind]
    if not may(part.job.user, "import", resource):
        message = _("You may not bring in sheets of this kind: %(kind)s.") % {"kind": part.kind}
        return [error_of(1, "", "", "forbidden", message)]
    columns = file_columns(resource, head.get("header", []), part.options.get("mapping", {}))
    return header_errors(resource, columns, head.get("header_line", 1))
