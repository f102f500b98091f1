"""The sheet of demand adjustments."""

from __future__ import annotations

from apps.common.cells import Day, Number
from apps.common.resources import Column, Invariant, Reference, SheetResource, register
from apps.common.staging import StagedSheet
from apps.org.models import Position

from .models import DemandAdjustment


@register
class DemandAdjustmentResource(SheetResource):
    """Dated changes of what positions need."""

    sheet = "demand_adjustments"
    spanish = "ajustes de demanda"
    select_related = ("position",)

    position_code = Reference(
        "position__code", target="org.Position", within="editable", spanish="código de puesto", key=True
    )
    from_day = Column("from_day", spanish="desde", widget=Day(), key=True)
    until_day = Column("until_day", spanish="hasta", widget=Day())
    hours = Column("hours", spanish="horas semanales", widget=Number(), required=True)
    reason = Column("reason", spanish="motivo")

    invariants = (Invariant("demand_adjustment_ends_after_it_starts", "until_day"),)

    class Meta:
        model = DemandAdjustment
        import_id_fields = ("position_code", "from_day")
        fields = ("position_code", "from_day", "until_day", "hours", "reason")

    def lock(self, sheet: StagedSheet) -> None:
        sheet.lock(Position, "s.e_position_id")
