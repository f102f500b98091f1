"""What a container asks itself: `python -m project.healthcheck web PORT` or `… worker`; exit 0 when all is well."""

import http.client
import os
import sys


def web(port: int, allowed_hosts: str = "") -> str | None:
    """Return what is wrong with the web on a port of the loopback, or nothing."""
    host = allowed_hosts.split(",")[0].strip().lstrip(".")
    if host in {"", "*"}:
        host = "localhost"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        # As the proxy in front would ask, or production answers with a redirect to HTTPS.
        connection.request("GET", "/api/health/", headers={"Host": host, "X-Forwarded-Proto": "https"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"the web does not answer: {error}"
    finally:
        connection.close()
    return None if status == 200 else f"the web answers {status}"


def worker() -> str | None:
    """Return which of the servers a worker needs does not answer, or nothing."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings.production")
    import django
    import redis
    from django.conf import settings
    from django.db import DatabaseError, connection

    django.setup()
    try:
        connection.ensure_connection()
    except DatabaseError as error:
        return f"the database does not answer: {error}"
    try:
        redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=5).ping()
    except redis.RedisError as error:
        return f"the broker does not answer: {error}"
    return None


def main(arguments: list[str]) -> int:
    match arguments:
        case ["web", port] if port.isdigit():
            trouble = web(int(port), os.environ.get("ALLOWED_HOSTS", ""))
        case ["worker"]:
            trouble = worker()
        case _:
            print("usage: python -m project.healthcheck web PORT | worker", file=sys.stderr)
            return 2
    if trouble:
        print(trouble, file=sys.stderr)
    return 1 if trouble else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
