"""Every operation of the description, so that a new one is tested without being named anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator

SAFE = {"get"}
# What nobody has to be signed in for.
OPEN = {"auth_login", "auth_logout", "auth_token_refresh"}
# About oneself, whatever the role.
OWN = {"auth_me", "auth_password"}


@dataclass(frozen=True)
class Operation:
    """One method of one address."""

    method: str
    path: str
    name: str
    parameters: tuple[dict[str, Any], ...]

    @property
    def prefix(self) -> str:
        """Return what the records of the address are registered under."""
        return self.path.removeprefix("/api/v1/").split("/{")[0].rstrip("/")


@cache
def operations() -> tuple[Operation, ...]:
    schema = SchemaGenerator(api_version="1").get_schema(request=None, public=True)
    return tuple(
        Operation(method, path, described["operationId"], tuple(described.get("parameters", ())))
        for path, methods in sorted(schema["paths"].items())
        for method, described in methods.items()
        if method in ("get", "post", "patch", "put", "delete")
    )
