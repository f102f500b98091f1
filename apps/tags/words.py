"""What conditions may say about contracts and qualifications held and asked for."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.business_rules.language.reading import At
from apps.business_rules.language.vocabulary import (
    Argument,
    Relation,
    Type,
    Word,
    register_relation,
    register_word,
)

from .models import TagCatalog

HELD = "tags.employeetag.view"
WITH_HOLDER = _("tags, seen with their holder")


def tags(user: Any) -> Any:
    """Return the tags a person may name."""
    return TagCatalog.objects.all() if user is None else TagCatalog.objects.visible_to(user)


TAG = Argument(_("code of a tag"), tags)
ANY_TAG = Argument(_("code of a tag"), tags, required=False)


def runs(at: At, condition: str) -> str:
    """Return SQL (employee_id, tag_id, ends_on) of what is held today, to the end of its renewals without a gap."""
    return f"""
        SELECT held.employee_id, held.tag_id, upper(run) - 1 AS ends_on FROM (
            SELECT t.employee_id, t.tag_id, range_agg(daterange(t.valid_from, t.valid_until, '[]')) AS days
            FROM tags_employeetag t JOIN tags_tagcatalog c ON c.id = t.tag_id
            WHERE (t.valid_until IS NULL OR t.valid_until >= {at.today}) AND {condition} AND {at.only("t.employee_id")}
            GROUP BY t.employee_id, t.tag_id
        ) held CROSS JOIN LATERAL unnest(held.days) AS run
        WHERE run @> {at.today}
    """


def expiry(at: At, code: str = "TRUE") -> str:
    """Return SQL of the day the tag ends (of several, the first); without a code, of whichever ends first."""
    condition = "TRUE" if code == "TRUE" else f"c.code = {code}"
    return f"SELECT employee_id AS id, min(ends_on) AS ends_on FROM ({runs(at, condition)}) run GROUP BY employee_id"


def contract(at: At) -> str:
    """Return SQL of the contracts of today: their hours together, and the day until which there is one."""
    return f"""
        SELECT t.employee_id AS id, sum(c.hours_delta) FILTER (
                WHERE t.valid_from <= {at.today} AND (t.valid_until IS NULL OR t.valid_until >= {at.today})
            ) AS hours,
            range_agg(daterange(t.valid_from, t.valid_until, '[]')) AS days
        FROM tags_employeetag t JOIN tags_tagcatalog c ON c.id = t.tag_id AND c.type = 'CONTRACT'
        WHERE (t.valid_until IS NULL OR t.valid_until >= {at.today}) AND {at.only("t.employee_id")}
        GROUP BY t.employee_id
    """


register_relation(Relation("employee", "tag_expiry", expiry))
register_relation(Relation("employee", "contract", contract))
register_word(
    Word(
        "employee", "contract_hours", Type.HOURS, _("contract hours"),
        _("The weekly hours of the contracts held today, together; empty without a contract."),
        lambda at: f"{at.beside('contract')}.hours", permission=HELD, scope=WITH_HOLDER,
    )
)  # fmt: skip
register_word(
    Word(
        "employee", "days_to_contract_end", Type.NUMBER, _("days to the end of the contract"),
        _(
            "Days from today to the last day with a contract, renewals without a gap included; empty without a "
            "contract or without an end."
        ),
        lambda at: f"""(SELECT upper(run) - 1 FROM unnest({at.beside("contract")}.days) AS run
            WHERE run @> {at.today})""",
        counts="to", permission=HELD, scope=WITH_HOLDER,
    )
)  # fmt: skip
register_word(
    Word(
        "employee", "has_tag", Type.BOOLEAN, _("holds the tag"), _("Whether the employee holds the tag today."),
        lambda at, code: f"""EXISTS (
            SELECT FROM tags_employeetag held JOIN tags_tagcatalog tag ON tag.id = held.tag_id
            WHERE held.employee_id = {at.row}.id AND tag.code = {code} AND held.valid_from <= {at.today}
                AND (held.valid_until IS NULL OR held.valid_until >= {at.today})
        )""",
        arguments=(TAG,), permission=HELD, scope=WITH_HOLDER,
    )
)  # fmt: skip
register_word(
    Word(
        "employee", "days_to_tag_expiry", Type.NUMBER, _("days to the expiry of a tag"),
        _(
            "Days from today to the last day of the tag, renewals without a gap included; without a code, of whichever "
            "tag held today ends first. Empty if it is not held or does not end."
        ),
        lambda at, *code: f"{at.beside('tag_expiry', *code)}.ends_on",
        arguments=(ANY_TAG,), counts="to", permission=HELD, scope=WITH_HOLDER,
    )
)  # fmt: skip
register_word(
    Word(
        "position", "requires_tag", Type.BOOLEAN, _("requires the tag"),
        _("Whether whoever fills it must hold the tag."),
        lambda at, code: f"""EXISTS (
            SELECT FROM tags_positiontag wanted JOIN tags_tagcatalog tag ON tag.id = wanted.tag_id
            WHERE wanted.position_id = {at.row}.id AND tag.code = {code} AND wanted.level = 'REQUIRED'
        )""",
        arguments=(TAG,), permission="tags.positiontag.view", scope=_("tags, seen with their position"),
    )
)  # fmt: skip
