"""What workers are asked to look for, by somebody who looks at a page."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from apps.common.errors import Reason, Refusal
from apps.org.querysets import scope_of

from ..kept_answers import ask
from ..models import Comparison, Dependence
from ..waterfall.answer import Place
from ..waterfall.kept import key_of

if TYPE_CHECKING:
    from apps.users.models import User


def request_comparison(*, actor: User, place: Place, first: date, second: date, anew: bool = False) -> Comparison:
    """Return the comparison of two weeks of a place; workers are asked for it if there is none or it is outdated.

    `anew` asks however young it is. The wish is a row: the request needs no broker. Raise Refusal for a place that
    reaches beyond the actor's scope.
    """
    if place.scope != scope_of(actor):
        raise Refusal(Reason(_("There is no such unit in your part of the organisation."), code="out_of_scope"))
    kept, _made = Comparison.objects.get_or_create(**key_of(place, first, second))
    ask(kept, anew=anew)
    return kept


def request_dependence(*, actor: User, anew: bool = False) -> Dependence:
    """Return when the positions that hang on one person were last looked for; workers are asked if that is outdated."""
    kept, _made = Dependence.objects.get_or_create(pk=1)
    ask(kept, anew=anew)
    return kept
