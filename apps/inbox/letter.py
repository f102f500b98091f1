"""The mail of a digest: its sentences, in plain text and in simple HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from apps.common.clock import today

from .enums import RANKS, SubjectKind
from .items import Item, Key
from .querysets import SUBJECTS
from .telling import day_text, named_subjects, tell

if TYPE_CHECKING:
    from apps.users.models import User

    from .services.digests import Changes

# So many lines of each part; the rest is in the inbox.
MOST_LINES = 40


@dataclass(frozen=True)
class Line:
    """One item of the mail; `link` is absolute."""

    head: str
    text: str = ""
    link: str = ""


@dataclass(frozen=True)
class Part:
    """Lines under a title, and how many more there are."""

    title: str
    lines: Sequence[Line]
    more: int


def letter_of(changes: Changes, user: User) -> EmailMultiAlternatives:
    """Return the mail that tells a user what changed, in the active language, with names the user may see."""
    parts = [
        _part(_("New, or awake again"), changes.new, user),
        _part(_("Worse than before"), changes.worse, user),
        _gone(changes.gone, user),
    ]
    parts = [part for part in parts if part.lines or part.more]
    context = {
        "user": user,
        "language": get_language(),
        "title": _("Your inbox on %(day)s") % {"day": date_format(today(), "DATE_FORMAT")},
        "greeting": _("Hello %(name)s, this changed since your last digest.") % {"name": user.given_name},
        "cut": _("There is more than a digest compares. Choose fewer kinds, or only what is assigned to you.")
        if changes.is_cut
        else "",
        "parts": parts,
        "inbox": absolute(reverse("admin:inbox_attention_inbox")),
        "inbox_text": _("Open the inbox"),
        "why": _("You get this because you asked for one mail a day. You can change or stop it in the inbox."),
    }
    mail = EmailMultiAlternatives(subject=_subject(changes), body=_plain(context), to=[user.email])
    mail.attach_alternative(render_to_string("inbox/digest.html", context), "text/html")
    return mail


def absolute(path: str) -> str:
    """Return an address that leads here from anywhere."""
    return f"{settings.COVERIS_SITE_URL}{path}"


def _subject(changes: Changes) -> str:
    counts = [
        (len(changes.new), ngettext("%(n)d new", "%(n)d new", len(changes.new))),
        (len(changes.worse), ngettext("%(n)d worse", "%(n)d worse", len(changes.worse))),
        (len(changes.gone), ngettext("%(n)d gone", "%(n)d gone", len(changes.gone))),
    ]
    return "Coveris: " + ", ".join(text % {"n": number} for number, text in counts if number)


def _part(title: str, items: Sequence[Item], user: User) -> Part:
    told = tell(items[:MOST_LINES], user)
    lines = []
    for each in told:
        facts = [str(RANKS[each.item.rank].label), str(each.item.key.kind.label)]
        if each.item.day is not None and each.item.day >= today():
            facts.append(_("by %(day)s") % {"day": day_text(each.item.day)})
        where = f"{each.subject} – {each.unit}" if each.unit else each.subject
        lines.append(Line(where, f"{each.what} [{', '.join(facts)}]", absolute(each.url)))
    return Part(f"{title} ({len(items)})", lines, max(0, len(items) - MOST_LINES))


def _gone(keys: Sequence[Key], user: User) -> Part:
    """Name what is over, as far as the user may still see whom it was about."""
    title = f"{_('Over, or no longer yours')} ({len(keys)})"
    shown = list(keys[:MOST_LINES])
    wanted: set[tuple[SubjectKind, int]] = set()
    for kind, label in SUBJECTS.items():
        ids = {key.subject_id for key in shown if key.subject_kind == kind}
        if ids:
            rows = apps.get_model(label).objects.visible_to(user).filter(pk__in=ids)
            wanted |= {(kind, pk) for pk in rows.values_list("pk", flat=True)}
    names = named_subjects(wanted) if wanted else {}
    lines = []
    for key in shown:
        subject = names.get((key.subject_kind, key.subject_id))
        if subject is not None or key.subject_kind not in SUBJECTS:
            lines.append(Line(subject.name if subject else str(key.subject_kind.label), str(key.kind.label)))
    return Part(title, lines, len(keys) - len(lines))


def _plain(context: dict[str, Any]) -> str:
    lines = [context["title"], "", context["greeting"]]
    if context["cut"]:
        lines += ["", context["cut"]]
    for part in context["parts"]:
        lines += ["", part.title, ""]
        for line in part.lines:
            lines.append(f"- {line.head}")
            lines += [f"  {text}" for text in (line.text, line.link) if text]
        if part.more:
            lines.append("- " + more_text(part.more))
    return "\n".join([*lines, "", f"{context['inbox_text']}: {context['inbox']}", "", context["why"], ""])


def more_text(number: int) -> str:
    return ngettext("and %(n)d more", "and %(n)d more", number) % {"n": number}
