"""Who may do what: one table. Groups, docs/permissions.md and the tests are made from it.

Models are named by label, so that nothing is imported upwards. Scope (which records) is `visible_to` and
`editable_by` of each model's queryset; this table says which deeds.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from .enums import Role

if TYPE_CHECKING:
    from .models import User

READ = ("view", "export")
EDIT = ("add", "change", "delete", "import")

PEOPLE_READ = (
    "org.orgunit",
    "org.position",
    "org.employee",
    "org.leave",
    "fsm.employeestatusperiod",
    "fsm.employeetransitionlog",
    "tags.tagcatalog",
    "tags.employeetag",
    "tags.positiontag",
    "tags.tagchangelog",
    "assignments.assignment",
    "assignments.assignmenttransitionlog",
    "business_rules.businessrule",
    "business_rules.ruleoverride",
    "business_rules.ruleviolation",
    "business_rules.waiver",
    "business_rules.evaluationrun",
    "demand.demandadjustment",
    "demand.positioncoverage",
    "demand.unitcoverage",
    "offer.ledgerweek",
    "audit_log.auditentry",
    "changes.correction",
)
MANAGED = (
    "org.position",
    "org.employee",
    "org.leave",
    "tags.employeetag",
    "tags.positiontag",
    "demand.demandadjustment",
)
ADMINISTERED = (
    "users.user",
    "org.orgunit",
    "org.unitscope",
    "tags.tagcatalog",
    "business_rules.businessrule",
    "business_rules.ruleoverride",
    "business_rules.ruledraft",
    "business_rules.ruleexample",
    "django_celery_beat.periodictask",
    "django_celery_beat.crontabschedule",
    "django_celery_beat.intervalschedule",
    "changes.mark",
    "changes.deadletter",
    "changes.proof",
    "webhooks.webhookendpoint",
    "webhooks.webhookdelivery",
)

# What each role adds to the one below it: model label → verbs.
ADDS: dict[Role, dict[str, tuple[str, ...]]] = {
    Role.VIEWER: {
        **dict.fromkeys(PEOPLE_READ, READ),
        "inbox.attention": READ,
        "imports.exportjob": READ,
    },
    Role.SUPERVISOR: {
        "inbox.attention": ("change",),
        "assignments.assignment": ("add",),
        "business_rules.ruleviolation": ("change",),
        "business_rules.waiver": ("add",),
    },
    Role.MANAGER: {
        **dict.fromkeys(MANAGED, EDIT),
        "assignments.assignment": ("change", "import"),
        "business_rules.waiver": ("change", "delete"),
        "business_rules.evaluationrun": ("add",),
        "changes.correction": ("add",),
        "imports.importjob": (*READ, "add", "change"),
    },
    Role.ADMIN: {
        **dict.fromkeys(ADMINISTERED, (*READ, *EDIT)),
        "audit_log.exportrecord": ("view",),
        "changes.repair": ("view",),
        "inbox.digest": READ,
        "inbox.subscription": ("view",),
    },
}
LADDER = (Role.VIEWER, Role.SUPERVISOR, Role.MANAGER, Role.ADMIN)


class Whose(StrEnum):
    """Of which subjects in scope a role may make a transition."""

    ANY = "any"
    OWN = "own"  # proposed by oneself
    SELF = "self"  # about oneself, through the API


ALL_EMPLOYEE_MOVES = (
    "activate",
    "withdraw",
    "start_leave",
    "extend_leave",
    "return_from_leave",
    "suspend",
    "reinstate",
    "give_notice",
    "retract_notice",
    "terminate",
    "rehire",
)
# (model label, transition) → role → whose. A system move (complete_notice, expire, void) stands with no role.
TRANSITIONS: dict[tuple[str, str], dict[Role, Whose]] = {
    **{("org.employee", move): {Role.MANAGER: Whose.ANY, Role.ADMIN: Whose.ANY} for move in ALL_EMPLOYEE_MOVES},
    ("org.employee", "complete_notice"): {},
    ("assignments.assignment", "accept"): {
        Role.MANAGER: Whose.ANY,
        Role.ADMIN: Whose.ANY,
        Role.EMPLOYEE: Whose.SELF,
    },
    ("assignments.assignment", "reject"): {
        Role.SUPERVISOR: Whose.OWN,
        Role.MANAGER: Whose.ANY,
        Role.ADMIN: Whose.ANY,
        Role.EMPLOYEE: Whose.SELF,
    },
    ("assignments.assignment", "close"): {Role.MANAGER: Whose.ANY, Role.ADMIN: Whose.ANY},
    ("assignments.assignment", "expire"): {},
    ("assignments.assignment", "void"): {},
}

# May read and export values marked sensitive (national_id).
SEES_SENSITIVE = frozenset({Role.MANAGER, Role.ADMIN})
# May waive a violation of this severity.
WAIVES = {
    "BLOCKING": frozenset({Role.MANAGER, Role.ADMIN}),
    "WARNING": frozenset({Role.SUPERVISOR, Role.MANAGER, Role.ADMIN}),
    "INFO": frozenset({Role.SUPERVISOR, Role.MANAGER, Role.ADMIN}),
}


def rights_of(role: Role) -> dict[str, tuple[str, ...]]:
    """Return model label → verbs of a role, the roles below included."""
    rights: dict[str, set[str]] = {}
    if role in LADDER:
        for step in LADDER[: LADDER.index(role) + 1]:
            for label, verbs in ADDS[step].items():
                rights.setdefault(label, set()).update(verbs)
    return {label: tuple(sorted(verbs)) for label, verbs in sorted(rights.items())}


def whose_transition(user: User, label: str, transition: str) -> Whose | None:
    """Return of whose subjects this user may make the transition; None = of nobody's."""
    if not user.is_active:
        return None
    return TRANSITIONS.get((label, transition), {}).get(Role(user.role))


def sees_sensitive(user: User) -> bool:
    """Say whether the user may read sensitive values unmasked."""
    return user.is_active and user.role in SEES_SENSITIVE
