"""A tree shown level by level: its open rows as text, and the order of reading."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.common.tree import opened_in, toggled, walk

parents = st.lists(st.integers(0, 30), max_size=30).map(
    # Each item hangs on an earlier one, or stands at the top.
    lambda picks: {number + 1: pick % (number + 1) for number, pick in enumerate(picks)}
)


@pytest.mark.parametrize(
    ("text", "ids"),
    [(None, None), ("", set()), ("4,8", {4, 8}), ("4,x,-1,²,", {4}), ("9" * 19, set()), ("1,2,3,4", {1, 2, 3})],
)
def test_what_is_open_is_read_from_an_address(text: str | None, ids: set[int] | None) -> None:
    assert opened_in(text, at_most=3) == ids


@given(st.sets(st.integers(1, 10**12), max_size=9), st.integers(1, 10**12))
def test_toggling_twice_changes_nothing(opened: set[int], pk: int) -> None:
    once = opened_in(toggled(opened, pk), at_most=99)
    assert once is not None
    assert (pk in once) != (pk in opened)
    assert opened_in(toggled(once, pk), at_most=99) == opened


@given(parents, st.sets(st.integers(1, 31)))
def test_a_walk_shows_what_hangs_on_open_rows_alone_each_below_its_own(tree: dict[int, int], opened: set[int]) -> None:
    below: dict[int | None, list[int]] = {}
    for child, parent in tree.items():
        below.setdefault(parent, []).append(child)
    shown = list(walk(below.get(0, []), below, opened, lambda item: item))

    def is_shown(item: int) -> bool:
        return tree[item] == 0 or (tree[item] in opened and is_shown(tree[item]))

    assert sorted(item for _level, item in shown) == sorted(item for item in tree if is_shown(item))
    for place, (level, item) in enumerate(shown):
        above = [other for depth, other in shown[:place] if depth == level - 1]
        assert (above[-1] if above else 0) == tree[item] if level else tree[item] == 0
