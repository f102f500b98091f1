"""The sheets of units, employees and leaves. Positions name tags, so theirs is declared above (apps.tags)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from apps.common.cells import Choice, Day, NationalId, Number, YesNo
from apps.common.resources import (
    Column,
    Disjoint,
    Invariant,
    ReasonColumn,
    Reference,
    Row,
    SheetResource,
    TransitionColumn,
    register,
)
from apps.fsm.employee_fsm import MACHINE

from .enums import LeaveKind, UnitKind
from .models import Employee, Leave, OrgUnit
from .services import employees, leaves, units


@register
class OrgUnitResource(SheetResource):
    """The organisation tree; a child may stand before its parent."""

    sheet = "org_units"
    spanish = "unidades"
    select_related = ("parent",)

    code = Column("code", spanish="código", key=True)
    name = Column("name", spanish="nombre", required=True)
    kind = Column("kind", spanish="tipo", widget=Choice(UnitKind.choices))
    parent_code = Reference("parent__code", target="org.OrgUnit", spanish="código de la unidad superior")
    max_weekly_hours = Column("max_weekly_hours", spanish="tope de horas semanales", widget=Number())
    coverage_target = Column("coverage_target", spanish="objetivo de cobertura", widget=Number())
    headroom = Column("headroom", spanish="reserva por ausencias", widget=Number())
    is_active = Column("is_active", spanish="activa", widget=YesNo())

    invariants = (
        Invariant("org_unit_cap_positive", "max_weekly_hours",
                  lambda unit: unit.max_weekly_hours is None or unit.max_weekly_hours > 0),
        Invariant("org_unit_target_is_percent", "coverage_target",
                  lambda unit: unit.coverage_target is None or 0 <= unit.coverage_target <= 100),
        Invariant("org_unit_headroom_is_percent", "headroom",
                  lambda unit: unit.headroom is None or 0 <= unit.headroom <= 100),
        Invariant("org_unit_not_its_own_parent", "parent_code",
                  lambda unit: unit.parent is None or unit.parent.code != unit.code),
    )  # fmt: skip

    class Meta:
        model = OrgUnit
        import_id_fields = ("code",)
        fields = ("code", "name", "kind", "parent_code", "max_weekly_hours", "coverage_target", "headroom", "is_active")

    def inspect(self, rows: Sequence[Row]) -> None:
        """Refuse units that would end up below themselves."""
        moved = [row for row in rows if row.instance is not None and not row.refused and "parent_code" in row.values]
        if not moved:
            return
        above = dict(OrgUnit.objects.values_list("code", "parent__code"))
        above |= {row.instance.code: row.instance.parent.code if row.instance.parent else None for row in moved}
        for row in moved:
            seen, code = set(), row.instance.code
            while code is not None and code not in seen:
                seen.add(code)
                code = above.get(code)
            if code == row.instance.code:
                row.fail(
                    "parent_code", "cycle", _("A unit cannot be part of itself or of a unit below it: choose another.")
                )

    def save(self, rows: Sequence[Row], *, actor: Any, confirmed: bool) -> None:
        for level in _by_depth(rows):
            for row in level:
                # A parent of this very sheet got its key a moment ago.
                row.instance.parent_id = row.instance.parent.pk if row.instance.parent is not None else None
            units.save_units(units=[row.instance for row in level], actor=actor)


def _by_depth(rows: Sequence[Row]) -> list[list[Row]]:
    """Return the rows so that whatever a row hangs under comes in an earlier list."""
    mine = {id(row.instance): row for row in rows}
    depths: dict[int, int] = {}
    for row in rows:
        way, unit = [], row.instance
        while unit is not None and id(unit) in mine and id(unit) not in depths:
            way.append(unit)
            unit = unit.parent if unit.parent is not None and id(unit.parent) in mine else None
        depth = depths.get(id(unit), -1)
        for unit in reversed(way):
            depth += 1
            depths[id(unit)] = depth
    levels: list[list[Row]] = [[] for _depth in range(max(depths.values(), default=-1) + 1)]
    for row in rows:
        levels[depths[id(row.instance)]].append(row)
    return levels


@register
class EmployeeResource(SheetResource):
    """People. Status moves by `transition` alone."""

    sheet = "employees"
    spanish = "empleados"
    machine = MACHINE
    select_related = ("home_unit",)

    employee_number = Column("employee_number", spanish="legajo", key=True)
    given_name = Column("given_name", spanish="nombre", required=True)
    family_name = Column("family_name", spanish="apellido", required=True)
    email = Column("email", spanish="correo electrónico")
    national_id = Column("national_id", spanish="documento", widget=NationalId(), sensitive=True)
    home_unit_code = Reference("home_unit__code", target="org.OrgUnit", spanish="código de la unidad", required=True)
    hired_on = Column("hired_on", spanish="fecha de ingreso", widget=Day(), required=True)
    last_day = Column("last_day", spanish="último día", widget=Day(), only_with=("give_notice", "terminate"))
    transition = TransitionColumn(MACHINE)
    reason = ReasonColumn()

    invariants = (
        Invariant("org_employee_leaves_after_hiring", "hired_on",
                  lambda person: person.last_day is None or person.last_day >= person.hired_on),
    )  # fmt: skip

    class Meta:
        model = Employee
        import_id_fields = ("employee_number",)
        fields = (
            "employee_number", "given_name", "family_name", "email", "national_id", "home_unit_code", "hired_on",
            "last_day", "transition", "reason",
        )  # fmt: skip

    def save(self, rows: Sequence[Row], *, actor: Any, confirmed: bool) -> None:
        employees.save_employees(employees=[row.instance for row in rows], actor=actor)


@register
class LeaveResource(SheetResource):
    """Days away."""

    sheet = "leaves"
    spanish = "licencias"
    select_related = ("employee",)

    employee_number = Reference(
        "employee__employee_number", target="org.Employee", within="editable", spanish="legajo", key=True
    )
    starts_on = Column("starts_on", spanish="desde", widget=Day(), key=True)
    kind = Column("kind", spanish="tipo", widget=Choice(LeaveKind.choices))
    ends_on = Column("ends_on", spanish="hasta", widget=Day())
    reason = Column("reason", spanish="motivo")

    invariants = (
        Invariant("org_leave_ends_after_it_starts", "ends_on",
                  lambda leave: leave.ends_on is None or leave.ends_on >= leave.starts_on),
    )  # fmt: skip
    disjoint = Disjoint("org_leave_one_at_a_time", ("employee_id",), "starts_on", "ends_on")

    class Meta:
        model = Leave
        import_id_fields = ("employee_number", "starts_on")
        fields = ("employee_number", "starts_on", "kind", "ends_on", "reason")

    def lock(self, instances: Sequence[Any]) -> None:
        Employee.objects.lock({leave.employee_id for leave in instances})
        super().lock(instances)

    def save(self, rows: Sequence[Row], *, actor: Any, confirmed: bool) -> None:
        leaves.save_leaves(leaves=[row.instance for row in rows], actor=actor)
