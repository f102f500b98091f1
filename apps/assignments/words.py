"""What conditions may say about assignments, and about how many of them there are."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.business_rules.language.reading import At
from apps.business_rules.language.vocabulary import (
    Path,
    Relation,
    Type,
    Word,
    register_path,
    register_relation,
    register_word,
    words_of,
)

from .assignment_fsm import AssignmentStatus

EMPLOYEE = register_path(Path("assignment", "employee", "employee", "employee_id", _("employee")))
POSITION = register_path(Path("assignment", "position", "position", "position_id", _("position")))
SEEN = "assignments.assignment.view"


assignment = words_of("assignment")


assignment(
    "effective_hours", Type.HOURS, _("hours a week"), _("The weekly hours of the assignment."),
    lambda at: f"{at.row}.effective_hours",
)  # fmt: skip
assignment("starts_on", Type.DATE, _("from"), _("The first day."), lambda at: f"{at.row}.starts_on")
assignment("ends_on", Type.DATE, _("until"), _("The last day; empty: no end."), lambda at: f"{at.row}.ends_on")
assignment(
    "expires_on", Type.DATE, _("proposal expires after"), _("The last day on which the proposal stands."),
    lambda at: f"{at.row}.expires_on",
)  # fmt: skip
assignment(
    "status", Type.CHOICE, _("status"), _("Where the assignment stands in its lifecycle."),
    lambda at: f"{at.row}.status", choices=tuple(AssignmentStatus.choices),
)  # fmt: skip
assignment(
    "is_reinforcement", Type.BOOLEAN, _("reinforcement"), _("Whether it comes on top of a regular assignment."),
    lambda at: f"{at.row}.is_reinforcement",
)  # fmt: skip
assignment(
    "voided", Type.BOOLEAN, _("never in force"), _("Whether it was closed as if it had never been."),
    lambda at: f"{at.row}.voided",
)  # fmt: skip
assignment(
    "days_to_end", Type.NUMBER, _("days to the end"), _("Days from today to the last day; empty without an end."),
    lambda at: f"{at.row}.ends_on", counts="to",
)  # fmt: skip
assignment(
    "days_since_start", Type.NUMBER, _("days since the start"), _("Days from the first day to today; negative before."),
    lambda at: f"{at.row}.starts_on", counts="since",
)  # fmt: skip
assignment(
    "same_unit", Type.BOOLEAN, _("in the home unit"), _("Whether the position is in the employee's home unit."),
    lambda at: f"{at.reach(EMPLOYEE).row}.home_unit_id = {at.reach(POSITION).row}.org_unit_id",
    scope=_("its employee and position, where they are in sight"),
)  # fmt: skip


def live(at: At, key: str, counted: str) -> str:
    """Return SQL that counts the live assignments of an employee or position."""
    return f"""SELECT a.{key} AS id, {counted} AS number FROM assignments_assignment a
        WHERE a.status IN ('PROPOSED', 'ACTIVE') AND (a.ends_on IS NULL OR a.ends_on >= {at.today})
            AND {at.only(f"a.{key}")} AND {at.sees("assignment", "a.id")} GROUP BY a.{key}"""


register_relation(Relation("employee", "live_assignments", lambda at: live(at, "employee_id", "count(*)")))
register_relation(
    Relation("position", "live_assignments", lambda at: live(at, "position_id", "count(DISTINCT a.employee_id)"))
)
register_word(
    Word(
        "employee", "assignments", Type.NUMBER, _("live assignments"),
        _("How many assignments are proposed or active and not past their end."),
        lambda at: f"COALESCE({at.beside('live_assignments')}.number, 0)",
        permission=SEEN, scope=_("assignments in sight"),
    )
)  # fmt: skip
register_word(
    Word(
        "position", "people", Type.NUMBER, _("people"), _("How many people have a live assignment to it."),
        lambda at: f"COALESCE({at.beside('live_assignments')}.number, 0)",
        permission=SEEN, scope=_("assignments in sight"),
    )
)  # fmt: skip
