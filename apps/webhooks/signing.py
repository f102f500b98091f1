"""What is posted, and how a receiver knows that it is ours."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

VERSION = "v1"


def body_of(*, event: Any, topic: str, sequence: int, at: datetime, data: Mapping[str, Any]) -> bytes:
    """Return the body of an event: the same bytes whenever it is posted again."""
    content = {"id": str(event), "topic": topic, "sequence": sequence, "at": at.isoformat(), "data": data}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def headers_of(*, topic: str, event: Any, moment: datetime, secrets: Sequence[str], body: bytes) -> dict[str, str]:
    """Return the headers of a post; one signature for each secret that is good now, by commas."""
    timestamp = str(int(moment.timestamp()))
    return {
        "Content-Type": "application/json",
        "User-Agent": "Coveris-Webhooks/1",
        "Coveris-Event": topic,
        "Coveris-Delivery": str(event),
        "Coveris-Timestamp": timestamp,
        "Coveris-Signature": ",".join(f"{VERSION}={signature(secret, timestamp, body)}" for secret in secrets),
    }


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return the HMAC-SHA256 of "timestamp.body" in hex."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
