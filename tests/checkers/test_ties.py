"""Records of one instant keep the order of the file."""

from harness.checkers.ties import untied
from harness.core.history import F, History, Invoke
from tests.core.records import header


def times(*t_s: float) -> list[float]:
    records = tuple(
        Invoke(n=n, t_s=t, who="alice", f=F.INIT) for n, t in enumerate(t_s, 1)
    )
    history = untied(History(header=header(), records=records))
    return [record.t_s for record in history.records]


def test_what_ties_rises_strictly_and_hardly() -> None:
    spread = times(1.0, 1.0, 1.0, 1.0000000001, 2.0)
    assert spread == sorted(set(spread))
    assert max(abs(a - b) for a, b in zip(spread, [1, 1, 1, 1, 2], strict=True)) < 1e-8


def test_what_does_not_tie_stays() -> None:
    assert times(0.0, 0.5, 14_400.000001) == [0.0, 0.5, 14_400.000001]
