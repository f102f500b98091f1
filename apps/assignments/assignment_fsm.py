"""The assignment's lifecycle: states, colours, moves (domain: Asignación)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db import models
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.common.errors import Reason
from apps.fsm.moves import REASON, Machine, Move, Need


class AssignmentStatus(models.TextChoices):
    """Where an assignment stands."""

    # With a context: in Spanish they take the gender of “asignación”, an employee's “Active” does not.
    PROPOSED = "PROPOSED", pgettext_lazy("assignment", "Proposed")
    ACTIVE = "ACTIVE", pgettext_lazy("assignment", "Active")
    CLOSED = "CLOSED", pgettext_lazy("assignment", "Closed")


S = AssignmentStatus
LIVE = (S.PROPOSED, S.ACTIVE)


def close_by_today(assignment: Any, inputs: Mapping[str, Any], today: date) -> Reason | None:
    """Neither does an ending reach past the assignment's own: the days between would be hours no rule looked at."""
    if inputs["ends_on"] > min(today, assignment.ends_on or today):
        return Reason(
            _now("%(what)s can be closed on a day up to today; for a later end, change its last day instead.")
            % {"what": assignment},
            code="ends_in_future",
            field="ends_on",
            fixable=10,
        )
    return None


def close_after_start(assignment: Any, inputs: Mapping[str, Any], today: date) -> Reason | None:
    if inputs["ends_on"] < assignment.starts_on:
        return Reason(
            _now("%(what)s starts on %(day)s: it cannot end before that.")
            % {"what": assignment, "day": assignment.starts_on},
            code="ends_before_start",
            field="ends_on",
            fixable=10,
        )
    return None


def has_expired(assignment: Any, inputs: Mapping[str, Any], today: date) -> Reason | None:
    if assignment.expires_on is None or assignment.expires_on >= today:
        return Reason(_now("%(what)s has not expired.") % {"what": assignment}, code="not_expired")
    return None


WHY = Need("reason", "text", _("reason"), required=False)

MACHINE = Machine(
    label="assignments.assignment",
    states=AssignmentStatus,
    colours={S.PROPOSED: "petrol", S.ACTIVE: "green", S.CLOSED: "grey"},
    icons={S.PROPOSED: "schedule", S.ACTIVE: "check_circle", S.CLOSED: "lock"},
    moves=(
        Move("accept", (S.PROPOSED,), S.ACTIVE, _("Accept"), (WHY,), gated=True,
             help=_("The business rules are asked first.")),
        Move("reject", (S.PROPOSED,), S.CLOSED, _("Reject"), (REASON,), ends=True),
        Move("expire", (S.PROPOSED,), S.CLOSED, _("Expire"), (), (has_expired,), system=True, ends=True),
        Move("close", (S.ACTIVE,), S.CLOSED, _("Close assignment"),
             (Need("ends_on", "date", _("last day of the assignment")), REASON),
             (close_by_today, close_after_start), ends=True),
        # Its employee was terminated before it began: the dates stay, it never counts, not even after a rehire.
        Move("void", (S.ACTIVE,), S.CLOSED, _("Void"), (), system=True, ends=True),
    ),
)  # fmt: skip
