"""Slow cases early, and every case once."""

from hypothesis import given
from hypothesis import strategies as st

from harness.deal import EARLY, deal

Cases = list[tuple[int, float]]


def waits_s(case: tuple[int, float]) -> float:
    return case[1]


numbered = st.lists(st.sampled_from([0.0, 0.0, 5.0, 14.0])).map(
    lambda waits: list(enumerate(waits))
)


@given(numbered, st.integers(1, 12))
def test_every_case_is_dealt_once(cases: Cases, workers: int) -> None:
    assert sorted(deal(cases, workers, waits_s)) == cases


@given(numbered)
def test_alone_or_without_slow_ones_the_order_stays(cases: Cases) -> None:
    assert deal(cases, 1, waits_s) == cases
    assert deal(cases, 3, lambda _: 0.0) == cases


def test_each_stretch_has_its_share_the_longest_first() -> None:
    cases: Cases = [(n, float(n) if n > 72 else 0.0) for n in range(80)]
    dealt = deal(cases, 4, waits_s)
    for first in range(0, 80, 20):
        stretch = [waits_s(case) for case in dealt[first : first + 20]]
        slow = [n for n, wait in enumerate(stretch) if wait]
        assert len(slow) in (1, 2)
        assert max(slow) <= EARLY * 20 + 1
    assert waits_s(dealt[0]) == 79
