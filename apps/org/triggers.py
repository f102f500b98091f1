"""The tree keeps its own paths, whatever wrote the units."""

from typing import Any

from apps.common.triggers import StatementTrigger, changed_rows


class TreeTrigger(StatementTrigger):
    """After units were added or moved, write the path of each one touched and of all below; refuse a cycle.

    Paths are rebuilt from the touched units down. A unit that meets itself on the way up is in a cycle.
    """

    def get_func(self, model: Any) -> str:
        touched = {
            "insert": "SELECT n.id FROM new_rows n",
            "update": f"SELECT n.id FROM ({changed_rows(['id', 'parent_id'], new=True)}) n",
        }[self.verb]
        return f"""
            IF EXISTS ({touched}) THEN
                IF EXISTS (
                    WITH RECURSIVE up AS (
                        SELECT t.id AS start, u.parent_id, ARRAY[t.id] AS seen
                        FROM ({touched}) t JOIN org_orgunit u ON u.id = t.id
                        UNION ALL
                        SELECT up.start, u.parent_id, up.seen || u.id
                        FROM up JOIN org_orgunit u ON u.id = up.parent_id
                        WHERE NOT u.id = ANY (up.seen)
                    )
                    SELECT 1 FROM up WHERE up.parent_id = ANY (up.seen)
                ) THEN
                    RAISE EXCEPTION 'org_unit_no_cycle'
                        USING ERRCODE = 'check_violation', CONSTRAINT = 'org_unit_no_cycle';
                END IF;
                WITH RECURSIVE up AS (
                    SELECT t.id AS start, u.parent_id, ARRAY[t.id] AS path
                    FROM ({touched}) t JOIN org_orgunit u ON u.id = t.id
                    UNION ALL
                    SELECT up.start, u.parent_id, u.id || up.path
                    FROM up JOIN org_orgunit u ON u.id = up.parent_id
                ), down AS (
                    SELECT up.start AS id, up.path FROM up WHERE up.parent_id IS NULL
                    UNION
                    SELECT child.id, down.path || child.id
                    FROM down JOIN org_orgunit child ON child.parent_id = down.id
                )
                UPDATE org_orgunit u SET path = down.path FROM down
                WHERE u.id = down.id AND u.path IS DISTINCT FROM down.path;
            END IF;
            RETURN NULL;
        """
