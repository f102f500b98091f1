"""The sheets of units, employees and leaves. Positions name tags, so theirs is declared above (apps.tags)."""

from __future__ import annotations

from collections.abc import Mapping

from apps.common.cells import Choice, Day, NationalId, Number, YesNo
from apps.common.resources import (
    Column,
    Disjoint,
    Invariant,
    ReasonColumn,
    Reference,
    SheetResource,
    TransitionColumn,
    register,
)
from apps.common.staging import Check, StagedSheet
from apps.fsm.employee_fsm import MACHINE

from .enums import LeaveKind, UnitKind
from .models import Employee, Leave, OrgUnit


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
        Invariant("org_unit_cap_positive", "max_weekly_hours"),
        Invariant("org_unit_target_is_percent", "coverage_target"),
        Invariant("org_unit_headroom_is_percent", "headroom"),
        Invariant("org_unit_not_its_own_parent", "parent_code"),
    )  # fmt: skip

    class Meta:
        model = OrgUnit
        import_id_fields = ("code",)
        fields = ("code", "name", "kind", "parent_code", "max_weekly_hours", "coverage_target", "headroom", "is_active")

    def inspect(self, sheet: StagedSheet) -> None:
        """Refuse units that would end up below themselves."""
        if "parent_code" not in sheet.present:
            return
        moved = dict(
            sheet.fetch(
                "SELECT s.v_code, NULLIF(s.v_parent_code, '') FROM sheet_rows s WHERE s.known AND NOT s.refused"
            )
        )
        above = dict(OrgUnit.objects.values_list("code", "parent__code")) | moved
        turning = [code for code in moved if _comes_back(code, above)]
        if turning:
            sheet.refuse([Check("parent_code", "cycle", "s.v_code = ANY (%(turning)s)")], {"turning": turning})

    def save(self, sheet: StagedSheet) -> None:
        """Write level by level: whatever a row hangs under comes first."""
        among = sheet.among
        try:
            for level in _by_depth(sheet):
                sheet.among = level
                sheet.write()
        finally:
            sheet.among = among


def _comes_back(code: str, above: Mapping[str, str | None]) -> bool:
    seen: set[str] = set()
    at: str | None = above.get(code)
    while at is not None and at not in seen:
        if at == code:
            return True
        seen.add(at)
        at = above.get(at)
    return False


def _by_depth(sheet: StagedSheet) -> list[list[int]]:
    """Return the lines whose turn it is so that whatever a row hangs under comes in an earlier list."""
    rows = sheet.fetch(f"SELECT s.pk, s.e_parent_id, s.line FROM sheet_rows s WHERE {sheet.chosen}", sheet.params)
    parents = {pk: parent for pk, parent, _line in rows}
    depths: dict[int, int] = {}
    for start in parents:
        way, at = [], start
        while at in parents and at not in depths:
            way.append(at)
            at = parents[at]
            if at in way:
                break
        depth = depths.get(at, -1)
        for unit in reversed(way):
            depth += 1
            depths[unit] = depth
    levels: list[list[int]] = [[] for _depth in range(max(depths.values(), default=-1) + 1)]
    for pk, _parent, line in rows:
        levels[depths[pk]].append(line)
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
        Invariant("org_employee_leaves_after_hiring", "hired_on"),
    )  # fmt: skip

    class Meta:
        model = Employee
        import_id_fields = ("employee_number",)
        fields = (
            "employee_number", "given_name", "family_name", "email", "national_id", "home_unit_code", "hired_on",
            "last_day", "transition", "reason",
        )  # fmt: skip


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
        Invariant("org_leave_ends_after_it_starts", "ends_on"),
    )  # fmt: skip
    disjoint = Disjoint("org_leave_one_at_a_time", ("employee_id",), "starts_on", "ends_on")

    class Meta:
        model = Leave
        import_id_fields = ("employee_number", "starts_on")
        fields = ("employee_number", "starts_on", "kind", "ends_on", "reason")

    def lock(self, sheet: StagedSheet) -> None:
        sheet.lock(Employee, "s.e_employee_id")
