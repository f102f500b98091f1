"""The rules about what employees hold and positions ask for."""

from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.business_rules.registry import Rule, register_rule
from apps.business_rules.verdicts import Verdict, day


def _missing(verdict: Verdict) -> str:
    facts = verdict.facts
    words = {
        "what": verdict.who,
        "tags": ", ".join(f"{record['name']} ({record['code']})" for record in facts["records"]),
        "day": day(facts["day"]) if facts["day"] else "",
    }
    if facts["day"]:
        return _now("%(what)s: on %(day)s the employee does not hold what the position requires: %(tags)s.") % words
    return _now("%(what)s: the employee does not hold what the position requires: %(tags)s.") % words


def _hold(verdict: Verdict) -> str:
    return ngettext(
        "Enter the missing tag, or the day it was renewed until, if the employee holds it.",
        "Enter the missing tags, or the days they were renewed until, if the employee holds them.",
        len(verdict.facts["records"]),
    )


MISSING_REQUIRED_TAG = register_rule(
    Rule(
        code="MISSING_REQUIRED_TAG",
        kind="assignment",
        name=_("Required tag missing"),
        description=_(
            "The employee of a live assignment holds every tag its position requires: when it is proposed, changed or "
            "accepted, on its first day from then on; afterwards, today."
        ),
        fixable=40,
        # Of an assignment yet to begin the sweep tells what is missing both today and on its first day: what the gate
        # let pass is not reported before it begins.
        violations="""
            SELECT a.id AS subject_id, count(*)::numeric AS observed, 0::numeric AS "limit",
                jsonb_build_object(
                    'day', CASE WHEN a.starts_on > %(today)s THEN a.starts_on END,
                    'records', jsonb_agg(
                        jsonb_build_object('kind', 'tag', 'id', tag.id, 'code', tag.code, 'name', tag.name)
                        ORDER BY tag.code
                    )
                ) AS facts
            FROM subject s JOIN assignments_assignment a ON a.id = s.id
                JOIN tags_positiontag wanted ON wanted.position_id = a.position_id AND wanted.level = 'REQUIRED'
                JOIN tags_tagcatalog tag ON tag.id = wanted.tag_id
            WHERE a.status IN ('PROPOSED', 'ACTIVE') AND (a.ends_on IS NULL OR a.ends_on >= %(today)s)
                AND NOT EXISTS (
                    SELECT FROM tags_employeetag held
                    WHERE held.employee_id = a.employee_id AND held.tag_id = wanted.tag_id AND (
                        GREATEST(a.starts_on, %(today)s::date)
                            BETWEEN held.valid_from AND COALESCE(held.valid_until, 'infinity'::date)
                        OR NOT %(at_gate)s
                            AND %(today)s BETWEEN held.valid_from AND COALESCE(held.valid_until, 'infinity'::date)
                    )
                )
            GROUP BY a.id
        """,
        sentence=_missing,
        remedy=_hold,
    )
)
