"""Rows somebody else changed after the export: both values are shown, and what is chosen is what is written."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.common.acting import acting
from apps.common.errors import Refusal
from apps.imports import services
from apps.imports.models import ImportJob
from apps.org.models import Employee, Position
from apps.users.groups import sync_groups
from tests.factories import PositionFactory, PositionTagFactory, TagFactory

from .support import take


@pytest.fixture
def house(clinic: Any) -> Any:
    sync_groups()
    for user in (clinic.admin, clinic.manager):
        user.language = "en"
        user.save()
    return clinic


@pytest.fixture
def manager(client: Any, house: Any) -> Any:
    client.force_login(house.manager)
    return client


class File(io.BytesIO):
    def __init__(self, content: bytes, name: str):
        super().__init__(content)
        self.name, self.size = name, len(content)


def returned(kind: str, actor: Any, **edits: dict[str, str]) -> bytes:
    """Return the export of a kind with cells edited: key → column → value."""
    rows = list(csv.DictReader(io.StringIO(take(kind, actor=actor).decode("utf-8-sig"))))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, rows[0])
    writer.writeheader()
    key = next(iter(rows[0]))
    writer.writerows(row | edits.get(row[key], {}) for row in rows)
    return out.getvalue().encode()


def uploaded(kind: str, content: bytes, actor: Any, mode: str = "all-or-nothing") -> ImportJob:
    job = services.upload(file=File(content, f"{kind}.csv"), kind=kind, actor=actor, mode=mode)
    services.preview(job=job, actor=actor)
    job.refresh_from_db()
    return job


def change(actor: Any, code: str = "P1", **values: Any) -> None:
    with acting(actor, origin="web"):
        Position.objects.filter(code=code).update(**values)


def conflict(job: ImportJob, line: int = 2) -> dict[str, Any]:
    return next(error["conflict"] for error in job.errors if error["line"] == line and "conflict" in error)


def cells(job: ImportJob) -> dict[str, dict[str, Any]]:
    return {cell["column"]: cell for cell in conflict(job)["cells"]}


def looked_at_again(job: ImportJob, actor: Any, sides: dict[int, dict[str, str]]) -> ImportJob:
    job = services.choose(job=job, actor=actor, sides=sides)
    services.preview(job=job, actor=actor)
    job.refresh_from_db()
    return job


def take_side(job: ImportJob, actor: Any, **sides: str) -> ImportJob:
    return looked_at_again(job, actor, {2: sides})


def test_both_values_and_what_it_was_are_told(house: Any) -> None:
    mine = returned("positions", house.manager, P1={"title": "De la hoja"})
    change(house.admin, required_weekly_hours=40)
    job = uploaded("positions", mine, house.manager)
    told = cells(job)
    assert told["title"] == {
        "column": "title", "stored": "Enfermería de guardia", "sheet": "De la hoja", "was": "Enfermería de guardia",
    }  # fmt: skip
    assert told["required_weekly_hours"] == {
        "column": "required_weekly_hours", "stored": "40.00", "sheet": "36.00", "was": "36.00",
    }  # fmt: skip
    assert conflict(job)["by"] == str(house.admin.pk)


def test_what_is_chosen_is_written_and_the_rest_stays(house: Any) -> None:
    mine = returned("positions", house.manager, P1={"title": "De la hoja"})
    change(house.admin, required_weekly_hours=40)
    job = uploaded("positions", mine, house.manager)
    job = take_side(job, house.manager, title="sheet", required_weekly_hours="stored")
    assert (job.refused, job.updated, job.errors) == (0, 1, [])
    assert job.options["changes"][0]["cells"] == {"title": ["Enfermería de guardia", "De la hoja"]}
    report = services.confirm(job=job, actor=house.manager)
    assert report.ok and report.updated == 1
    position = Position.objects.get(code="P1")
    assert (position.title, position.required_weekly_hours) == ("De la hoja", Decimal("40"))


def test_the_sheet_may_win_over_what_somebody_wrote(house: Any) -> None:
    mine = returned("positions", house.manager, P1={"title": "De la hoja"})
    change(house.admin, title="De la otra persona")
    job = uploaded("positions", mine, house.manager)
    assert cells(job)["title"]["was"] == "Enfermería de guardia"
    job = take_side(job, house.manager, title="sheet")
    services.confirm(job=job, actor=house.manager)
    assert Position.objects.get(code="P1").title == "De la hoja"


def test_all_as_stored_leaves_the_record_as_it_is(house: Any) -> None:
    mine = returned("positions", house.manager, P1={"title": "De la hoja"})
    change(house.admin, title="De la otra persona")
    job = take_side(uploaded("positions", mine, house.manager), house.manager, title="stored")
    assert (job.updated, job.refused, job.unchanged) == (0, 0, 1)


def test_a_choice_does_not_hold_for_a_record_that_changed_once_more(house: Any) -> None:
    mine = returned("positions", house.manager, P1={"title": "De la hoja"})
    change(house.admin, title="Una vez")
    job = uploaded("positions", mine, house.manager)
    job = services.choose(job=job, actor=house.manager, sides={2: {"title": "sheet"}})
    change(house.admin, title="Otra vez")
    services.preview(job=job, actor=house.manager)
    job.refresh_from_db()
    assert cells(job)["title"]["stored"] == "Otra vez"
    assert job.updated == 0


def test_a_record_that_changes_after_the_choice_was_previewed_is_not_overwritten(house: Any) -> None:
    mine = returned("positions", house.manager, P1={"title": "De la hoja"})
    change(house.admin, title="Una vez")
    job = take_side(uploaded("positions", mine, house.manager), house.manager, title="sheet")
    change(house.admin, title="Otra vez")
    assert not services.confirm(job=job, actor=house.manager).ok
    assert Position.objects.get(code="P1").title == "Otra vez"


def test_a_reference_and_a_list_can_stay_as_stored(house: Any) -> None:
    mine = returned("positions", house.admin, P1={"title": "De la hoja"})
    change(house.admin, org_unit=house.h2)
    PositionTagFactory(position=house.p1, tag=TagFactory())
    job = uploaded("positions", mine, house.admin)
    told = cells(job)
    assert (told["unit_code"]["stored"], told["unit_code"]["sheet"]) == ("H2", "H1")
    assert told["required_tags"]["sheet"] == "" != told["required_tags"]["stored"]
    job = take_side(job, house.admin, unit_code="stored", required_tags="stored", title="sheet")
    assert services.confirm(job=job, actor=house.admin).ok
    position = Position.objects.get(code="P1")
    assert (position.org_unit, position.title, position.tags.count()) == (house.h2, "De la hoja", 1)


def test_a_value_only_a_transition_changes_stays_where_no_transition_is_taken(house: Any) -> None:
    Employee.objects.filter(employee_number="E1").update(last_day=None)
    mine = returned("employees", house.admin, E1={"given_name": "Eva"})
    line = 2 + [row["employee_number"] for row in csv.DictReader(io.StringIO(mine.decode()))].index("E1")
    Employee.objects.filter(employee_number="E1").update(family_name="Cambiada", last_day="2026-12-31")
    job = uploaded("employees", mine, house.admin)
    sides = {cell["column"]: "stored" for cell in conflict(job, line)["cells"]} | {"given_name": "sheet"}
    job = looked_at_again(job, house.admin, {line: sides})
    assert job.errors == []
    services.confirm(job=job, actor=house.admin)
    employee = Employee.objects.get(employee_number="E1")
    assert (employee.given_name, employee.family_name, str(employee.last_day)) == ("Eva", "Cambiada", "2026-12-31")


def test_a_transition_can_be_left_out(house: Any) -> None:
    mine = returned("employees", house.admin, E1={"transition": "suspend", "reason": "baja"})
    line = 2 + [row["employee_number"] for row in csv.DictReader(io.StringIO(mine.decode()))].index("E1")
    Employee.objects.filter(employee_number="E1").update(family_name="Cambiada")
    job = uploaded("employees", mine, house.admin)
    told = {cell["column"]: cell for cell in conflict(job, line)["cells"]}
    assert told["transition"]["sheet"] == "suspend"
    job = looked_at_again(job, house.admin, {line: dict.fromkeys(told, "stored")})
    assert (job.errors, job.updated) == ([], 0)


def test_a_document_number_is_never_told(house: Any) -> None:
    mine = returned("employees", house.admin, E1={"national_id": "30111222"})
    line = 2 + [row["employee_number"] for row in csv.DictReader(io.StringIO(mine.decode()))].index("E1")
    Employee.objects.filter(employee_number="E1").update(national_id="40555666")
    job = uploaded("employees", mine, house.admin)
    assert "30111222" not in str(conflict(job, line)) and "40555666" not in str(conflict(job, line))


def test_what_it_was_is_not_guessed_where_the_history_does_not_tell(house: Any) -> None:
    mine = returned("positions", house.manager, P1={"title": "De la hoja"})
    Position.history.filter(code="P1").model._base_manager.filter(code="P1")._raw_delete("default")
    change(house.admin, required_weekly_hours=40)
    job = uploaded("positions", mine, house.manager)
    assert {cell["was"] for cell in cells(job).values()} == {None}


def test_only_rows_that_wait_can_be_chosen_and_every_cell_must_be(house: Any) -> None:
    mine = returned("positions", house.manager, P1={"title": "De la hoja"})
    change(house.admin, title="Otra")
    job = uploaded("positions", mine, house.manager)
    for sides in ({3: {"title": "sheet"}}, {2: {}}, {2: {"title": "both"}}):
        with pytest.raises(Refusal):
            services.choose(job=job, actor=house.manager, sides=sides)
    with pytest.raises(Refusal):
        services.choose(job=job, actor=house.admin, sides={2: {"title": "sheet"}})


def test_what_one_chose_is_kept_while_others_are_looked_at(house: Any) -> None:
    mine = returned("positions", house.admin, P1={"title": "Uno"}, P2={"title": "Dos"})
    change(house.admin, required_weekly_hours=40)
    change(house.admin, code="P2", required_weekly_hours=41)
    job = uploaded("positions", mine, house.admin)
    lines = [error["line"] for error in job.errors]
    assert len(lines) == 2
    for line in lines:
        job = looked_at_again(job, house.admin, {line: {"title": "sheet", "required_weekly_hours": "stored"}})
    assert (job.errors, job.updated) == ([], 2)


def test_conflicts_cost_the_same_statements_however_many(house: Any) -> None:
    def statements(count: int) -> int:
        made = [PositionFactory(org_unit=house.h1) for _number in range(count)]
        mine = returned("positions", house.admin)
        Position.objects.filter(pk__in=[one.pk for one in made]).update(title="Otra")
        with CaptureQueriesContext(connection) as taken:
            uploaded("positions", mine, house.admin, mode="good-rows")
        return len(taken)

    assert statements(40) == statements(2)


# The page


def address(name: str, job: ImportJob) -> str:
    return reverse(f"admin:imports_importjob_{name}", args=[job.pk])


def test_the_page_shows_the_choice_and_takes_it(manager: Any, house: Any) -> None:
    mine = returned("positions", house.manager, P1={"title": "De la hoja"})
    change(house.admin, required_weekly_hours=40)
    job = uploaded("positions", mine, house.manager)
    page = manager.get(address("change", job)).content.decode()
    assert 'id="conflicts"' in page and 'id="confirm"' not in page
    assert f"changed by {house.admin}" in page
    assert 'name="side-2-title" value="sheet" checked' in page
    assert 'name="side-2-required_weekly_hours" value="stored" checked' in page
    manager.post(address("choose", job), {"side-2-title": "sheet", "side-2-required_weekly_hours": "stored"})
    page = manager.get(address("change", job)).content.decode()
    assert 'id="conflicts"' not in page and 'id="confirm"' in page


def test_a_cell_left_open_is_said(manager: Any, house: Any) -> None:
    mine = returned("positions", house.manager, P1={"title": "De la hoja"})
    change(house.admin, title="Otra")
    job = uploaded("positions", mine, house.manager)
    answer = manager.post(address("choose", job), {}, follow=True)
    assert "choose one of the two values" in answer.content.decode()


def test_one_button_decides_all(client: Any, house: Any) -> None:
    client.force_login(house.admin)
    mine = returned("positions", house.admin, P1={"title": "Uno"}, P2={"title": "Dos"})
    change(house.admin, title="Otra")
    change(house.admin, code="P2", title="Otra más")
    job = uploaded("positions", mine, house.admin)
    client.post(address("choose", job), {"all": "sheet"})
    job.refresh_from_db()
    assert (job.updated, job.errors) == (2, [])
