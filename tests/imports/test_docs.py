"""docs/sheets.md says what the declarations say."""

from pathlib import Path

from apps.imports.docs import print_sheets

PAGE = Path(__file__).resolve().parents[2] / "docs" / "sheets.md"


def test_the_page_is_the_declaration() -> None:
    assert PAGE.read_text(encoding="utf-8") == print_sheets(), "./run manage print_sheets > docs/sheets.md"
