"""The sheet of demand adjustments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apps.common.cells import Day, Number
from apps.common.resources import Column, Invariant, Reference, Row, SheetResource, register
from apps.org.models import Position

from .models import DemandAdjustment
from .services.adjustments import save_adjustments


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

    invariants = (
        Invariant("demand_adjustment_ends_after_it_starts", "until_day",
                  lambda row: row.until_day is None or row.until_day >= row.from_day),
    )  # fmt: skip

    class Meta:
        model = DemandAdjustment
        import_id_fields = ("position_code", "from_day")
        fields = ("position_code", "from_day", "until_day", "hours", "reason")

    def lock(self, instances: Sequence[Any]) -> None:
        pks = {row.position_id for row in instances}
        len(Position.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=pks).order_by("pk")
            .values_list("pk"))  # fmt: skip
        super().lock(instances)

    def save(self, rows: Sequence[Row], *, actor: Any, confirmed: bool) -> None:
        save_adjustments(adjustments=[row.instance for row in rows], actor=actor)
