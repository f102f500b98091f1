"""What people do with what waits for them, what they are told, and what is foreseen."""

from .alert_refresh import AlertRefresh
from .attention import Attention
from .cliff_alert import CliffAlert
from .digest import Digest
from .subscription import Subscription

__all__ = ["AlertRefresh", "Attention", "CliffAlert", "Digest", "Subscription"]
