"""What tags have to say about a transition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.dispatch import receiver
from django.utils.translation import gettext as _

from apps.common.errors import Reason
from apps.fsm.signals import transition_opening
from apps.org.models import Employee

from .models import EmployeeTag

if TYPE_CHECKING:
    from apps.fsm.services import Deed


@receiver(transition_opening, sender=Employee, dispatch_uid="tags.contract_before_activation")
def contract_before_activation(sender: type[Employee], deed: Deed, **kwargs: Any) -> None:
    """Nobody is activated without a contract valid today."""
    if deed.move.name != "activate":
        return
    held = EmployeeTag.objects.contracts().in_force_on(deed.today).filter(employee__in=deed.subjects)
    with_contract = set(held.values_list("employee_id", flat=True))
    for employee in deed.subjects:
        if employee.pk not in with_contract:
            deed.refuse(
                employee,
                Reason(
                    _("%(who)s has no contract valid today: add one on the employee's page, then activate.")
                    % {"who": employee},
                    code="no_contract",
                    fixable=20,
                ),
            )
