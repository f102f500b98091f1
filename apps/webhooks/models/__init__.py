"""Who is told, what waits to be told, and how the receivers fare."""

from .listened import ListenedAssignmentLog, ListenedCoverage, ListenedEmployeeLog, ListenedViolation
from .webhook_delivery import WebhookDelivery
from .webhook_endpoint import WebhookEndpoint
from .webhook_health import WebhookHealth

__all__ = [
    "ListenedAssignmentLog",
    "ListenedCoverage",
    "ListenedEmployeeLog",
    "ListenedViolation",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookHealth",
]
