"""Refused rows go back as a workbook to mend; empty sheets to start from."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.urls import reverse
from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from apps.common.cells import Text
from apps.common.resources import REFUSED_BECAUSE, REFUSED_BECAUSE_SPANISH, resources
from apps.imports.blank import template_xlsx
from apps.imports.cleaning import PLAIN
from apps.imports.models import ImportJob
from apps.imports.services import drop_stale, resource_of
from apps.org.models import Position

from .support import bring, counts, sheet, workbook

HEADER = "code,title,unit_code,required_weekly_hours"


def rows_of(content: bytes) -> list[tuple[Any, ...]]:
    return list(load_workbook(io.BytesIO(content)).active.iter_rows(values_only=True))


def test_exactly_the_refused_rows_come_back_with_why(clinic: Any) -> None:
    content = sheet(HEADER, "P7,Sala A,H1,36", "P8,Sala B,NOWHERE,36", "P9,Sala C,H1,many", "P6,Sala D,H1,24")
    report = bring("positions", content, mode="good-rows")
    assert counts(report) == (2, 0, 0, 2)
    job = ImportJob.objects.get(pk=report.job)
    header, *rows = rows_of(bytes(job.refused_rows))
    assert header == (*HEADER.split(","), REFUSED_BECAUSE)
    assert [row[:4] for row in rows] == [("P8", "Sala B", "NOWHERE", "36"), ("P9", "Sala C", "H1", "many")]
    assert "NOWHERE" in rows[0][4] and "plain number" in rows[1][4]


def test_what_came_back_is_mended_and_brought_in_with_its_reasons_left_aside(clinic: Any) -> None:
    refused = bring("positions", sheet(HEADER, "P8,Sala B,NOWHERE,36"), mode="good-rows").refused_rows
    assert refused is not None
    header, row = rows_of(refused)
    mended = workbook(header, ["P8", "Sala B", "H1", *row[3:]])
    assert counts(bring("positions", mended)) == (1, 0, 0, 0)
    spanish = workbook([*header[:4], REFUSED_BECAUSE_SPANISH.upper()], ["P8", "Sala B", "H1", "36", "x"])
    assert counts(bring("positions", spanish)) == (0, 0, 1, 0)


def test_formulas_come_back_as_texts(clinic: Any) -> None:
    refused = bring("positions", sheet(HEADER, ["P8", "=HYPERLINK(1)", "NOWHERE", "36"])).refused_rows
    assert refused is not None
    cell = load_workbook(io.BytesIO(refused)).active["B2"]
    assert (cell.data_type, cell.value) == ("s", "=HYPERLINK(1)")


def test_only_whoever_brought_the_file_gets_its_rows_back(clinic: Any, as_user: Any) -> None:
    report = bring("positions", sheet(HEADER, "P8,Sala B,NOWHERE,36"), actor=clinic.manager)
    address = reverse("admin:imports_importjob_refused", args=[report.job])
    answer = as_user(clinic.manager).get(address)
    assert answer.status_code == 200 and answer["Content-Disposition"].endswith('.xlsx"')
    assert as_user(clinic.admin).get(address).status_code == 404
    assert as_user(clinic.manager).post(address).status_code == 405


def test_refused_rows_are_kept_for_a_week(clinic: Any) -> None:
    report = bring("positions", sheet(HEADER, "P8,Sala B,NOWHERE,36"))
    drop_stale(actor=None)
    assert ImportJob.objects.get(pk=report.job).refused_rows is not None
    job = ImportJob.objects.get(pk=report.job)
    ImportJob.objects.filter(pk=report.job).update(decided_at=job.decided_at.replace(year=2020))
    drop_stale(actor=None)
    assert ImportJob.objects.get(pk=report.job).refused_rows is None


@pytest.mark.parametrize("kind", sorted(resources()))
@pytest.mark.parametrize("language", ["en", "es"])
def test_an_empty_sheet_names_every_column_in_the_readers_language(kind: str, language: str, clinic: Any) -> None:
    resource = resource_of(kind)
    with override(language):
        page = load_workbook(io.BytesIO(template_xlsx(resource, user=clinic.manager))).active
    columns = list(resource.columns().values())
    assert [cell.value for cell in page[1]] == [
        column.spanish if language == "es" else column.name for column in columns
    ]
    assert all(cell.comment is not None for cell in page[1])
    chosen = {str(rule.sqref).split("2:")[0] for rule in page.data_validations.dataValidation}
    assert len(chosen) == len(page.data_validations.dataValidation)


def test_an_example_row_can_be_read_back(clinic: Any) -> None:
    content = template_xlsx(resource_of("positions"), user=clinic.manager)
    report = bring("positions", content, actor=clinic.manager, dry_run=True)
    assert counts(report) == (1, 0, 0, 0), report.errors


def test_an_empty_sheet_is_for_whoever_may_bring_it_in(clinic: Any, as_user: Any) -> None:
    address = reverse("admin:imports_importjob_template", args=["org_units"])
    assert as_user(clinic.admin).get(address).status_code == 200
    assert as_user(clinic.manager).get(address).status_code == 404
    assert not Position.objects.filter(code__startswith="EX").exists()


@given(st.text(max_size=40))
def test_a_text_taken_as_it_stands_is_what_a_careful_look_gives(text: str) -> None:
    if PLAIN.fullmatch(text):
        assert Text().clean(text) == text
