"""What the end of an employment does to assignments."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.dispatch import receiver
from django.utils.translation import gettext as _

from apps.fsm.services import Order, apply_transitions
from apps.fsm.signals import transition_done
from apps.org.models import Employee

from .models import Assignment

if TYPE_CHECKING:
    from apps.fsm.services import Deed

ENDINGS = ("terminate", "complete_notice", "withdraw")


@receiver(transition_done, sender=Employee, dispatch_uid="assignments.end_with_the_employment")
def end_with_the_employment(sender: type[Employee], deed: Deed, **kwargs: Any) -> None:
    """Close what was under way on the last day, void what had not begun, reject proposals; all in the same deed.

    A withdrawn employee never worked here: the day before today stands for the last day.
    """
    if deed.move.name not in ENDINGS:
        return
    last_days = {employee.pk: employee.last_day or deed.today - timedelta(days=1) for employee in deed.subjects}
    live = Assignment.objects.filter(employee__in=last_days).exclude(status="CLOSED")
    close, void, reject = [], [], []
    for pk, employee, status, starts_on, ends_on in live.values_list(
        "pk", "employee_id", "status", "starts_on", "ends_on"
    ):
        last = last_days[employee]
        why = deed.orders[employee].reason or str(_("end of the employment"))
        if status == "PROPOSED":
            reject.append(Order(pk, why))
        elif starts_on > last:
            void.append(Order(pk, why))
        else:
            close.append(Order(pk, why, {"ends_on": min(ends_on or last, last)}))
    for name, orders in (("close", close), ("void", void), ("reject", reject)):
        apply_transitions(
            Assignment,
            name,
            orders,
            actor=deed.actor,
            metadata={"because": deed.move.name},
            consequence=True,
        )
