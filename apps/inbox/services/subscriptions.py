"""What a person asks to be told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from apps.common.acting import acting
from apps.common.errors import Reason, Refusal

from ..models import Subscription
from ..reading import may, told_kinds

if TYPE_CHECKING:
    from apps.users.models import User


def save_subscription(
    *, by_mail: bool, kinds: Sequence[str], only_mine: bool, cliff_lead_days: int, coverage_lead_days: int, actor: User
) -> Subscription:
    """Keep what the actor asks to be told. Everybody asks for themselves alone."""
    if not may(actor, "view"):
        raise Refusal(Reason(_("You have no inbox."), code="forbidden"))
    if by_mail and not settings.COVERIS_SENDS_MAIL:
        raise Refusal(Reason(_("This installation sends no mail."), code="no_mail", field="by_mail"))
    with acting(actor):
        row = Subscription.objects.select_for_update().filter(user=actor).first() or Subscription(user=actor)
        row.by_mail, row.only_mine = by_mail, only_mine
        row.kinds = [kind.value for kind in told_kinds(actor, kinds)]
        row.cliff_lead_days, row.coverage_lead_days = cliff_lead_days, coverage_lead_days
        if by_mail and not row.kinds:
            raise Refusal(Reason(_("Choose at least one kind to be told about."), code="no_kinds", field="kinds"))
        try:
            row.full_clean()
        except ValidationError as error:
            raise Refusal(
                [Reason(text, code="invalid", field=name) for name, said in error.message_dict.items() for text in said]
            ) from error
        row.save()
    return row
