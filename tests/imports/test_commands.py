"""The commands: exit codes, JSON alone on standard output, lines as in the file."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.org.models import OrgUnit, Position

from .support import sheet, workbook


def run(*arguments: Any) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command(*(str(argument) for argument in arguments), stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    except CommandError as error:
        # What the argument parser refuses exits 2 from a shell; called from Python it has Django's 1.
        return 2 if str(error).startswith("Error: ") else error.returncode, str(error)
    return 0, out.getvalue()


def test_import_prints_counts_and_exits_0(clinic: Any, tmp_path: Path) -> None:
    file = tmp_path / "p.csv"
    file.write_bytes(sheet("code,title", "P1,Nuevo", "P2,Instrumentación"))
    code, out = run("import_sheet", "positions", file, "--json")
    answer = json.loads(out)
    assert code == 0
    assert {"job", "dry_run", "created", "updated", "unchanged", "refused", "errors", "impact"} <= set(answer)
    assert (answer["created"], answer["updated"], answer["unchanged"], answer["refused"]) == (0, 1, 1, 0)
    assert isinstance(answer["job"], int) and answer["dry_run"] is False


def test_refused_rows_exit_1_with_line_column_value_and_reason(clinic: Any, tmp_path: Path) -> None:
    file = tmp_path / "p.csv"
    file.write_bytes(sheet("code,title", ["P1", "two\r\nlines"], ["P9", "new"]))
    code, out = run("import_sheet", "positions", file, "--json")
    answer = json.loads(out)
    assert code == 1
    assert {error["line"] for error in answer["errors"]} == {4}
    assert set(answer["errors"][0]) == {"line", "column", "value", "code", "message"}
    code, out = run("import_sheet", "positions", file)
    assert code == 1 and "line 4, unit_code" in out


def test_good_rows_and_dry_run(clinic: Any, tmp_path: Path) -> None:
    file = tmp_path / "p.xlsx"
    file.write_bytes(workbook(["code", "title"], ["P1", "Nuevo"], ["P2", None]))
    code, out = run("import_sheet", "positions", file, "--mode", "good-rows", "--dry-run", "--json")
    answer = json.loads(out)
    assert (code, answer["updated"], answer["refused"], answer["job"], answer["dry_run"]) == (1, 1, 1, None, True)
    assert Position.objects.get(code="P1").title != "Nuevo"
    assert run("import_sheet", "positions", file, "--mode", "good-rows")[0] == 1
    assert Position.objects.get(code="P1").title == "Nuevo"


@pytest.mark.parametrize(
    "arguments",
    [("nonsense", "x.csv"), ("positions", "/no/such/file.csv"), ("positions", "x.csv", "--mode", "some"),
     ("positions", __file__, "--as", "nobody@example.org")],
)  # fmt: skip
def test_bad_usage_exits_2(arguments: tuple[str, ...], clinic: Any) -> None:
    assert run("import_sheet", *arguments)[0] == 2


def test_as_somebody_means_within_their_rights(clinic: Any, tmp_path: Path) -> None:
    file = tmp_path / "p.csv"
    file.write_bytes(sheet("code,title", "P2,Ajeno"))
    assert run("import_sheet", "positions", file, "--as", "MANAGER@example.org")[0] == 1
    assert run("import_sheet", "positions", file, "--as", "viewer@example.org")[0] == 1
    assert run("import_sheet", "positions", file, "--as", "admin@example.org")[0] == 0


def test_export_writes_what_somebody_may_see(clinic: Any, tmp_path: Path) -> None:
    for name in ("p.csv", "p.xlsx"):
        assert run("export_sheet", "positions", tmp_path / name)[0] == 0
        assert run("import_sheet", "positions", tmp_path / name)[0] == 0
    assert run("export_sheet", "positions", tmp_path / "own.csv", "--as", "viewer@example.org")[0] == 0
    text = (tmp_path / "own.csv").read_text(encoding="utf-8")
    assert "P1" in text and "P2" not in text
    assert run("export_sheet", "positions", tmp_path / "p.ods")[0] == 2
    assert run("export_sheet", "positions", tmp_path / "no" / "p.csv")[0] == 2


def test_a_folder_comes_in_by_number_and_stops_at_the_first_refused(clinic: Any, tmp_path: Path) -> None:
    (tmp_path / "README.txt").write_text("not a sheet")
    (tmp_path / "10_positions.csv").write_bytes(sheet("code,unit_code,title,required_weekly_hours", "P9,N1,x,36"))
    (tmp_path / "2_org_units.csv").write_bytes(sheet("code,name", "N1,Nueva"))
    (tmp_path / "11_positions_titles.csv").write_bytes(sheet("code,title", "P9,"))
    (tmp_path / "12_tags.csv").write_bytes(sheet("code,name,type", "T,T,CONTRACT"))
    code, out = run("import_folder", tmp_path, "--json")
    answer = json.loads(out)
    assert code == 1
    assert [entry["file"] for entry in answer["sheets"]] == [
        "2_org_units.csv", "10_positions.csv", "11_positions_titles.csv",
    ]  # fmt: skip
    assert answer["stopped_at"] == "11_positions_titles.csv"
    assert OrgUnit.objects.filter(code="N1").exists() and Position.objects.filter(code="P9").exists()
    (tmp_path / "13_people.csv").write_bytes(b"x")
    assert run("import_folder", tmp_path)[0] == 2
    assert run("import_folder", tmp_path / "none")[0] == 2


def test_a_scale_needs_a_size_and_takes_a_day(tmp_path: Path) -> None:
    assert run("generate_scale", "--out", tmp_path)[0] == 2
    assert run("generate_scale", "--size", "s", "--out", tmp_path, "--today", "31/12/2026")[0] == 2
    code, out = run("generate_scale", "--size", "s", "--out", tmp_path, "--today", "2027-05-05", "--json")
    assert code == 0 and json.loads(out)["sheets"][0] == "01_org_units.csv"
