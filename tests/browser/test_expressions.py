"""Every Alpine expression of every template can be read by the CSP build, of the theme's and of our own.

The theme is upgraded now and then: this says which new expression needs a cure (coveris/js/theme.js).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import unfold
from django.conf import settings
from playwright.sync_api import Page

from tests.browser.conftest import Complaints

THEME = Path(unfold.__file__).parent
OURS = [settings.BASE_DIR / "project" / "templates", *sorted((settings.BASE_DIR / "apps").glob("*/templates"))]
# Contributions of the theme that are not installed, or whose pages are our own.
UNUSED = (
    "contrib/constance",
    "contrib/hijack",
    "contrib/location_field",
    "contrib/guardian",
    "contrib/reversion",
    "contrib/simple_history",
)
ATTRIBUTE = re.compile(r"""(?<=[\s'"}])((?:x-|@|:)[A-Za-z][\w:.-]*)=(["'])""")
NOT_EXPRESSIONS = re.compile(r"^(x-(ref|transition|teleport|cloak|for)|:?id$)")


def expressions() -> Iterator[tuple[str, str]]:
    overridden = {path.relative_to(root) for root in OURS for path in root.rglob("*.html")}
    roots = [*OURS, *sorted(THEME.glob("**/templates"))]
    for root in roots:
        if any(part in str(root) for part in UNUSED):
            continue
        for path in sorted(root.rglob("*.html")):
            if root not in OURS and path.relative_to(root) in overridden:
                continue
            for line, name, value in attributes(path.read_text()):
                if not NOT_EXPRESSIONS.match(name):
                    for variant in variants(value):
                        if variant.strip():
                            yield f"{path.relative_to(root)}:{line} {name}", variant


def attributes(source: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, name and value of each Alpine attribute; template tags inside may hold the same quotes."""
    for match in ATTRIBUTE.finditer(source):
        at, value = match.end(), ""
        while at < len(source) and source[at] != match[2]:
            if source[at : at + 2] in ("{%", "{{"):
                end = source.find("%}" if source[at + 1] == "%" else "}}", at) + 2
                value, at = value + source[at:end], end
            else:
                value, at = value + source[at], at + 1
        yield source.count("\n", 0, match.start()) + 1, match[1], value


def variants(value: str) -> list[str]:
    """Return what a value can come out as: each branch of its conditions, a word for every variable."""
    value = re.sub(r"{%(?!\s*(?:if|el|endif))[^%]*%}", "word", value)
    value = re.sub(r"{{[^}]*}}", "1", value)
    condition = re.search(r"{%\s*if [^%]*%}((?:(?!{%\s*if)[\s\S])*?){%\s*endif\s*%}", value)
    if condition is None:
        return [value]
    branches = re.split(r"{%\s*el(?:if|se)[^%]*%}", condition[1])
    if not re.search(r"{%\s*else", condition[1]):
        branches.append("")
    return [
        result
        for branch in branches
        for result in variants(value[: condition.start()] + branch + value[condition.end() :])
    ]


READ = """(cases) => {
  const element = document.createElement("div");
  document.body.append(element);
  Alpine.initTree(element);
  return cases.filter(([where, text]) => {
    try { Alpine.evaluateRaw ? Alpine.evaluateRaw(element, text) : Alpine.evaluate(element, text); }
    catch (error) { return /CSP Parser Error/.test(error.message); }
    return false;
  }).map(([where, text]) => where + " = " + text);
}"""


def unreadable(page: Page, cases: list[tuple[str, str]]) -> list[str]:
    return list(page.evaluate(READ, [list(case) for case in cases]))


def test_every_expression_can_be_read(visit: Callable[..., Page], complaints: Complaints) -> None:
    cases = list(expressions())
    assert len(cases) > 150
    page = visit("/admin/login/")
    complaints.allow(".")  # evaluated out of their scopes, most of them complain
    assert unreadable(page, cases) == []


def test_canary_a_statement_is_noticed(visit: Callable[..., Page], complaints: Complaints) -> None:
    page = visit("/admin/login/")
    complaints.allow(".")
    cases: list[Any] = [("statement", "if (open) { open = false }"), ("template", "`${open}`"), ("fine", "open")]
    assert [found.partition(" ")[0] for found in unreadable(page, cases)] == ["statement", "template"]
