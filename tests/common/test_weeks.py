"""ISO weeks as people write them."""

from __future__ import annotations

from datetime import date

import pytest

from apps.common.weeks import parse_week, week_code


@pytest.mark.parametrize("code", ["2026-W50", "2026-W53", "0001-W01", "9999-W51"])
def test_a_week_comes_back_as_it_was_written(code: str) -> None:
    assert week_code(parse_week(code)) == code


def test_a_week_is_known_by_its_monday() -> None:
    assert parse_week("2026-W53") == date(2026, 12, 28)


@pytest.mark.parametrize("code", ["", "2026", "2026-W00", "2025-W53", "0000-W01", "9999-W52", "2026-W5", "2026-w50"])
def test_what_is_no_whole_week_is_refused_in_words(code: str) -> None:
    with pytest.raises(ValueError, match="2026-W48"):
        parse_week(code)
