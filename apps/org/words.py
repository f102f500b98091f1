"""What conditions may say about employees, positions and units as such."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.business_rules.language.reading import At
from apps.business_rules.language.vocabulary import (
    SENSITIVE,
    Argument,
    Path,
    Relation,
    Type,
    register_path,
    register_relation,
    words_of,
)
from apps.fsm.employee_fsm import EmployeeStatus

from .enums import UnitKind
from .models import OrgUnit

# Ways from one record to another

register_path(Path("employee", "unit", "unit", "home_unit_id", _("home unit")))
register_path(Path("position", "unit", "unit", "org_unit_id", _("unit")))
register_path(Path("unit", "parent", "unit", "parent_id", _("part of")))


def units(user: Any) -> Any:
    """Return the units a person may name."""
    return OrgUnit.objects.all() if user is None else OrgUnit.objects.visible_to(user)


UNIT = Argument(_("code of a unit"), units)
IN_UNIT = _("in unit")
IN_UNIT_MEANS = _("Whether it belongs to that unit or one below it.")


def below(column: str) -> Any:
    """Return what says in SQL whether the unit in a column is one unit or below it."""

    def sql(at: At, code: str) -> str:
        return f"""EXISTS (
            SELECT FROM org_orgunit lower_unit JOIN org_orgunit named ON lower_unit.path @> ARRAY[named.id]
            WHERE lower_unit.id = {at.row}.{column} AND named.code = {code}
                AND {at.sees("unit", "lower_unit.id")} AND {at.sees("unit", "named.id")}
        )"""

    return sql


# Employees


employee = words_of("employee")


employee(
    "employee_number", Type.TEXT, _("employee number"), _("The number by which sheets know the employee."),
    lambda at: f"{at.row}.employee_number", is_code=True,
)  # fmt: skip
employee(
    "given_name", Type.TEXT, _("given name"), _("Given name as it is written here."), lambda at: f"{at.row}.given_name"
)
employee(
    "family_name", Type.TEXT, _("family name"), _("Family name as it is written here."),
    lambda at: f"{at.row}.family_name",
)  # fmt: skip
employee(
    "name", Type.TEXT, _("name"), _("Family name, comma, given name."),
    lambda at: f"({at.row}.family_name || ', ' || {at.row}.given_name)",
)  # fmt: skip
employee("email", Type.TEXT, _("e-mail"), _("The address mail goes to."), lambda at: f"{at.row}.email")
employee(
    "national_id", Type.TEXT, _("national id"), _("The number of the identity document; never in a rule."),
    lambda at: f"{at.row}.national_id", permission=SENSITIVE,
)  # fmt: skip
employee(
    "status", Type.CHOICE, _("status"), _("Where the employee stands in the lifecycle."),
    lambda at: f"{at.row}.status", choices=tuple(EmployeeStatus.choices),
)  # fmt: skip
employee("hired_on", Type.DATE, _("hired on"), _("The first day of the employment."), lambda at: f"{at.row}.hired_on")
employee(
    "last_day", Type.DATE, _("last day"), _("The last day of the employment; empty while none is known."),
    lambda at: f"{at.row}.last_day",
)  # fmt: skip
employee(
    "days_since_hired", Type.NUMBER, _("days since hired"), _("Days from the day of hiring to today; negative before."),
    lambda at: f"{at.row}.hired_on", counts="since",
)  # fmt: skip
employee(
    "days_to_last_day", Type.NUMBER, _("days to the last day"),
    _("Days from today to the last day; empty while none is known."),
    lambda at: f"{at.row}.last_day", counts="to",
)  # fmt: skip
employee("in_unit", Type.BOOLEAN, IN_UNIT, IN_UNIT_MEANS, below("home_unit_id"), arguments=(UNIT,),
         permission="org.orgunit.view", scope=_("the units above and below"))  # fmt: skip
employee(
    "on_leave", Type.BOOLEAN, _("on leave"), _("Whether a leave covers today."),
    lambda at: f"""EXISTS (
        SELECT FROM org_leave away WHERE away.employee_id = {at.row}.id AND away.starts_on <= {at.today}
            AND (away.ends_on IS NULL OR away.ends_on >= {at.today})
    )""",
    permission="org.leave.view", scope=_("leaves, seen with their employee"),
)  # fmt: skip
register_relation(
    Relation(
        "employee", "next_leave",
        lambda at: f"""SELECT employee_id AS id, min(starts_on) AS starts_on FROM org_leave
            WHERE starts_on > {at.today} AND {at.only("employee_id")} GROUP BY employee_id""",
    )
)  # fmt: skip
employee(
    "days_to_leave", Type.NUMBER, _("days to the next leave"),
    _("Days from today to the first day of the next leave; empty if none is planned."),
    lambda at: f"{at.beside('next_leave')}.starts_on",
    counts="to", permission="org.leave.view", scope=_("leaves, seen with their employee"),
)  # fmt: skip


# Positions


position = words_of("position")


position(
    "code", Type.TEXT, _("code"), _("The code by which sheets know the position."), lambda at: f"{at.row}.code",
    is_code=True,
)  # fmt: skip
position("title", Type.TEXT, _("title"), _("What the position is called."), lambda at: f"{at.row}.title")
position(
    "required_weekly_hours", Type.HOURS, _("required hours a week"), _("The baseline, before adjustments."),
    lambda at: f"{at.row}.required_weekly_hours",
)  # fmt: skip
position(
    "opens_on", Type.DATE, _("opens on"), _("The first day it is needed; empty: always was."),
    lambda at: f"{at.row}.opens_on",
)  # fmt: skip
position(
    "closes_on", Type.DATE, _("closes on"), _("The last day it is needed; empty: no end."),
    lambda at: f"{at.row}.closes_on",
)  # fmt: skip
position("in_unit", Type.BOOLEAN, IN_UNIT, IN_UNIT_MEANS, below("org_unit_id"), arguments=(UNIT,),
         permission="org.orgunit.view", scope=_("the units above and below"))  # fmt: skip


# Units


unit = words_of("unit")


unit(
    "code", Type.TEXT, _("code"), _("The code by which sheets know the unit."), lambda at: f"{at.row}.code",
    suggests=UNIT, is_code=True,
)  # fmt: skip
unit("name", Type.TEXT, _("name"), _("What the unit is called."), lambda at: f"{at.row}.name")
unit(
    "kind", Type.CHOICE, _("kind"), _("The label people gave the unit."),
    lambda at: f"{at.row}.kind", choices=tuple(UnitKind.choices),
)  # fmt: skip
unit(
    "is_active", Type.BOOLEAN, _("offered in choices"), _("Whether the unit is offered in choices."),
    lambda at: f"{at.row}.is_active",
)  # fmt: skip
unit(
    "max_weekly_hours", Type.HOURS, _("cap of weekly hours"), _("The unit's own cap; empty: as the unit above."),
    lambda at: f"{at.row}.max_weekly_hours",
)  # fmt: skip
unit(
    "coverage_target", Type.PERCENT, _("coverage target (%)"), _("The unit's own target; empty: as the unit above."),
    lambda at: f"{at.row}.coverage_target",
)  # fmt: skip
unit(
    "headroom", Type.PERCENT, _("headroom (%)"), _("The unit's own headroom; empty: as the unit above."),
    lambda at: f"{at.row}.headroom",
)  # fmt: skip
unit(
    "depth", Type.NUMBER, _("depth"), _("How many units lead to it from the root, itself included: the root has 1."),
    lambda at: f"array_length({at.row}.path, 1)",
)  # fmt: skip
unit("in_unit", Type.BOOLEAN, IN_UNIT, IN_UNIT_MEANS, below("id"), arguments=(UNIT,),
     permission="org.orgunit.view", scope=_("the units above and below"))  # fmt: skip
