"""Taking a finished import back: all of it or nothing, from the history, however it was made."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID, uuid4

from django.apps import apps
from django.db import DatabaseError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.business_rules.models import RuleViolation, Waiver
from apps.common.acting import acting
from apps.common.database_errors import explain_database_error
from apps.common.errors import Reason, Refusal
from apps.common.resources import SheetResource, resources
from apps.fsm.taking_back import take_back
from apps.org.querysets import scope_of
from apps.users.enums import Role
from apps.users.models import User

from .enums import JobState
from .models import ImportJob
from .parts import kinds_of
from .rewinding import Rewinding, Stuck, Track, history_of, run
from .rights import may

NAMED, TOLD = 2_000, 100
ORIGIN = "undo"
OUT_OF_TIME = "57014"  # a statement took longer than the session allows: a page less than a command
# The status of every day follows from the transitions and is counted with them.
SHADOWS = frozenset({"fsm.employeestatusperiod"})
# What is tied to a record by kind and id instead of a foreign key, and is somebody's decision about it.
TIES = tuple(
    (label, Waiver, f"r.subject_kind = '{kind}' AND r.subject_id = c.id")
    for label, kind in (
        ("org.employee", "employee"),
        ("org.position", "position"),
        ("assignments.assignment", "assignment"),
        ("org.orgunit", "unit"),
    )
)
# An employee's end closes their assignments wherever these are: who may edit the person may take that back.
REACH = {"assignments.assignment": "visible_to"}


@dataclass(frozen=True)
class Obstacle:
    """One row that stands against an undo: the kind of sheet it is of, its key there, and what happened to it."""

    kind: str
    key: str
    message: str

    def as_json(self) -> dict[str, str]:
        return {"kind": self.kind, "key": self.key, "message": self.message}


@dataclass
class Undone:
    """What was taken back, in rows: of all tables but the periods that follow from transitions."""

    job: int
    deleted: int = 0
    restored: int = 0
    created_again: int = 0
    moved_back: int = 0
    by_kind: dict[str, dict[str, int]] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        return {
            "deleted": self.deleted, "restored": self.restored, "created_again": self.created_again,
            "moved_back": self.moved_back,
        }  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        """Return the shape of `undo_import --json`; more keys may be added, none renamed."""
        return {"job": self.job, "undone": self.counts(), "refused": [], "by_kind": self.by_kind}


class UndoRefused(Refusal):
    """Something of the import has changed since: nothing was undone. `obstacles` names up to 2,000 rows."""

    def __init__(self, obstacles: list[Obstacle], unseen: bool = False):
        self.obstacles = obstacles
        self.unseen = unseen
        reasons = [
            Reason(
                ngettext(
                    "Nothing was taken back: %(count)s row has changed since, or others build on it.",
                    "Nothing was taken back: %(count)s rows have changed since, or others build on them.",
                    len(obstacles),
                )
                % {"count": f"{len(obstacles)}{'+' * (len(obstacles) >= NAMED)}"},
                code="changed_since",
                fixable=1,
            )
        ] * bool(obstacles)
        reasons += [
            Reason(f"{item.key}: {item.message}", code="changed_since", fixable=10) for item in obstacles[:TOLD]
        ]
        if len(obstacles) > TOLD:
            more = len(obstacles) - TOLD
            reasons.append(Reason(_("… and %(count)s more") % {"count": more}, code="changed_since", fixable=20))
        if unseen:
            reasons.append(
                Reason(
                    _("Some of it is outside the part of the organisation you may edit: nothing was taken back."),
                    code="out_of_scope",
                    fixable=90,
                )
            )
        super().__init__(reasons)


def may_undo(job: ImportJob, user: User | None) -> bool:
    """Say whether the user may take this import back: who made it and may bring its kinds in; an ADMIN any."""
    if user is None:
        return True
    known = resources()
    kinds = kinds_of(job)
    return (
        all(kind in known and may(user, "import", known[kind]) for kind in kinds)
        and (job.user_id == user.pk or user.role == Role.ADMIN)
    )  # fmt: skip


def undo_import(*, job: ImportJob, actor: User | None, reason: str = "") -> Undone:
    """Take a finished import back, in one transaction: what it made goes, what it changed gets its old values.

    Raise UndoRefused with every row that has changed since, Refusal for an import that cannot be undone at all. The
    rules are not asked: what an undo opens is found like everything that life does.
    """
    if not may_undo(job, actor):
        raise Refusal(Reason(_("Only who made an import, or an administrator, may take it back."), code="forbidden"))
    deed = uuid4()
    why = _("import %(job)s (%(file)s) taken back") % {"job": job.pk, "file": job.file_name}
    if reason:
        why += f": {reason}"
    with acting(actor, reason=why[:500], origin=ORIGIN, deed=deed):
        job = ImportJob.objects.select_for_update(of=("self",)).get(pk=job.pk)
        done = _Undo(job, actor, why[:500], reason).run()
        job.state = JobState.UNDONE
        job.undone_at, job.undone_by, job.undo_deed = timezone.now(), actor, deed
        job.undone = {**done.counts(), "by_kind": done.by_kind, "reason": reason}
        job.save()
    return done


class _Undo:
    """The steps of one undo: lock, look, put back, look at the borders again."""

    def __init__(self, job: ImportJob, actor: User | None, why: str, reason: str):
        self.job, self.actor, self.why, self.reason = job, actor, why, reason
        if job.state == JobState.UNDONE:
            raise Refusal(Reason(_("This import was taken back already."), code="undone_already"))
        if job.state != JobState.APPLIED:
            raise Refusal(Reason(_("Only an import that was brought in can be taken back."), code="not_applied"))
        if job.deed is None:
            raise Refusal(
                Reason(
                    _("This import is older than the record of what each import wrote: it cannot be taken back."),
                    code="no_record",
                )
            )
        self.work = Rewinding(job.deed)

    def run(self) -> Undone:
        work = self.work
        try:
            with transaction.atomic():
                run("SET CONSTRAINTS ALL DEFERRED")
                work.find()
                work.lock()
                # After the wait: another undo may have been what was waited for.
                work.settled = _settled()
                work.compare()
                self._refuse_what_stands_against_it()
                done = self._put_back()
                if self._outside(lambda track: f"SELECT id FROM {track.before}"):
                    raise UndoRefused([], unseen=True)
                run("SET CONSTRAINTS ALL IMMEDIATE")
                run("SET CONSTRAINTS ALL DEFERRED")
        except Stuck as stuck:
            raise Refusal(
                Reason(
                    _("Records of this import (%(what)s) hold each other's places: correct them one by one.")
                    % {"what": stuck.track.model._meta.verbose_name_plural},
                    code="stuck",
                )
            ) from stuck
        except DatabaseError as error:
            if getattr(error.__cause__, "sqlstate", None) == OUT_OF_TIME:
                raise Refusal(
                    Reason(
                        _(
                            "This takes longer than a page may: nothing was taken back. "
                            "Use the command undo_import %(job)s."
                        )
                        % {"job": self.job.pk},
                        code="too_long",
                    )
                ) from error
            if (reason := explain_database_error(error)) is None:
                raise
            raise Refusal(reason) from error
        return done

    def _put_back(self) -> Undone:
        work, done = self.work, Undone(self.job.pk)
        for model in _with_a_lifecycle():
            track = work.of(model)
            # A move that left the row itself alone (a leave prolonged) is on the log only.
            done.moved_back += take_back(
                model,
                deed=work.deed,
                made=track.made if track else "(SELECT 0 AS id WHERE false)",
                before=track.before if track else f"(SELECT id, status FROM {model._meta.db_table} WHERE false)",
                actor=self.actor,
                reason=self.reason or self.why,
                metadata={"import": self.job.pk, "file": self.job.file_name},
            )
        deleted = {track.label: work.delete_made(track) for track in work.tracks}
        restored = {track.label: work.restore_changed(track) for track in work.tracks}
        again = {track.label: work.make_again(track) for track in work.tracks}
        for track in work.tracks:
            counts = {
                "deleted": deleted[track.label], "restored": restored[track.label], "created_again": again[track.label],
            }  # fmt: skip
            if track.label not in SHADOWS:
                done.by_kind[_kind(track.model)] = counts
        for name in ("deleted", "restored", "created_again"):
            setattr(done, name, sum(counts[name] for counts in done.by_kind.values()))
        return done

    # What stands against it

    def _refuse_what_stands_against_it(self) -> None:
        found = list(islice(self._obstacles(), NAMED))
        unseen = self._outside(lambda track: f"SELECT id FROM {track.touched}")
        if not found and not unseen:
            return
        names = _Names(self.actor, found)
        obstacles = [
            Obstacle(_kind(item.track.model), key, names.message(item))
            for item in found
            if (key := names.of(item.track.model, item.pk)) is not None
        ]
        raise UndoRefused(obstacles, unseen=unseen or len(obstacles) < len(found))

    def _obstacles(self) -> Iterable[_Found]:
        work = self.work
        told: set[tuple[str, Any]] = set()

        def new(track: Track, pk: Any) -> bool:
            known = (track.label, pk) in told
            told.add((track.label, pk))
            return not known

        for track, pk, type_, when, who in work.changed_since(NAMED):
            if track.label not in SHADOWS and new(track, pk):
                yield _Found(track, pk, "removed" if type_ == "-" else "changed", when, who)
        for track, pk, move, when, who in work.moved_since(NAMED):
            if new(track, pk):
                yield _Found(track, pk, "moved", when, who, move=move)
        for track, pk, other, other_pk in work.hanging(TIES, NAMED):
            if new(track, pk):
                yield _Found(track, pk, "used", other=(other, other_pk))
        for track, pk, other_pk in work.in_the_way(NAMED):
            if new(track, pk):
                yield _Found(track, pk, "taken", other=(track.model, other_pk))
        for track, pk in work.lacking(NAMED):
            if new(track, pk):
                yield _Found(track, pk, "lacking")
        for track, pk in work.unknown(NAMED):
            if new(track, pk):
                yield _Found(track, pk, "unknown")
        # Told by what they follow from; a period changed by itself, past the door, is told all the same.
        if not told:
            for track, pk, _type, when, who in work.changed_since(NAMED):
                yield _Found(track, pk, "changed", when, who)

    def _outside(self, ids: Callable[[Track], str]) -> bool:
        """Say whether the actor may not edit some of these rows as they are now."""
        if self.actor is None:
            return False
        for track in self.work.tracks:
            objects = track.model.objects
            within = getattr(objects, REACH.get(track.label, "editable_by"))(self.actor)
            if not within.query.has_filters():
                continue
            mine = track.model._base_manager.filter(pk__in=RawSQL(ids(track), []))  # noqa: S611 – our own tables
            if mine.filter(~Exists(within.order_by().filter(pk=OuterRef("pk")))).exists():
                return True
        return False


def _settled() -> list[UUID]:
    """Return the deeds of imports that were taken back, and of their undoing: together they changed nothing."""
    pairs = ImportJob.objects.filter(state=JobState.UNDONE).values_list("deed", "undo_deed")
    return [deed for pair in pairs for deed in pair if deed is not None]


def _with_a_lifecycle() -> list[Any]:
    return [apps.get_model("org.Employee"), apps.get_model("assignments.Assignment")]


def _sheets() -> dict[str, SheetResource]:
    return {resource._meta.model._meta.label_lower: resource() for resource in resources().values()}


def _kind(model: Any) -> str:
    """Return the kind of sheet a record is of; of what has no sheet of its own, its name."""
    sheet = _sheets().get(model._meta.label_lower)
    return sheet.sheet if sheet is not None else str(model._meta.model_name)


# Naming


@dataclass(frozen=True)
class _Found:
    track: Track
    pk: Any
    what: str
    when: datetime | None = None
    who: Any = None
    move: str = ""
    other: tuple[Any, Any] | None = None


class _Names:
    """The business keys of the rows an undo stumbled over, as far as the actor may see them; a query or two a kind."""

    def __init__(self, actor: User | None, found: Iterable[_Found]):
        self.sees_all = actor is None or scope_of(actor) is None
        self.actor = actor
        wanted: dict[Any, set[Any]] = defaultdict(set)
        for item in found:
            wanted[item.track.model].add(item.pk)
            if item.other is not None:
                wanted[item.other[0]].add(item.other[1])
        self.names = {model: self._read(model, pks) for model, pks in wanted.items()}
        people = {item.who for item in found if item.who is not None}
        self.people = {user.pk: str(user) for user in User.objects.filter(pk__in=people)}

    def of(self, model: Any, pk: Any) -> str | None:
        return self.names[model].get(pk)

    def message(self, item: _Found) -> str:
        model = item.track.model
        facts = {
            "when": formats.date_format(timezone.localtime(item.when), "SHORT_DATETIME_FORMAT") if item.when else "",
            "who": self.people.get(item.who, "") if item.who is not None else _("the system"),
        }
        if item.other is not None:
            other, pk = item.other
            facts["what"] = str(other._meta.verbose_name)
            facts["name"] = self.of(other, pk) or _("a record outside your unit")
        if item.what == "moved":
            move = model.machine.told(item.move)
            facts["move"] = str(move.label) if move else item.move
        return {
            "changed": _("changed on %(when)s by %(who)s"),
            "removed": _("deleted on %(when)s by %(who)s"),
            "moved": _("moved on %(when)s by %(who)s: %(move)s"),
            "used": _("used since: %(what)s %(name)s"),
            "taken": _("its place is taken since: %(what)s %(name)s"),
            "lacking": _("what it referred to is gone"),
            "unknown": _("what it was before is not on record"),
        }[item.what] % facts

    def _read(self, model: Any, pks: set[Any]) -> dict[Any, str]:
        sheet = _sheets().get(model._meta.label_lower)
        stored = model._default_manager.filter(pk__in=pks)
        if self.actor is not None and hasattr(stored, "visible_to"):
            stored = stored.visible_to(self.actor)
        if sheet is not None:
            stored = stored.select_related(*sheet.select_related)
        names = {row.pk: _key(row, sheet) for row in stored}
        if self.sees_all:
            names = {pk: f"#{pk}" for pk in pks} | _as_they_were(model, pks - names.keys()) | names
        return names


def _key(row: Any, sheet: SheetResource | None) -> str:
    if hasattr(row, "log_code"):
        return str(row.log_code)
    if sheet is None:
        return str(row)
    return "/".join(column.widget.render(column.read(row)) for column in sheet.key_columns())


def _as_they_were(model: Any, pks: set[Any]) -> dict[Any, str]:
    """Return the codes of rows that are gone, from their last history."""
    if not hasattr(model._meta, "simple_history_manager_attribute"):
        return {}
    names = {}
    last = history_of(model).objects.filter(id__in=pks).order_by("id", "-history_id").distinct("id")
    for row in last:
        for name in ("employee_number", "code", "name"):
            if code := getattr(row, name, ""):
                names[row.id] = code
                break
    return names


# What a violation of each kind of subject is about, in the history of what was put back: the model and its column.
ABOUT: dict[str, tuple[tuple[str, str], ...]] = {
    "employee": (
        ("org.Employee", "id"), ("assignments.Assignment", "employee_id"), ("tags.EmployeeTag", "employee_id"),
        ("org.Leave", "employee_id"),
    ),
    "position": (
        ("org.Position", "id"), ("assignments.Assignment", "position_id"), ("tags.PositionTag", "position_id"),
        ("demand.DemandAdjustment", "position_id"),
    ),
    "assignment": (("assignments.Assignment", "id"),),
    "unit": (("org.OrgUnit", "id"), ("org.Position", "org_unit_id")),
}  # fmt: skip
SOON = timedelta(days=1)


def opened_by(job: ImportJob, user: User) -> QuerySet[RuleViolation]:
    """Return what is broken now and was first found within a day of an undo, about the records it put back."""
    if job.undone_at is None or job.undo_deed is None:
        return RuleViolation.objects.none()
    touched: Any = Q(pk__in=[])
    for kind, places in ABOUT.items():
        for label, column in places:
            history = history_of(apps.get_model(label)).objects
            touched |= Q(subject_kind=kind) & Exists(
                history.filter(**{column: OuterRef("subject_id")}, deed=job.undo_deed).order_by()
            )
    found: QuerySet[RuleViolation] = RuleViolation.objects.visible_to(user).open()
    return found.filter(first_seen__gte=job.undone_at, first_seen__lt=job.undone_at + SOON).filter(touched)
