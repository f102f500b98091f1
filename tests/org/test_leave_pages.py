"""Planning, changing and cancelling leaves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from apps.org.models import Leave
from tests.factories import Clinic, EmployeeFactory, LeaveFactory
from tests.screens.people import TODAY, cost, page, signed_in

SOON = TODAY + timedelta(days=10)


def data(employee: Any, **changed: Any) -> dict[str, Any]:
    return {"employee": employee.pk, "kind": "VACATION", "starts_on": SOON.isoformat(), "ends_on": "", "reason": "",
            **changed}  # fmt: skip


def test_a_leave_is_planned_from_the_page_of_its_employee(clinic: Clinic) -> None:
    client = signed_in(clinic.manager)
    tab = page("org.employee", "leaves", clinic.nurse.pk)
    add = client.get(tab).context["add_url"]
    assert client.get(add).status_code == 200
    response = client.post(add, data(clinic.nurse))
    assert (response.status_code, response["Location"]) == (302, tab)
    assert Leave.objects.get(employee=clinic.nurse).history.get().history_user_id == clinic.manager.pk


def test_two_leaves_at_once_are_refused_in_words(clinic: Clinic) -> None:
    LeaveFactory(employee=clinic.nurse, starts_on=SOON)
    response = signed_in(clinic.manager).post(page("org.leave", "add"), data(clinic.nurse))
    assert response.status_code == 200
    assert "already has a leave" in response.content.decode()
    assert Leave.objects.count() == 1


def test_nobody_out_of_scope_can_be_sent_on_leave(clinic: Clinic) -> None:
    assert signed_in(clinic.manager).post(page("org.leave", "add"), data(clinic.surgeon)).status_code == 200
    assert not Leave.objects.exists()


def test_a_leave_is_changed_but_never_handed_to_another(clinic: Clinic) -> None:
    leave = LeaveFactory(employee=clinic.nurse, starts_on=SOON)
    other = EmployeeFactory(home_unit=clinic.h1)
    url = page("org.leave", "change", leave.pk)
    changed = data(other, ends_on=(SOON + timedelta(days=3)).isoformat())
    assert signed_in(clinic.manager).post(url, changed).status_code == 302
    leave.refresh_from_db()
    assert (leave.employee, leave.ends_on) == (clinic.nurse, SOON + timedelta(days=3))


def test_a_leave_is_cancelled_in_its_dialog(clinic: Clinic) -> None:
    leave = LeaveFactory(employee=clinic.nurse, starts_on=SOON)
    url = page("org.leave", "cancel", leave.pk)
    client = signed_in(clinic.manager)
    assert client.get(url).status_code == 200
    assert Leave.objects.filter(pk=leave.pk).exists()
    assert client.post(url, {"reason": "the plan changed"}).status_code == 302
    assert not Leave.objects.filter(pk=leave.pk).exists()
    gone = Leave.history.filter(id=leave.pk).order_by("-history_id")[0]
    assert (gone.history_type, gone.history_user_id, gone.history_change_reason) == (
        "-", clinic.manager.pk, "the plan changed",
    )  # fmt: skip


def test_who_may_not_cancel_is_refused(clinic: Clinic) -> None:
    leave = LeaveFactory(employee=clinic.nurse, starts_on=SOON)
    foreign = LeaveFactory(employee=clinic.surgeon, starts_on=SOON)
    for user in (clinic.viewer, clinic.supervisor):
        assert signed_in(user).post(page("org.leave", "cancel", leave.pk), {}).status_code == 403
    assert signed_in(clinic.manager).post(page("org.leave", "cancel", foreign.pk), {}).status_code == 404
    assert Leave.objects.count() == 2


def test_the_list_costs_the_same_with_two_rows_and_with_twenty(clinic: Clinic) -> None:
    def fill(number: int) -> None:
        for _number in range(number):
            LeaveFactory(employee=EmployeeFactory(home_unit=clinic.h1), starts_on=SOON)

    client = signed_in(clinic.manager)
    fill(2)
    cost(client, page("org.leave"))
    few = cost(client, page("org.leave"))
    fill(18)
    assert cost(client, page("org.leave")) == few


def test_the_list_tells_running_from_planned(clinic: Clinic) -> None:
    running = LeaveFactory(employee=clinic.nurse, starts_on=TODAY)
    planned = LeaveFactory(employee=clinic.newcomer, starts_on=SOON)
    over = LeaveFactory(employee=clinic.surgeon, starts_on=TODAY - timedelta(days=3), ends_on=TODAY - timedelta(days=1))
    client = signed_in(clinic.admin)
    for value, leave in (("running", running), ("planned", planned), ("over", over)):
        rows = client.get(page("org.leave"), {"when": value}).context["cl"].result_list
        assert [row.pk for row in rows] == [leave.pk]
