"""The log of tag changes, written by the database so that imports and raw SQL are on it too."""

from typing import Any

from apps.changes.triggers import CHANNEL
from apps.common.triggers import StatementTrigger, changed_rows

from .enums import TagType

CONTRACT = TagType.CONTRACT.value
FACTS = ("valid_from", "valid_until", "note")


def _facts(row: str) -> str:
    return "jsonb_build_object(" + ", ".join(f"'{name}', {row}.{name}" for name in FACTS) + ")"


class ContractTrigger(StatementTrigger):
    """Mark the positions of a tag's holders where it became a contract, or is none any more.

    Accounts go by the hours of a tag; on which day the last contract runs out is kept by position. The marks are
    `alone`: those of a quarter of the house wait behind what people change.
    """

    def get_func(self, model: Any) -> str:
        return f"""
            INSERT INTO changes_mark (kind, subject_id, alone)
            SELECT DISTINCT 'position', a.position_id, true
            FROM (
                SELECT id, type = '{CONTRACT}' FROM new_rows EXCEPT SELECT id, type = '{CONTRACT}' FROM old_rows
            ) n (id, is_contract)
            JOIN tags_employeetag t ON t.tag_id = n.id
            JOIN assignments_assignment a ON a.employee_id = t.employee_id AND NOT a.voided;
            IF FOUND THEN PERFORM pg_notify('{CHANNEL}', ''); END IF;
            RETURN NULL;
        """


class TagLogTrigger(StatementTrigger):
    """Write one tags_tagchangelog row for each tag added, changed or removed by a statement."""

    def get_func(self, model: Any) -> str:
        facts = ["id", "employee_id", "tag_id", *FACTS]
        rows = {
            "insert": f"SELECT n.employee_id, n.tag_id, 'ADDED', NULL::jsonb, {_facts('n')} FROM new_rows n",
            "delete": f"SELECT o.employee_id, o.tag_id, 'REMOVED', {_facts('o')}, NULL::jsonb FROM old_rows o",
            # The two sides of each row, side by side: what was, then what is.
            "update": f"""SELECT (array_agg(s.employee_id ORDER BY s.is_new))[2],
                    (array_agg(s.tag_id ORDER BY s.is_new))[2], 'CHANGED',
                    (array_agg(s.facts ORDER BY s.is_new))[1], (array_agg(s.facts ORDER BY s.is_new))[2]
                FROM (
                    SELECT o.id, o.employee_id, o.tag_id, {_facts("o")} AS facts, false AS is_new
                    FROM ({changed_rows(facts, new=False)}) o
                    UNION ALL
                    SELECT n.id, n.employee_id, n.tag_id, {_facts("n")}, true FROM ({changed_rows(facts, new=True)}) n
                ) s GROUP BY s.id""",
        }[self.verb]
        return f"""
            INSERT INTO tags_tagchangelog (employee_id, tag_id, change, before, after, actor_id, reason, created_at)
            SELECT x.employee_id, x.tag_id, x.change, x.before, x.after,
                NULLIF(current_setting('coveris.actor', true), '')::uuid,
                COALESCE(current_setting('coveris.reason', true), ''), clock_timestamp()
            FROM ({rows}) AS x (employee_id, tag_id, change, before, after);
            RETURN NULL;
        """
