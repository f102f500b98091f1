"""What is done with what waits for somebody."""

from .attention import acknowledge, assign, forget_gone, snooze, unassign, wake
from .chosen import Outcome, acknowledge_chosen, assign_chosen, snooze_chosen
from .digests import send_digests, send_due_digests
from .refreshing import refresh_alerts, refresh_if_asked, request_refresh
from .subscriptions import save_subscription

__all__ = [
    "Outcome",
    "acknowledge",
    "acknowledge_chosen",
    "assign",
    "assign_chosen",
    "forget_gone",
    "refresh_alerts",
    "refresh_if_asked",
    "request_refresh",
    "save_subscription",
    "send_digests",
    "send_due_digests",
    "snooze",
    "snooze_chosen",
    "unassign",
    "wake",
]
