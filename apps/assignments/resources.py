"""The sheet of assignments."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Q

from apps.common.cells import Day, Number, YesNo
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
from apps.org.models import Employee

from . import services
from .assignment_fsm import LIVE, MACHINE, AssignmentStatus
from .models import Assignment


@register
class AssignmentResource(SheetResource):
    """Who gives how many hours where. The key is looked for among rows not rejected, expired or voided."""

    sheet = "assignments"
    spanish = "asignaciones"
    machine = MACHINE
    select_related = ("employee__home_unit", "position__org_unit")

    employee_number = Reference("employee__employee_number", target="org.Employee", spanish="legajo", key=True)
    position_code = Reference(
        "position__code", target="org.Position", within="editable", spanish="código de puesto", key=True
    )
    starts_on = Column("starts_on", spanish="desde", widget=Day(), key=True)
    is_reinforcement = Column("is_reinforcement", spanish="refuerzo", widget=YesNo(), key=True)
    effective_hours = Column("effective_hours", spanish="horas semanales", widget=Number(), required=True)
    ends_on = Column("ends_on", spanish="hasta", widget=Day())
    expires_on = Column("expires_on", spanish="la propuesta vence el", widget=Day())
    transition = TransitionColumn(MACHINE)
    reason = ReasonColumn()

    invariants = (
        Invariant("assignments_hours_positive", "effective_hours"),
        Invariant("assignments_ends_after_it_starts", "ends_on"),
    )
    disjoint = Disjoint(
        "assignments_one_live_regular", ("employee_id", "position_id"), "starts_on", "ends_on",
        where=Q(status__in=LIVE, is_reinforcement=False),
    )  # fmt: skip
    meant = Q(voided=False) & (Q(status__in=LIVE) | Q(accepted_at__isnull=False))
    # A sheet that rejected a proposal and comes again finds it rejected: nothing to do.
    dead_ends: ClassVar = {"reject": Q(status=AssignmentStatus.CLOSED)}

    class Meta:
        model = Assignment
        import_id_fields = ("employee_number", "position_code", "starts_on", "is_reinforcement")
        fields = (
            "employee_number", "position_code", "starts_on", "is_reinforcement", "effective_hours", "ends_on",
            "expires_on", "transition", "reason",
        )  # fmt: skip

    def queryset(self) -> Any:
        """Leave out what no key can mean: an export comes back as it went."""
        return super().queryset().filter(voided=False).exclude(status=AssignmentStatus.CLOSED, accepted_at=None)

    def inspect(self, sheet: StagedSheet) -> None:
        closed = f"s.known AND NOT s.refused AND s.stored IS NOT NULL AND s.status = '{AssignmentStatus.CLOSED}'"
        sheet.refuse(
            Check(name, "closed", f"{closed} AND s.changes[1] = '{name}'", "to_jsonb(s.key)") for name in sheet.present
        )

    def fixed(self, actor: Any) -> dict[str, Any]:
        return {"created_by_id": actor.pk} if actor is not None else {}

    def lock(self, sheet: StagedSheet) -> None:
        sheet.lock(Employee, "s.e_employee_id")

    def save(self, sheet: StagedSheet) -> None:
        """Let the judgement under way look at whom the rows are about, before and after they are written."""
        services.write_staged(sheet=sheet)
