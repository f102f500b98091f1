"""What somebody might send, or write into a rule, to break a page, learn a secret or have something carried out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

from apps.business_rules.language import bounds
from apps.business_rules.language.bounds import check_condition
from apps.business_rules.language.errors import ConditionError
from apps.business_rules.language.messages import filled
from apps.business_rules.models import EvaluationRun, RuleViolation
from apps.business_rules.services import evaluate_rules, request_sweep, run_waiting_sweeps, sweep
from apps.business_rules.unjudged import unjudged
from apps.changes.drain import drain
from apps.org.models import Employee
from tests.factories import AssignmentFactory, BusinessRuleFactory, Clinic

pytestmark = pytest.mark.django_db
NASTY = "<script>alert(1)</script><img src=x onerror=alert(2)>\u202e %s %(x)s {0.__class__} {{7*7}} \"' & é😀"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;"
CHARACTERS = [
    "\x00",
    "\ud800",
    "\udfff\ud800",
    "\u202e",
    "\ufeff",
    "\x7f",
    "٣",
    "²",
    "𝟗",
    "\n\r\t",
    "'",
    '\\"',
    "%s",
    "{}",
]


@pytest.mark.parametrize("character", CHARACTERS, ids=range(len(CHARACTERS)))
@pytest.mark.parametrize("place", ["value", "argument", "word", "operator"])
def test_rows_written_in_escapes_break_nothing(
    clinic: Clinic, as_user: Callable[..., Client], character: str, place: str
) -> None:
    """JSON brings characters along that no address could: half a pair, a NUL."""
    row: dict[str, Any] = {"word": "name", "operator": "=", "values": ["a"]}
    match place:
        case "value":
            row["values"] = [character]
        case "argument":
            row = {"word": "in_unit", "operator": "is true", "values": [], "argument": character}
        case _:
            row[place] = row[place] + character
    rows = json.dumps([row])
    for user in (clinic.admin, clinic.viewer):
        answer = as_user(user).get(reverse("admin:org_employee_condition"), {"ask": "rows", "rows": rows})
        assert answer.status_code == 200
        assert {"text", "error"} & set(answer.json())


@pytest.mark.parametrize("character", [one for one in CHARACTERS if not one.startswith(("\ud800", "\udfff"))])
@pytest.mark.parametrize("before", ['in_unit("', "in_unit('", 'name = "', 'status = "', "balance < ", "", "has_tag("])
def test_completion_and_check_answer_whatever_is_typed(
    clinic: Clinic, as_user: Callable[..., Client], before: str, character: str
) -> None:
    client, text = as_user(clinic.admin), before + character
    for ask in ("complete", "check"):
        for more in ("", '"', '")'):
            query = {"ask": ask, "text": text + more, "cursor": str(len(text))}
            assert client.get(reverse("admin:org_employee_condition"), query).status_code == 200
    page = client.get(reverse("admin:org_employee_changelist"), {"where": text + '")'})
    assert page.status_code == 200


@pytest.mark.parametrize("digits", ["٣", "²", "𝟗", "1_000", "1e9", "0x10", "+3", "--3", "3."])
def test_only_plain_digits_are_numbers(digits: str) -> None:
    with pytest.raises(ConditionError):
        check_condition("employee", f"balance < {digits}")


@pytest.mark.parametrize(
    "message",
    [
        "{0.__class__}", "{who!r}", "{who.__class__}", "{who:>1000000000}", "{}", "{0}", "{self}", "{who",
        "}", "{{who}",
        "{balance!s}", "{balance:,}", "{balance[0]}", "{national_id}", "{settings.SECRET_KEY}", "{%% now %%}",
        "{who}}}{", "{a{who}}", "{\x00}", "{\ud800}", "{has_tag(\"NONE\")!r}",
    ],
)  # fmt: skip
def test_a_message_is_no_format_string(message: str) -> None:
    with pytest.raises(ConditionError):
        check_condition("employee", "balance < 0", message=message)


def test_even_one_that_came_in_otherwise_calls_nothing() -> None:
    said = "%s %(x)s {{0.__class__}} {who!r} {0.__class__} {who}"
    assert filled(said, lambda name: f"[{name}]") == "%s %(x)s {0.__class__} [who!r] [0.__class__] [who]"


@pytest.fixture
def nasty(clinic: Clinic) -> Clinic:
    """A rule, a person and a unit that are called what somebody hopes a page carries out."""
    Employee.objects.filter(pk=clinic.nurse.pk).update(given_name=NASTY[:80], family_name=NASTY[:80])
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=40, accepted=True)
    drain()
    BusinessRuleFactory(
        code='OWN/../"><b>%s{x}?#&', name=NASTY, description=NASTY, subject_kind="employee", severity="WARNING",
        condition=f'balance < threshold and name != "{NASTY.replace(chr(34), "")}"', threshold=0,
        message=NASTY.replace("{0.__class__}", "{{0.__class__}}") + " {who}", measure="balance",
    )  # fmt: skip
    run = sweep(actor=None)
    assert (run.failure, run.opened) == ("", 1)
    return clinic


def test_names_messages_and_codes_are_text_wherever_they_stand(nasty: Clinic, as_user: Callable[..., Client]) -> None:
    client, run, row = as_user(nasty.admin), EvaluationRun.objects.latest("pk"), RuleViolation.objects.get()
    assert unjudged([row.rule]) == {}
    pages = [
        reverse("admin:business_rules_businessrule_changelist"),
        reverse("admin:business_rules_businessrule_change", args=(row.rule.pk,)),
        reverse("admin:business_rules_ruleviolation_changelist"),
        reverse("admin:business_rules_ruleviolation_change", args=(row.pk,)),
        reverse("admin:business_rules_evaluationrun_change", args=(run.pk,)),
        reverse("admin:org_employee_change", args=(nasty.nurse.pk,)),
    ]
    shown = 0
    for language in ("en", "es"):
        client.cookies["django_language"] = language
        for address in pages:
            html = client.get(address).content.decode()
            # What the page brings along itself is in files: no script stands in it.
            assert "<script>alert" not in html and "<img src=x" not in html and "<b>%s" not in html, address
            shown += ESCAPED in html
    assert shown >= 8


def test_a_refusal_and_its_json_hold_the_text_as_it_is(nasty: Clinic) -> None:
    [finding] = [one for one in evaluate_rules() if one.rule.startswith("OWN/")]
    with translation.override("es"):
        said = json.loads(json.dumps(finding.as_json()))
    assert "{0.__class__}" in said["message"] and "%s %(x)s" in said["message"] and "<class" not in said["message"]


def test_a_rule_of_an_odd_code_is_asked_for_and_failing_it_is_found(nasty: Clinic) -> None:
    rule = RuleViolation.objects.get().rule
    run = request_sweep(actor=nasty.admin, rules=[rule.code])
    assert run.pk in {done.pk for done in run_waiting_sweeps()}
    run.refresh_from_db()
    assert list(run.results) == [rule.code]
    run.results[rule.code] = {"failed": "OperationalError"}
    run.save()
    assert unjudged([rule]) == {rule.code: "OperationalError"}


@pytest.fixture
def numbered(clinic: Clinic) -> Clinic:
    Employee.objects.filter(pk=clinic.nurse.pk).update(national_id="20-777")
    return clinic


@pytest.mark.parametrize(
    "query",
    [
        {"q": "20-777"}, {"national_id": "20-777"}, {"national_id__startswith": "20"}, {"o": "national_id"},
        {"where": 'national_id = "20-777"'}, {"where": 'NATIONAL_ID starts with "20"'},
        {"where": "name = national_id"}, {"where": 'name = "a" or national_id is empty'},
        {"where": 'employee.national_id = "20-777"'},
    ],
)  # fmt: skip
def test_nothing_in_a_list_tells_a_national_id_from_another(
    numbered: Clinic, as_user: Callable[..., Client], query: dict[str, str]
) -> None:
    """The page is the same whether the number is right or wrong."""

    def seen(of: dict[str, str]) -> tuple[int, list[str]]:
        page = as_user(numbered.viewer).get(reverse("admin:org_employee_changelist"), of)
        rows = [] if page.context is None or "cl" not in page.context else page.context["cl"].result_list
        assert "20-777" not in re.sub(r"<(input|textarea|a)\b[^>]*>[^<]*|value=\"[^\"]*\"", "", page.content.decode())
        return page.status_code, [row.employee_number for row in rows]

    wrong = {name: value.replace("20", "99").replace("777", "111") for name, value in query.items()}
    assert seen(query) == seen(wrong)


def test_who_may_read_it_does_find_it(numbered: Clinic, as_user: Callable[..., Client]) -> None:
    page = as_user(numbered.manager).get(reverse("admin:org_employee_changelist"), {"where": 'national_id = "20-777"'})
    assert [row.employee_number for row in page.context["cl"].result_list] == ["E1"]


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("org_employee", "balance < 99"), ("org_position", "people < 9"), ("org_orgunit", "depth < 99"),
        ("assignments_assignment", "employee.balance < 99"),
    ],
)  # fmt: skip
def test_a_search_that_takes_too_long_says_so(
    clinic: Clinic,
    as_user: Callable[..., Client],
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    where: str,
) -> None:
    from apps.business_rules.language import search

    def sleeping(*args: Any) -> Any:
        return "SELECT n FROM generate_series(1, 9) AS n WHERE pg_sleep(2) IS NOT NULL", {}

    # Without a row to be compared with, PostgreSQL may end a join before it asks the other side.
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1)
    client, address = as_user(clinic.admin), reverse(f"admin:{name}_changelist")
    # A first look: what a page prepares is prepared.
    assert client.get(address, {"where": where}).status_code == 200
    settings.COVERIS_SEARCH_SECONDS = 1
    monkeypatch.setattr(search, "matching", sleeping)
    page = client.get(address, {"where": where})
    html = page.content.decode()
    assert page.status_code == 200
    assert "could be found in time" in html
    assert where.replace("<", "&lt;") in html
    # The canary: nothing but the limit ends it.
    settings.COVERIS_SEARCH_SECONDS = 60
    monkeypatch.setattr(search, "matching", lambda *args: ("SELECT n FROM generate_series(1, 9) AS n", {}))
    assert "could be found in time" not in client.get(address, {"where": where}).content.decode()
    assert bounds.settings.COVERIS_SEARCH_SECONDS == 60
