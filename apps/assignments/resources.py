"""The sheet of assignments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from apps.common.cells import Day, Number, YesNo
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
        Invariant("assignments_hours_positive", "effective_hours", lambda row: row.effective_hours > 0),
        Invariant("assignments_ends_after_it_starts", "ends_on",
                  lambda row: row.ends_on is None or row.ends_on >= row.starts_on),
    )  # fmt: skip
    disjoint = Disjoint(
        "assignments_one_live_regular", ("employee_id", "position_id"), "starts_on", "ends_on",
        counts=lambda row: row.status in LIVE and not row.is_reinforcement,
    )  # fmt: skip

    class Meta:
        model = Assignment
        import_id_fields = ("employee_number", "position_code", "starts_on", "is_reinforcement")
        fields = (
            "employee_number", "position_code", "starts_on", "is_reinforcement", "effective_hours", "ends_on",
            "expires_on", "transition", "reason",
        )  # fmt: skip

    def matches(self, instance: Any) -> bool:
        if instance.voided:
            return False
        return instance.status in LIVE or instance.accepted_at is not None

    def dead_end(self, instance: Any, move: Any) -> bool:
        """A sheet that rejected a proposal and comes again finds it rejected: nothing to do."""
        return move is not None and move.name == "reject" and instance.status == AssignmentStatus.CLOSED

    def queryset(self) -> Any:
        """Leave out what no key can mean: an export comes back as it went."""
        return super().queryset().filter(voided=False).exclude(status=AssignmentStatus.CLOSED, accepted_at=None)

    def inspect(self, rows: Sequence[Row]) -> None:
        for row in rows:
            assignment = row.instance
            if assignment is None or row.refused or row.is_new or not row.changes:
                continue
            if assignment.status == AssignmentStatus.CLOSED:
                row.fail(
                    next(iter(row.changes)),
                    "closed",
                    _("%(what)s is closed: its days and hours stay as they are.") % {"what": assignment},
                )

    def lock(self, instances: Sequence[Any]) -> None:
        len(Assignment.objects.locked([instance.pk for instance in instances]).values_list("pk"))

    def save(self, rows: Sequence[Row], *, actor: Any, confirmed: bool) -> None:
        services.save_assignments(assignments=[row.instance for row in rows], actor=actor, confirmed=confirmed)
