"""Good files that were damaged at random come in as they are read, or are refused; nothing crashes, nothing is half."""

from __future__ import annotations

from typing import Any

import pytest

from apps.imports import checking

from .mutations import bases, mutated
from .support import bring, counts
from .whole_way import FULL, SEED, furnish, send, state

MUTATED = 10_000 if FULL else 80
PARTS = 100 if FULL else 2


@pytest.fixture
def house(clinic: Any) -> Any:
    furnish(clinic)
    return clinic


def result_of(number: int, actor: Any, before: Any) -> tuple[Any, list[str]]:
    base, content = mutated(SEED, number)
    return send(
        base.kind, content, language="es" if number % 2 else "en", actor=actor,
        mode="good-rows" if number % 3 == 0 else "all-or-nothing",
        reading={"dates": base.dates, "decimal": base.decimal}, before=before,
    )  # fmt: skip


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_happens_to_a_file_it_is_taken_whole_or_refused_with_a_word(part: int, house: Any) -> None:
    print("seed", SEED)
    found, came_in, refused = {}, 0, 0
    as_it_is = state()
    for number in range(part, MUTATED, PARTS):
        report, wrong = result_of(number, house.admin if number % 5 else None, as_it_is)
        if wrong:
            found[number] = wrong
        elif report is not None and report.ok:
            came_in += 1
        else:
            refused += 1
    assert not found, "\n\n".join(f"{number}:\n  " + "\n  ".join(wrong) for number, wrong in found.items())
    # Both ends are met, or this would prove little.
    assert came_in and refused, (came_in, refused)


def test_the_same_seed_gives_the_same_file() -> None:
    assert mutated(SEED, 7) == mutated(SEED, 7) != mutated(SEED + 1, 7)


def test_the_files_they_are_made_of_come_in(house: Any) -> None:
    for base in bases():
        reading = {"dates": base.dates, "decimal": "point"}
        report = bring(base.kind, base.content, reading=reading, dry_run=True)
        assert counts(report) == (2, 0, 0, 0), (base.kind, report.errors[:2])


def test_the_canary_a_fault_of_ours_is_told(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same look at a file finds a crash, a sentence with internals, and a write nobody tells of."""
    content = bases()[0].content

    def crash(sheet: Any, cells: Any) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr("apps.imports.bringing_in.check", crash)
    assert "crashed" in send("org_units", content)[1][0]

    def told(sheet: Any, cells: Any) -> None:
        checking.check(sheet, cells)
        cells._tell(2, "", "", "odd", "psycopg.errors.DataError: value out of range")
        sheet.execute("UPDATE sheet_rows SET refused = true")

    monkeypatch.setattr("apps.imports.bringing_in.check", told)
    wrong = send("org_units", content)[1]
    assert any("internals" in one for one in wrong) and any("no column" in one for one in wrong)

    def write(sheet: Any, cells: Any) -> None:
        checking.check(sheet, cells)
        sheet.execute("UPDATE sheet_rows SET refused = true")
        sheet.execute("UPDATE org_orgunit SET name = 'Otro' WHERE code = 'H'")

    monkeypatch.setattr("apps.imports.bringing_in.is_written", lambda report, mode: True)
    monkeypatch.setattr("apps.imports.bringing_in.check", write)
    assert any("does not tell" in one for one in send("org_units", content)[1])
