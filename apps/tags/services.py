"""What can be done to tags: the catalogue, what employees hold, what positions ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from apps.common.acting import acting
from apps.common.errors import Reason, Refusal
from apps.common.saving import in_words, refuse_outside, save_rows, within_scope
from apps.common.staging import StagedSheet
from apps.org.models import Employee, Position

from .models import EmployeeTag, PositionTag, TagCatalog

if TYPE_CHECKING:
    from apps.users.models import User


def save_catalogue(*, tags: Sequence[TagCatalog], actor: User | None, reason: str = "") -> list[TagCatalog]:
    """Create or change tags of the catalogue; changed hours reach every holder's ledger."""
    with acting(actor, reason), within_scope(TagCatalog, tags, actor):
        save_rows(TagCatalog, tags)
    return list(tags)


def save_employee_tags(
    *, employee_tags: Sequence[EmployeeTag], actor: User | None, reason: str = ""
) -> list[EmployeeTag]:
    """Grant tags to employees or change their dates. A tag that expires must say until when."""
    catalogue = TagCatalog.objects.in_bulk({held.tag_id for held in employee_tags})
    endless = [held for held in employee_tags if held.valid_until is None and catalogue[held.tag_id].expires]
    if endless:
        raise Refusal(
            [
                Reason(
                    _("“%(tag)s” expires: say until when it is valid.") % {"tag": catalogue[held.tag_id].name},
                    code="end_needed",
                    field="valid_until",
                    fixable=5,
                )
                for held in endless[:20]
            ]
        )
    with acting(actor, reason), within_scope(EmployeeTag, employee_tags, actor):
        Employee.objects.lock({held.employee_id for held in employee_tags})
        save_rows(EmployeeTag, employee_tags)
    return list(employee_tags)


def grant_tag(
    *,
    employee: Employee,
    tag: TagCatalog,
    valid_from: date,
    actor: User | None,
    valid_until: date | None = None,
    note: str = "",
    reason: str = "",
) -> EmployeeTag:
    """Give an employee a tag from one day to another."""
    held = EmployeeTag(employee=employee, tag=tag, valid_from=valid_from, valid_until=valid_until, note=note)
    return save_employee_tags(employee_tags=[held], actor=actor, reason=reason)[0]


def revoke_tag(*, employee_tag: EmployeeTag, actor: User | None, reason: str = "") -> None:
    """Take a tag away as if it had never been held; to end one, change its last day instead."""
    with acting(actor, reason):
        refuse_outside(EmployeeTag, [employee_tag], actor)
        employee_tag.delete()


def set_position_tags(
    *, wanted: Mapping[int, Mapping[int, str]], actor: User | None, reason: str = ""
) -> dict[str, int]:
    """Make positions (by id) ask for exactly these tags (id → REQUIRED or PREFERRED), by difference."""
    positions = [Position(pk=pk) for pk in wanted]
    with acting(actor, reason), in_words():
        refuse_outside(Position, positions, actor)
        stored = {(row.position_id, row.tag_id): row for row in PositionTag.objects.filter(position__in=wanted)}
        goal = {(position, tag): level for position, tags in wanted.items() for tag, level in tags.items()}
        gone = [row.pk for key, row in stored.items() if key not in goal]
        changed = []
        for key, row in stored.items():
            if key in goal and row.level != goal[key]:
                row.level = goal[key]
                changed.append(row)
        new = [
            PositionTag(position_id=position, tag_id=tag, level=level)
            for (position, tag), level in goal.items()
            if (position, tag) not in stored
        ]
        PositionTag.objects.filter(pk__in=gone).delete()
        save_rows(PositionTag, [*changed, *new])
    return {"added": len(new), "changed": len(changed), "removed": len(gone)}


def write_staged_lists(*, sheet: StagedSheet, lists: Mapping[str, str]) -> None:
    """Make the positions of a sheet's rows ask for the tags its lists name (column → level), by difference.

    A list the sheet does not carry stays, but for tags that a list it carries names.
    """
    given = {name: level for name, level in lists.items() if name in sheet.present}
    wanted = " UNION ALL ".join(
        f"""SELECT s.pk, t.id, '{level}' FROM sheet_rows s
        CROSS JOIN LATERAL unnest(string_to_array(NULLIF(s.v_{name}, ''), '|')) AS named (code)
        JOIN tags_tagcatalog t ON t.code = named.code
        WHERE {sheet.chosen} AND '{name}' = ANY (s.changes)"""
        for name, level in given.items()
    )
    # The stored rows a list of the sheet speaks for.
    spoken_for = " OR ".join(f"(p.level = '{level}' AND '{name}' = ANY (s.changes))" for name, level in given.items())
    with in_words():
        sheet.execute(
            f"""DELETE FROM tags_positiontag p USING sheet_rows s
            WHERE p.position_id = s.pk AND {sheet.chosen} AND ({spoken_for})
            AND NOT EXISTS (SELECT FROM ({wanted}) w (position_id, tag_id, level)
                WHERE w.position_id = p.position_id AND w.tag_id = p.tag_id)""",
            sheet.params,
        )
        sheet.execute(
            f"""UPDATE tags_positiontag p SET level = w.level, updated_at = statement_timestamp()
            FROM ({wanted}) w (position_id, tag_id, level)
            WHERE w.position_id = p.position_id AND w.tag_id = p.tag_id AND p.level <> w.level""",
            sheet.params,
        )
        sheet.execute(
            f"""INSERT INTO tags_positiontag (position_id, tag_id, level)
            SELECT w.position_id, w.tag_id, w.level FROM ({wanted}) w (position_id, tag_id, level)
            WHERE NOT EXISTS (SELECT FROM tags_positiontag p
                WHERE p.position_id = w.position_id AND p.tag_id = w.tag_id)""",
            sheet.params,
        )
