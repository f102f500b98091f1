"""Why something is not done with an item: said once, for one item and for several."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from apps.common.clock import today
from apps.common.errors import Reason, Refusal

from .reading import may

if TYPE_CHECKING:
    from apps.users.models import User

# Nothing sleeps longer than a year: by then it is forgotten.
LONGEST_SLEEP = timedelta(days=365)


def refuse_day(until: date) -> None:
    """Refuse a day on which nothing comes back."""
    if until <= today():
        raise Refusal(
            Reason(_("Name a day to come: on it the item comes back."), code="past", field="until", fixable=10)
        )
    if until > today() + LONGEST_SLEEP:
        raise Refusal(Reason(_("Nothing sleeps longer than a year."), code="too_long", field="until", fixable=10))


def refuse_readers(actor: User) -> None:
    """Refuse who may read items and not act on them."""
    if not may(actor, "change"):
        raise Refusal(Reason(_("You may read the inbox, not act on it."), code="forbidden", fixable=90))


def gone() -> Reason:
    return Reason(_("There is no such item in your part of the organisation any more."), code="out_of_scope")


def noted_already() -> Reason:
    return Reason(_("Somebody has taken note of it already."), code="wrong_state")


def nobodys() -> Reason:
    return Reason(_("Nobody has it."), code="wrong_state")


def out_of_sight_of(to: User) -> Reason:
    return Reason(
        _("%(who)s cannot see it: choose somebody who works in that part of the organisation.") % {"who": to},
        code="assignee",
        field="to",
        fixable=10,
    )
