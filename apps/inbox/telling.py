"""Items in words: what it is, where, about whom, and what to do next. For the page and for the digest."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.urls import reverse
from django.utils.formats import date_format, localize_input, number_format
from django.utils.http import urlencode
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.business_rules.models import EvaluationRun, RuleViolation
from apps.changes.models import DeadLetter, Kind
from apps.common.clock import today
from apps.demand.cliffs import Cause
from apps.org.querysets import scope_of

from .enums import RULE_KINDS, AlertKind, SubjectKind
from .items import Item
from .models import Digest

if TYPE_CHECKING:
    from apps.users.models import User

PAGES = {
    SubjectKind.EMPLOYEE: "org_employee_change",
    SubjectKind.POSITION: "org_position_coverage",
    SubjectKind.UNIT: "org_orgunit_change",
    SubjectKind.ASSIGNMENT: "assignments_assignment_change",
    SubjectKind.LETTER: "changes_deadletter_change",
    SubjectKind.RUN: "business_rules_evaluationrun_change",
    SubjectKind.DIGEST: "inbox_digest_change",
}


@dataclass(frozen=True)
class Subject:
    """Whom or what an item is about. Paths are those of the units of a position and of a home, the root first."""

    name: str
    unit: str = ""
    position_path: Sequence[int] = ()
    home_path: Sequence[int] = ()
    employee_id: int | None = None
    position_id: int | None = None


@dataclass(frozen=True)
class Told:
    """An item ready to be read. `url` leads to its record, `deed_url` to what to do next; both may be empty."""

    item: Item
    what: str
    subject: str
    unit: str
    url: str
    subject_url: str
    deed: str = ""
    deed_url: str = ""


def tell(items: Sequence[Item], user: User, *, back: str = "") -> list[Told]:
    """Return items in words of the active language, with the deeds this user may do; `back` is where those return to.

    One query for the subjects, one for the violations, one for each kind of housekeeping there is.
    """
    subjects = subjects_of(items)
    violations = _by_id(
        RuleViolation.objects.select_related("rule"), (item.record_id for item in items if item.key.kind in RULE_KINDS)
    )
    letters = _by_id(DeadLetter.objects.all(), _ids(items, SubjectKind.LETTER))
    runs = _by_id(EvaluationRun.objects.all(), _ids(items, SubjectKind.RUN))
    digests = _by_id(Digest.objects.defer("snapshot").select_related("user"), _ids(items, SubjectKind.DIGEST))
    scope = scope_of(user)
    told = []
    for item in items:
        key = item.key
        subject = subjects.get((key.subject_kind, key.subject_id)) or Subject(str(key.subject_kind.label))
        if key.kind in RULE_KINDS:
            violation = violations.get(item.record_id)
            if violation is None:  # resolved since the list was read
                continue
            what = replace(violation.verdict, who=subject.name).message
            url = _page("business_rules_ruleviolation_change", item.record_id)
            deed = _deed_about(item, violation, subject, user, scope, back)
        elif key.kind == AlertKind.CLIFF:
            what, url = _cliff(item), _page(PAGES[SubjectKind.ASSIGNMENT], item.record_id)
            deed = _find(subject, user, scope, Decimal(item.extra["missing"]) / 100, item.day)
        elif key.kind == AlertKind.PROPOSAL:
            what, url = _proposal(item), _page(PAGES[SubjectKind.ASSIGNMENT], item.record_id)
            decides = user.has_perm("assignments.change_assignment") and _inside(scope, subject.position_path)
            deed = (_("Accept or reject") if decides else _("Look at the proposal"), url)
        elif key.subject_kind == SubjectKind.LETTER:
            letter = letters.get(item.record_id)
            what = _letter(letter) if letter else ""
            url = _page(PAGES[key.subject_kind], item.record_id)
            deed = (_("Send again"), _page("changes_deadletter_changelist"))
        elif key.subject_kind == SubjectKind.FIGURES:
            what = _("Changes have been waiting since %(time)s to reach the figures: is a worker running?") % {
                "time": date_format(localtime(item.since), "SHORT_DATETIME_FORMAT")
            }
            url, deed = _page("changes_mark_changelist"), ("", "")
        else:
            run, digest = runs.get(item.record_id), digests.get(item.record_id)
            what = _run(run) if key.subject_kind == SubjectKind.RUN else _digest(digest)
            url, deed = _page(PAGES[key.subject_kind], item.record_id), ("", "")
        page = PAGES.get(key.subject_kind, "")
        told.append(
            Told(
                item, what, subject.name, subject.unit, url, _page(page, key.subject_id) if page else "",
                deed=deed[0], deed_url=deed[1],
            )
        )  # fmt: skip
    return told


def subjects_of(items: Iterable[Item]) -> dict[tuple[SubjectKind, int], Subject]:
    """Return what items are about, by kind and id, in one query."""
    return named_subjects({(item.key.subject_kind, item.key.subject_id) for item in items})


def named_subjects(wanted: Collection[tuple[SubjectKind, int]]) -> dict[tuple[SubjectKind, int], Subject]:
    """Return the subjects of the rules among some kinds and ids; the others have no name of their own."""
    ids = {kind.value: [pk for each, pk in wanted if each == kind] for kind in SubjectKind}
    with connection.cursor() as cursor:
        cursor.execute(_SUBJECTS, ids)
        return {(SubjectKind(row[0]), row[1]): Subject(*row[2:]) for row in cursor.fetchall()}


PERSON, PLACE = "concat(e.family_name, ', ', e.given_name)", "concat(u.name, ' (', u.code, ')')"
_SUBJECTS = f"""
    SELECT 'employee' AS kind, e.id, concat({PERSON}, ' (', e.employee_number, ')') AS name, {PLACE} AS unit,
           '{{}}'::bigint[] AS position_path, u.path AS home_path, e.id AS employee_id, NULL::bigint AS position_id
    FROM org_employee e JOIN org_orgunit u ON u.id = e.home_unit_id WHERE e.id = ANY (%(employee)s::bigint[])
    UNION ALL
    SELECT 'position', p.id, concat(p.title, ' (', p.code, ')'), {PLACE}, u.path, '{{}}', NULL, p.id
    FROM org_position p JOIN org_orgunit u ON u.id = p.org_unit_id WHERE p.id = ANY (%(position)s::bigint[])
    UNION ALL
    SELECT 'unit', u.id, {PLACE}, '', u.path, u.path, NULL, NULL
    FROM org_orgunit u WHERE u.id = ANY (%(unit)s::bigint[])
    UNION ALL
    SELECT 'assignment', a.id, concat({PERSON}, ' → ', p.title, ' (', p.code, ')'), {PLACE}, u.path, h.path, e.id, p.id
    FROM assignments_assignment a JOIN org_employee e ON e.id = a.employee_id
    JOIN org_position p ON p.id = a.position_id JOIN org_orgunit u ON u.id = p.org_unit_id
    JOIN org_orgunit h ON h.id = e.home_unit_id WHERE a.id = ANY (%(assignment)s::bigint[])
"""


def _by_id(rows: Any, ids: Iterable[int]) -> dict[int, Any]:
    wanted = set(ids)
    return {row.pk: row for row in rows.filter(pk__in=wanted)} if wanted else {}


def _ids(items: Iterable[Item], kind: SubjectKind) -> Iterable[int]:
    return (item.record_id for item in items if item.key.subject_kind == kind)


def _page(name: str, *args: Any) -> str:
    return reverse(f"admin:{name}", args=args)


def _inside(scope: int | None, path: Sequence[int]) -> bool:
    return scope is None or scope in path


def hours_text(hours: Decimal) -> str:
    """Return weekly hours without decimals that say nothing."""
    return number_format(hours, decimal_pos=0 if hours == int(hours) else 2, use_l10n=True)


def day_text(day: date) -> str:
    return date_format(day, "SHORT_DATE_FORMAT")


# Sentences


def _cliff(item: Item) -> str:
    extra = item.extra
    said = _("%(cause)s: %(hours)s h a week are missing from %(day)s on.") % {
        "cause": Cause(item.key.cause).label,
        "hours": hours_text(Decimal(extra["missing"]) / 100),
        "day": day_text(item.day or today()),
    }
    follows = date.fromisoformat(extra["follows_on"]) if extra.get("follows_on") else None
    if follows is None:
        return f"{said} {_('Nobody follows.')}"
    if extra["accepted"]:
        more = _("%(hours)s h follow from %(day)s.")
        hours = extra["accepted"]
    else:
        more = _("%(hours)s h are proposed from %(day)s.")
        hours = extra["proposed"]
    return f"{said} {more % {'hours': hours_text(Decimal(hours) / 100), 'day': day_text(follows)}}"


def _proposal(item: Item) -> str:
    # By the clock, as it is counted from when on a proposal waits too long.
    days = max(0, (localtime().date() - localtime(item.since).date()).days)
    said = ngettext(
        "Proposed %(n)d day ago and not decided.", "Proposed %(n)d days ago and not decided.", days
    ) % {"n": days}  # fmt: skip
    if expires := item.extra.get("expires_on"):
        said += " " + _("It expires after %(day)s.") % {"day": day_text(date.fromisoformat(expires))}
    return said


def _letter(letter: DeadLetter) -> str:
    lines = letter.reason.strip().splitlines()
    return _("A change (%(kind)s %(id)s) could not be worked into the figures: %(reason)s") % {
        "kind": Kind(letter.kind).label, "id": letter.subject_id, "reason": lines[-1][:200] if lines else "–",
    }  # fmt: skip


def _run(run: EvaluationRun | None) -> str:
    if run is None:
        return ""
    return _("The last evaluation of the rules failed: %(what)s") % {"what": " ".join(run.failure.split())[:300]}


def _digest(digest: Digest | None) -> str:
    if digest is None:
        return ""
    return _("The digest of %(day)s for %(who)s was not sent: %(what)s") % {
        "day": day_text(digest.day), "who": digest.user, "what": digest.failure[:300],
    }  # fmt: skip


# What to do next


def _deed_about(
    item: Item, violation: RuleViolation, subject: Subject, user: User, scope: int | None, back: str
) -> tuple[str, str]:
    facts, page = violation.facts, _page("business_rules_ruleviolation_change", violation.pk)
    if item.key.kind == AlertKind.VACANT:
        return _find(subject, user, scope, Decimal(facts.get("hours") or 0), today())
    if item.key.kind == AlertKind.UNDER_COVERED:
        return _("See what is missing"), _page(PAGES[SubjectKind.UNIT], item.key.subject_id)
    if item.key.kind == AlertKind.EXPIRY:
        return _renew(item, facts, subject, user, scope, back) or (_("See what ends"), page)
    return _("See what helps"), page


def _renew(
    item: Item, facts: Any, subject: Subject, user: User, scope: int | None, back: str
) -> tuple[str, str] | None:
    """Return the form of a tag, filled in with what follows the one that ends."""
    records = [record for record in facts.get("records", ()) if record.get("kind") == "tag"]
    if not records or not user.has_perm("tags.add_employeetag") or not _inside(scope, subject.home_path):
        return None
    first = min(records, key=lambda record: str(record.get("ends_on")))
    starts_on = date.fromisoformat(first["ends_on"]) + timedelta(days=1)
    values: dict[str, Any] = {
        "back": back, "employee": subject.employee_id, "tag": first["id"], "valid_from": localize_input(starts_on),
    }  # fmt: skip
    return _("Renew %(tag)s") % {"tag": first["name"]}, f"{_page('tags_employeetag_add')}?{urlencode(values)}"


def _find(subject: Subject, user: User, scope: int | None, hours: Decimal, day: date | None) -> tuple[str, str]:
    """Return where somebody is looked for, for the hours that are needed from a day on."""
    if subject.position_id is None:
        return "", ""
    if not user.has_perm("assignments.add_assignment") or not _inside(scope, subject.position_path):
        return _("See the position"), _page(PAGES[SubjectKind.POSITION], subject.position_id)
    values = {"starts_on": max(day or today(), today()).isoformat()}
    if hours:
        values["hours"] = localize_input(hours.quantize(Decimal("0.01")))
    return _("Find somebody"), f"{_page('org_position_candidates', subject.position_id)}?{urlencode(values)}"
