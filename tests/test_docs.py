"""Docs that cannot drift: what they print from the code is what the code says, and what they name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

from project.management.commands.print_docs import PARTS, filled, pages_out_of_step

ROOT: Path = settings.BASE_DIR
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"])
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")
# A path of this repository in running text or in code: docs/map.md, apps/fsm/services.py, tests/bench.
NAMED = re.compile(r"`?\b((?:apps|docs|project|tests|worker|fixtures|locale)/[\w./-]*\w)`?")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def test_printed_parts_are_in_step_with_the_code() -> None:
    stale = [name_of(page) for page in pages_out_of_step()]
    assert stale == [], "run ./run manage print_docs"


def test_a_part_out_of_step_is_noticed() -> None:
    text = "<!-- printed: transitions -->\nold\n<!-- end of transitions -->"
    assert filled(text) != text
    assert filled(filled(text)) == filled(text)


def test_every_part_is_printed_somewhere() -> None:
    text = "".join(page.read_text() for page in PAGES)
    assert [part for part in PARTS if f"<!-- printed: {part} -->" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    links = LINK.findall(page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_that_are_named_exist(page: Path) -> None:
    names = {name for name in NAMED.findall(page.read_text()) if "…" not in name and "<" not in name}
    assert [name for name in sorted(names) if not (ROOT / name).exists()] == []
