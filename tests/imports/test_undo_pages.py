"""Taking an import back on the screen and by command."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from apps.business_rules.services.sweeps import sweep
from apps.imports.models import ImportJob
from apps.org.models import Employee, Position
from tests.factories import AssignmentFactory, BusinessRuleFactory, Clinic, UserFactory

from .undo_support import brought

pytestmark = pytest.mark.django_db
PEOPLE = "employee_number,given_name,family_name,home_unit_code,hired_on"


def page_of(client: Any, job: int, name: str = "change") -> Any:
    return client.get(reverse(f"admin:imports_importjob_{name}", args=[job]))


def press(client: Any, job: int, reason: str = "wrong month") -> Any:
    return client.post(reverse("admin:imports_importjob_undo", args=[job]), {"reason": reason}, follow=True)


@pytest.fixture
def mine(clinic: Clinic) -> int:
    return brought("employees", PEOPLE, "E9,Ana,Paz,H1,2026-01-05", actor=clinic.manager)


class TestThePage:
    def test_the_button_asks_for_a_reason_and_takes_the_import_back(
        self, as_user: Any, clinic: Clinic, mine: int
    ) -> None:
        client = as_user(clinic.manager)
        assert reverse("admin:imports_importjob_undo", args=[mine]) in page_of(client, mine).content.decode()
        asked = page_of(client, mine, "undo").content.decode()
        assert "Take it back" in asked and "Reason" in asked
        assert Employee.objects.filter(employee_number="E9").exists()
        press(client, mine, reason="")
        assert ImportJob.objects.get(pk=mine).state == "APPLIED"
        answer = press(client, mine).content.decode()
        assert "The import is taken back." in answer
        assert not Employee.objects.filter(employee_number="E9").exists()
        for text in ("Taken back", str(clinic.manager), "wrong month", "deleted 1, restored 0"):
            assert text in answer
        assert 'id="undo"' not in answer

    def test_what_changed_since_is_named_in_the_dialog(self, as_user: Any, clinic: Clinic, mine: int) -> None:
        Employee.objects.filter(employee_number="E9").update(given_name="Eva")
        answer = press(as_user(clinic.manager), mine).content.decode()
        assert "Nothing was taken back: 1 row has changed since" in answer and "E9: changed on" in answer
        assert Employee.objects.filter(employee_number="E9").exists()

    def test_an_administrator_finds_the_button_on_anybodys_import(
        self, as_user: Any, clinic: Clinic, mine: int
    ) -> None:
        client = as_user(clinic.admin)
        assert 'id="undo"' in page_of(client, mine).content.decode()
        press(client, mine)
        assert ImportJob.objects.get(pk=mine).undone_by == clinic.admin

    def test_a_forged_post_of_another_changes_nothing(self, as_user: Any, clinic: Clinic, mine: int) -> None:
        other = UserFactory(role="MANAGER", unit=clinic.h1)
        for user, status in ((other, 404), (clinic.viewer, 403), (clinic.supervisor, 404)):
            assert press(as_user(user), mine).status_code in (status, 403, 404)
        assert ImportJob.objects.get(pk=mine).state == "APPLIED"
        assert Employee.objects.filter(employee_number="E9").exists()

    def test_who_lost_the_right_to_the_kind_finds_no_button(self, as_user: Any, clinic: Clinic, mine: int) -> None:
        clinic.manager.role = "VIEWER"
        clinic.manager.save()
        client = as_user(clinic.manager)
        assert 'id="undo"' not in page_of(client, mine).content.decode()
        assert press(client, mine).status_code == 403
        assert ImportJob.objects.get(pk=mine).state == "APPLIED"

    def test_a_get_changes_nothing(self, as_user: Any, clinic: Clinic, mine: int) -> None:
        page_of(as_user(clinic.manager), mine, "undo")
        assert ImportJob.objects.get(pk=mine).state == "APPLIED"

    def test_the_list_shows_what_was_taken_back(self, as_user: Any, clinic: Clinic, mine: int) -> None:
        client = as_user(clinic.manager)
        press(client, mine)
        assert "Taken back" in client.get(reverse("admin:imports_importjob_changelist")).content.decode()


def test_the_page_says_which_rules_the_undo_broke(as_user: Any, clinic: Clinic) -> None:
    BusinessRuleFactory(code="MAX_WEEKLY_HOURS", subject_kind="employee", threshold=60)
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=50, accepted=True)
    header = "employee_number,position_code,starts_on,effective_hours"
    job = brought("assignments", header, "E1,P1,2026-01-01,20", actor=clinic.manager)
    AssignmentFactory(employee=clinic.nurse, position=clinic.p2, effective_hours=30, accepted=True)
    client = as_user(clinic.manager)
    press(client, job)
    assert 'id="opened"' not in page_of(client, job).content.decode()
    # A violation is first seen when its transaction began, which is this test's.
    ImportJob.objects.filter(pk=job).update(undone_at=timezone.now() - timedelta(hours=1))
    sweep(actor=None)
    answer = page_of(client, job).content.decode()
    assert 'id="opened"' in answer and "E1" in answer.split('id="opened"')[1]


class TestLogPages:
    def test_logs_of_rows_that_are_gone_tell_their_codes(self, as_user: Any, clinic: Clinic) -> None:
        header = "employee_number,position_code,starts_on,effective_hours,transition"
        job = brought("assignments", header, "E1,P1,2026-12-14,4,accept")
        client = as_user(clinic.admin)
        press(client, job)
        url = "admin:assignments_assignmenttransitionlog"
        listed = client.get(reverse(f"{url}_changelist"), {"q": "E1/P1"}).content.decode()
        assert listed.count("E1/P1/2026-12-14") >= 2 and "Take back" in listed and "no longer there" in listed
        log = ImportJob.objects.get(pk=job)
        assert log.undone["moved_back"] == 1
        from apps.assignments.models import AssignmentTransitionLog

        for entry in AssignmentTransitionLog.objects.filter(subject_code="E1/P1/2026-12-14"):
            shown = client.get(reverse(f"{url}_change", args=[entry.pk]))
            assert shown.status_code == 200 and "E1/P1/2026-12-14" in shown.content.decode()

    def test_who_sees_a_part_of_the_house_is_not_told_of_what_is_gone(self, as_user: Any, clinic: Clinic) -> None:
        header = "employee_number,position_code,starts_on,effective_hours,transition"
        job = brought("assignments", header, "E2,P2,2026-12-14,4,accept")
        press(as_user(clinic.admin), job)
        url = reverse("admin:assignments_assignmenttransitionlog_changelist")
        assert "E2/P2/2026-12-14" not in as_user(clinic.manager).get(url).content.decode()

    def test_the_log_of_tags_is_read_although_the_employee_is_gone(self, as_user: Any, clinic: Clinic) -> None:
        from tests.factories import TagFactory

        TagFactory(code="Q1", name="Especialista")
        people = brought("employees", PEOPLE, "E9,Ana,Paz,H1,2026-01-05")
        tags = brought("employee_tags", "employee_number,tag_code,valid_from", "E9,Q1,2026-01-05")
        client = as_user(clinic.admin)
        press(client, tags)
        press(client, people)
        answer = client.get(reverse("admin:tags_tagchangelog_changelist"))
        assert answer.status_code == 200
        assert answer.content.decode().count("no longer there") == 2


class TestTheCommand:
    def run(self, *args: Any) -> tuple[int, str]:
        out = io.StringIO()
        try:
            call_command("undo_import", *args, stdout=out, stderr=out)
        except SystemExit as end:
            return int(end.code or 0), out.getvalue()
        return 0, out.getvalue()

    def test_it_takes_back_and_says_what(self, clinic: Clinic, mine: int) -> None:
        code, said = self.run(str(mine), "--json")
        assert (code, json.loads(said)["undone"]) == (
            0, {"deleted": 1, "restored": 0, "created_again": 0, "moved_back": 0},
        )  # fmt: skip
        assert json.loads(said)["refused"] == [] and json.loads(said)["job"] == mine
        assert not Employee.objects.filter(employee_number="E9").exists()

    def test_it_names_what_changed_since_and_exits_with_one(self, clinic: Clinic, mine: int) -> None:
        Employee.objects.filter(employee_number="E9").update(given_name="Eva")
        code, said = self.run(str(mine), "--json")
        [row] = json.loads(said)["refused"]
        assert (code, row["kind"], row["key"]) == (1, "employees", "E9")
        assert json.loads(said)["undone"]["deleted"] == 0
        code, said = self.run(str(mine))
        assert code == 1 and "employees E9: changed on" in said

    def test_a_second_time_it_refuses_as_a_whole(self, clinic: Clinic, mine: int) -> None:
        assert "deleted 1" in self.run(str(mine))[1]
        code, said = self.run(str(mine), "--json")
        assert code == 1 and "already" in json.loads(said)["refused"][0]["message"]

    @pytest.mark.parametrize("args", [["999999"], ["1", "--as", "nobody@example.org"]])
    def test_bad_usage_exits_with_two(self, args: list[str], clinic: Clinic) -> None:
        with pytest.raises(CommandError) as error:
            call_command("undo_import", *args)
        assert error.value.returncode == 2

    def test_it_acts_as_somebody(self, clinic: Clinic) -> None:
        job = brought("positions", "code,title", "P1,Otra", actor=clinic.manager)
        other = UserFactory(role="MANAGER", unit=clinic.h1)
        with pytest.raises(CommandError) as error:
            call_command("undo_import", str(job), "--as", other.email)
        assert error.value.returncode == 2
        assert self.run(str(job), "--as", clinic.manager.email, "--reason", "typo")[0] == 0
        row = Position.history.filter(code="P1").first()
        assert (row.history_user, row.title) == (clinic.manager, "Enfermería de guardia")
        assert "typo" in row.history_change_reason
