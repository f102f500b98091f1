""".env.example names every variable that is read, and none that is not."""

import ast
import re

from project.devstack.home import CHECKOUT
from project.devstack.testing import hermetic

READERS = {"text", "flag", "whole", "words", "address", "networks"}
# Read by programs of others (uvicorn, docker compose) or, so far, by nothing; the file says which.
ELSEWHERE = {"FORWARDED_ALLOW_IPS", "REDIS_PASSWORD"}
RESERVED = {"LOCAL", "SENTRY_DSN", "OTEL_EXPORTER_OTLP_ENDPOINT"}


def named() -> dict[str, str]:
    """Return the variables of .env.example with the comment above each."""
    found, comment = {}, ""
    for line in (CHECKOUT / ".env.example").read_text().splitlines():
        if match := re.fullmatch(r"#?([A-Z][A-Z0-9_]+)=.*", line):
            found[match[1]] = comment
        elif line.startswith("# "):
            comment = line
    return found


def read() -> set[str]:
    """Return the variables that settings, commands and launcher ask for by name."""
    found = set()
    for folder in ("project", "apps", "worker"):
        for path in (CHECKOUT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                    function = ast.unparse(node.func)
                    owner, _, reader = function.rpartition(".")
                    if (owner in {"env", ""} and reader in READERS) or function == "values.get":
                        found.add(node.args[0].value)
    return {name for name in found if isinstance(name, str) and re.fullmatch(r"[A-Z][A-Z0-9_]+", name)}


def test_every_variable_that_is_read_is_in_the_example() -> None:
    assert read() - {"PATH"} - set(named()) == set()


def test_the_example_names_nothing_that_nobody_reads() -> None:
    assert set(named()) - read() - ELSEWHERE - RESERVED - {"DJANGO_SETTINGS_MODULE"} == set()


def test_a_reserved_variable_leaves_the_reserve_once_it_is_read() -> None:
    assert RESERVED & read() == set()


def test_every_variable_is_explained_in_one_line() -> None:
    assert {name for name, comment in named().items() if len(comment) < 12} == set()


def test_a_test_run_sees_nothing_of_an_installation() -> None:
    told = dict.fromkeys(named(), "x")
    left = set(hermetic(told)) & set(named())
    assert left <= {"DJANGO_SETTINGS_MODULE", "FORWARDED_ALLOW_IPS", "REDIS_PASSWORD", "CSRF_TRUSTED_ORIGINS"}
    assert hermetic(told)["DJANGO_SETTINGS_MODULE"] == "project.settings.test"
