"""Webhooks for administrators."""

from . import webhook_delivery, webhook_endpoint

__all__ = ["webhook_delivery", "webhook_endpoint"]
