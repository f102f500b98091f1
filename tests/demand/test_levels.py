"""The tree level by level shows what the whole board says, in the order and with the filters asked for."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from apps.changes.drain import drain
from apps.changes.turning import close_weeks
from apps.common.clock import monday_of, today
from apps.common.weeks import horizon
from apps.demand.board import NoFigures, board
from apps.demand.coverage import UNIT_FIGURES
from apps.demand.levels import NET_ZERO, UNQUALIFIED, Order, PositionAt, Question, UnitAt, levels
from apps.demand.overview import Figures
from apps.org.models import OrgUnit
from apps.org.services.units import save_units
from tests import factories

pytestmark = pytest.mark.django_db
WEEK = date(2026, 12, 7)


def figures_of(line: Any) -> Figures:
    return Figures(**{name: getattr(line, name) for name in UNIT_FIGURES})


def codes(answer: Any) -> list[str]:
    return [place.line.code for place in answer.places]


def all_units() -> frozenset[int]:
    return frozenset(OrgUnit.objects.values_list("pk", flat=True))


@pytest.mark.parametrize("ahead", [0, 1, 12])
def test_every_line_is_that_of_the_board(house: Any, ahead: int) -> None:
    week = WEEK + timedelta(weeks=ahead)
    whole = board(week=week)
    answer = levels(Question(weeks=[week], opened=all_units()))
    units = {p.line.code: p.line.figures for p in answer.places if isinstance(p.line, UnitAt)}
    assert units == {line.code: figures_of(line) for line in whole.units}
    positions = {p.line.code: p.line.figures for p in answer.places if isinstance(p.line, PositionAt)}
    expected = {line.code: line for line in whole.positions}
    assert set(positions) == set(expected)
    for code, figures in positions.items():
        assert (figures.required, figures.assigned) == (expected[code].required, expected[code].assigned)


def test_many_weeks_are_those_weeks_one_by_one(house: Any) -> None:
    answer = levels(Question(weeks=horizon(), opened=all_units()))
    for number, week in enumerate(horizon()):
        one = {p.line.code: p.line.figures for p in levels(Question(weeks=[week], opened=all_units())).places}
        for place in answer.places:
            seen = place.line.weeks[number]
            same = one[place.line.code]
            assert (seen.coverage_percent, seen.raw_percent, seen.deficit, seen.tone, seen.net_zero) == (
                same.coverage_percent, same.raw_percent, same.deficit, same.tone, same.net_zero,
            )  # fmt: skip


@pytest.mark.parametrize("opened", [(), ("H",), ("H", "H1"), ("H1", "H1A"), ("H", "H2")])
def test_what_is_open_does_not_change_the_sums(house: Any, opened: tuple[str, ...]) -> None:
    ids = frozenset(OrgUnit.objects.filter(code__in=opened).values_list("pk", flat=True))
    answer = levels(Question(weeks=[WEEK], opened=ids))
    whole = {line.code: figures_of(line) for line in board(week=WEEK).units}
    for place in answer.places:
        if isinstance(place.line, UnitAt):
            assert place.line.figures == whole[place.line.code]


def test_a_unit_at_the_top_alone_opens_by_itself_and_what_is_below_a_closed_one_stays_away(house: Any) -> None:
    assert codes(levels(Question(weeks=[WEEK]))) == ["H", "H1", "H2"]
    assert codes(levels(Question(weeks=[WEEK], opened=frozenset()))) == ["H"]
    assert codes(levels(Question(weeks=[WEEK], opened=frozenset({house.h1.pk})))) == ["H"]
    opened = frozenset({house.root.pk, house.h1.pk, house.ward.pk})
    assert codes(levels(Question(weeks=[WEEK], opened=opened))) == ["H", "H1", "H1A", "P4", "P1", "H2"]


def test_several_roots_stay_closed_and_are_paged_themselves(house: Any) -> None:
    for number in range(3):
        factories.OrgUnitFactory(code=f"Z{number}")
    drain()
    answer = levels(Question(weeks=[WEEK], per_level=3))
    assert (codes(answer), answer.pages) == (["H", "Z0", "Z1"], 2)
    assert codes(levels(Question(weeks=[WEEK], per_level=3, page=2))) == ["Z2"]


def test_the_content_of_a_unit_alone_at_the_top_is_paged_and_of_others_counted(house: Any) -> None:
    for number in range(3):
        factories.PositionFactory(code=f"Q{number}", org_unit=house.h2)
    drain()
    alone = Question(weeks=[WEEK], root=house.h2.pk, per_level=2)
    answer = levels(alone)
    assert (codes(answer), answer.pages) == (["H2", "P2", "P3"], 3)
    assert codes(levels(Question(weeks=[WEEK], root=house.h2.pk, per_level=2, page=3))) == ["H2", "Q2"]
    inside = levels(Question(weeks=[WEEK], opened=frozenset({house.root.pk, house.h2.pk}), per_level=2))
    assert codes(inside) == ["H", "H1", "H2", "P2", "P3"]
    assert (inside.longer, inside.pages) == ({house.h2.pk: 3}, 1)


def test_the_worst_come_first_on_demand(house: Any) -> None:
    opened = frozenset({house.root.pk, house.h2.pk})
    worst = levels(Question(weeks=[WEEK], opened=opened, order=Order.WORST))
    assert codes(worst) == ["H", "H2", "P2", "P3", "H1"]
    weeks = levels(Question(weeks=horizon(), opened=opened, order=Order.WORST))
    assert codes(weeks) == ["H", "H2", "P2", "P3", "H1"]


def test_a_tag_narrows_every_figure_to_the_positions_that_require_it(house: Any) -> None:
    answer = levels(Question(weeks=[WEEK], opened=all_units(), tag=house.tag.pk))
    assert codes(answer) == ["H", "H2", "P3"]
    assert {place.line.figures.required for place in answer.places} == {20 * 700}
    assert answer.places[0].line.figures.covered == 1
    assert answer.places[0].line.figures.unqualified == 20 * 700
    many = levels(Question(weeks=horizon(), opened=all_units(), tag=house.tag.pk))
    assert codes(many) == ["H", "H2", "P3"]


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ("VACANT", ["H", "H2", "P2"]),
        ("PARTIAL", ["H", "H1", "P1"]),
        ("COVERED", ["H", "H2", "P3"]),
        ("OVER_COVERED", ["H", "H1", "H1A", "P4"]),
        ("NO_DEMAND", []),
        (UNQUALIFIED, ["H", "H2", "P3"]),
        (NET_ZERO, ["H1"]),
    ],
)
def test_a_state_keeps_its_positions_and_the_units_that_lead_to_them(house: Any, state: str, shown: list[str]) -> None:
    assert codes(levels(Question(weeks=[WEEK], opened=all_units(), state=state))) == shown
    assert codes(levels(Question(weeks=horizon(), opened=all_units(), state=state))) == shown


def test_a_kind_gives_a_flat_list(house: Any) -> None:
    assert codes(levels(Question(weeks=[WEEK], opened=all_units(), kind="SERVICE"))) == ["H1", "H2"]
    assert codes(levels(Question(weeks=[WEEK], kind="SERVICE", order=Order.WORST))) == ["H2", "H1"]
    paged = levels(Question(weeks=[WEEK], kind="SERVICE", per_level=1, page=2))
    assert (codes(paged), paged.pages) == (["H2"], 2)


def test_positions_that_need_and_have_nothing_are_left_out_until_asked_for(house: Any) -> None:
    factories.PositionFactory(code="P9", org_unit=house.h2, opens_on=date(2027, 2, 1))
    drain()
    assert "P9" not in codes(levels(Question(weeks=[WEEK], opened=all_units())))
    assert codes(levels(Question(weeks=[WEEK], opened=all_units(), state="NO_DEMAND"))) == ["H", "H2", "P9"]
    assert "P9" in codes(levels(Question(weeks=horizon(), opened=all_units())))


def test_nothing_outside_the_scope_or_the_root_is_answered(house: Any) -> None:
    scoped = levels(Question(weeks=[WEEK], opened=all_units(), scope=house.h1.pk))
    assert codes(scoped) == ["H1", "H1A", "P4", "P1"]
    assert codes(levels(Question(weeks=[WEEK], kind="SERVICE", scope=house.h1.pk))) == ["H1"]
    assert codes(levels(Question(weeks=[WEEK], root=house.h2.pk, scope=house.h1.pk))) == []
    rooted = levels(Question(weeks=[WEEK], opened=all_units(), root=house.ward.pk, scope=house.h1.pk))
    assert codes(rooted) == ["H1A", "P4"]


def test_a_closed_week_keeps_the_tree_and_the_figures_it_had(house: Any, settings: Any) -> None:
    before = {p.line.code: p.line.figures for p in levels(Question(weeks=[WEEK], opened=all_units())).places}
    settings.COVERIS_TODAY = WEEK + timedelta(days=8)
    assert close_weeks() == 1
    house.ward.parent = house.h2
    save_units(units=[house.ward], actor=house.admin)
    drain()
    answer = levels(Question(weeks=[WEEK], opened=all_units()))
    assert answer.closed_at is not None
    assert {p.line.code: p.line.figures for p in answer.places} == before
    assert codes(answer) == ["H", "H1", "H1A", "P4", "P1", "H2", "P2", "P3"]
    tagged = levels(Question(weeks=[WEEK], opened=all_units(), tag=house.tag.pk))
    assert codes(tagged) == ["H", "H2", "P3"]
    assert codes(levels(Question(weeks=[WEEK], opened=all_units(), scope=house.h2.pk))) == ["H2", "P2", "P3"]
    now = levels(Question(weeks=[monday_of(today())], opened=all_units()))
    assert codes(now) == ["H", "H1", "P1", "H2", "H1A", "P4", "P2", "P3"]


def test_a_week_without_figures_is_refused(house: Any) -> None:
    for week in (date(2020, 1, 6), WEEK + timedelta(weeks=13)):
        with pytest.raises(NoFigures):
            levels(Question(weeks=[week]))
