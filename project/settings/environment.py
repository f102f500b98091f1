"""Read the process environment; a wrong or missing value stops the start with a sentence that names it."""

import os
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured
from dotenv import load_dotenv

BASE_DIR = Path(__file__).resolve().parents[2]
load_dotenv(BASE_DIR / ".env")


def text(name: str, default: str | None = None) -> str:
    """Return a variable; without a default, an empty or missing one refuses to start."""
    value = os.environ.get(name, "").strip()
    if value:
        return value
    if default is None:
        raise ImproperlyConfigured(f"{name} is missing: set it in the environment or in .env (see .env.example).")
    return default


def flag(name: str, default: bool = False) -> bool:
    value = text(name, "1" if default else "0").lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name} must be true or false, not “{value}”.")


def whole(name: str, default: int) -> int:
    value = text(name, str(default))
    try:
        return int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not “{value}”.") from None


def words(name: str, default: str = "") -> list[str]:
    """Return a comma-separated list without blanks."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    """Return a comma-separated list of networks like 10.20.0.0/16."""
    found = []
    for word in words(name):
        try:
            found.append(ip_network(word))
        except ValueError:
            raise ImproperlyConfigured(f"{name} must name networks like 10.20.0.0/16, not “{word}”.") from None
    return found


def address(name: str, default: str) -> str:
    """Return the address of a site (https://host or http://host:port) without a slash at its end."""
    value = text(name, default).rstrip("/")
    parts = urlsplit(value)
    if value and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment):
        raise ImproperlyConfigured(f"{name} must look like https://coveris.example.org, not “{value}”.")
    return value


def mail(name: str, value: str) -> dict[str, Any]:
    """Return where mails go by an address: console:, smtp://, smtp+tls:// or smtps:// (user:password@host:port)."""
    ports = {"smtp": 25, "smtp+tls": 587, "smtps": 465}
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme == "console":
        backend = "django.core.mail.backends.console.EmailBackend"
    elif parts.scheme in ports and parts.hostname:
        backend = "django.core.mail.backends.smtp.EmailBackend"
    else:
        # Without the value: it may hold a password.
        raise ImproperlyConfigured(f"{name} must be console: or look like smtp+tls://user:password@host:587.")
    return {
        "backend": backend,
        "host": parts.hostname or "localhost",
        "port": port or ports.get(parts.scheme, 25),
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "ssl": parts.scheme == "smtps",
        "tls": parts.scheme == "smtp+tls",
    }


def database() -> dict[str, object]:
    """Return the connection of DATABASE_URL or of POSTGRES_DB/USER/PASSWORD/HOST/PORT."""
    url = text("DATABASE_URL", "")
    if not url:
        return {
            "NAME": text("POSTGRES_DB", "coveris"),
            "USER": text("POSTGRES_USER", "coveris"),
            "PASSWORD": text("POSTGRES_PASSWORD", ""),
            "HOST": text("POSTGRES_HOST", "127.0.0.1"),
            "PORT": whole("POSTGRES_PORT", 5432),
        }
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/"):
        raise ImproperlyConfigured("DATABASE_URL must look like postgresql://user:password@host:port/name.")
    return {
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": parts.port or 5432,
    }
