"""A fault bit only if the records show it; each kind has its own evidence."""

import re

import pytest

from harness.core.fault import Close, Fate, Fault, FaultKind
from harness.core.history import AnyRecord, CloseKind, F, LifePhase
from harness.effects import _EFFECTS, MARGIN_S, observed
from tests.world.stories import (
    BEFORE,
    A,
    B,
    W,
    behind,
    closed,
    failed,
    frame,
    history,
    hold,
    info,
    invoke,
    keepalive,
    life,
    ok,
    opened,
    refused,
    spelled,
)

FIN, RST, END = CloseKind.FIN, CloseKind.RST, CloseKind.END
ALICE, BOTH = ("alice",), ("alice", "bob")
WRITE = len(BEFORE) + 1  # n of the first record after the fault began


def fault(kind: FaultKind, whom: tuple[str, ...] = ALICE, **fields: object) -> Fault:
    return Fault(kind=kind, whom=whom, **fields)  # type: ignore[arg-type]  # as given


CUT = fault(FaultKind.CUT)
RESET = fault(FaultKind.CUT, close=Close.RST)
CUT_BOTH = fault(FaultKind.CUT, BOTH)
LATE = fault(FaultKind.LATENCY, delay_ms=300)
SLOW = fault(FaultKind.BANDWIDTH, kilobytes_per_s=4)
SLICED = fault(FaultKind.SLICE, slice_bytes=1)
REFUSED = fault(FaultKind.REFUSE)
REFUSED_BOTH = fault(FaultKind.REFUSE, BOTH)
LOST = fault(FaultKind.LOST_ACK)
SLOW_CLOSE = fault(FaultKind.SLOW_CLOSE, delay_ms=1_000)
KILL, TERM, PAUSE = (
    Fault(kind=kind) for kind in (FaultKind.KILL, FaultKind.TERM, FaultKind.PAUSE)
)
RELOAD, RESTART = FaultKind.MIDDLEBOX_RELOAD, FaultKind.MIDDLEBOX_RESTART
SOON = [behind("alice", shutdown_timeout_s=1.0), behind("bob", shutdown_timeout_s=2.0)]
AWAY, FULL = (
    Fault(kind=kind) for kind in (FaultKind.STORAGE_AWAY, FaultKind.STORAGE_FULL)
)
WAITING = Fault(kind=FaultKind.STORAGE_SLOW, delay_ms=800)
CUT_OFF = Fault(kind=FaultKind.COMMIT_CUT, fate=Fate.LOST)
CREATE = invoke("alice", 1.0, f=F.CREATE, text="m2")

BITES: list[tuple[Fault, list[AnyRecord], str]] = [
    (CUT, [closed(A, FIN, 1.0, received=7)], "alice: fin after 7 bytes"),
    (RESET, [closed(A, RST, 1.0, received=7)], "alice: rst after 7 bytes"),
    (CUT_BOTH, [closed(B, FIN, 1.0), closed(A, FIN, 1.0)], "bob: fin .*alice: fin"),
    (
        CUT,
        [closed(A, FIN, 1.0), opened(9, "alice"), closed(9, END, 2.0)],
        "alice: fin",
    ),
    (LATE, [frame(W, 2, 1.0), frame(A, 2, 1.31)], "0.310 s late"),
    (LATE, [frame(W, 2, 1.0), opened(9, "alice"), frame(9, 2, 1.2)], "0.200 s late"),
    (LATE, [frame(W, 2, 1.0), spelled(A, 2, 1.3)], "0.300 s late"),
    (SLOW, [frame(W, 2, 1.0), frame(A, 2, 1.1)], "0.100 s late"),
    (SLICED, [frame(A, 2, 1.0, chunks=40)], "in 40 pieces"),
    (REFUSED, [opened(9, "alice"), closed(9, CloseKind.REFUSED, 1.0)], "1 connections"),
    (
        REFUSED_BOTH,
        [
            opened(8, "alice"),
            closed(8, CloseKind.REFUSED, 1.0),
            opened(9, "bob"),
            closed(9, CloseKind.REFUSED, 1.0),
        ],
        "2 connections refused",
    ),
    (LOST, [CREATE, frame(W, 2, 1.1), info(WRITE, 6.0)], "1 writes carried out"),
    (LOST, [CREATE, spelled(W, 2, 1.1), info(WRITE, 6.0)], "1 writes carried out"),
    (SLICED, [spelled(A, 2, 1.0, chunks=40)], "in 40 pieces"),
    (
        SLOW_CLOSE,
        [life(LifePhase.EXITED, 1.0), closed(B, FIN, 1.0), closed(A, FIN, 2.05)],
        "1.050 s after",
    ),
    (KILL, [life(LifePhase.EXITED, 1.0, status=-9)], "exit status -9"),
    (TERM, [life(LifePhase.ENDING, 1.0), life(LifePhase.EXITED, 1.1, status=0)], "0"),
    (PAUSE, [life(LifePhase.PAUSED, 1.0), life(LifePhase.RESUMED, 1.2)], "frozen"),
    (fault(RESTART), [closed(A, FIN, 0.6)], "alice: fin after 0.100 s"),
    (
        fault(RESTART, BOTH),
        [closed(A, RST, 0.6), closed(B, FIN, 0.7), opened(9, "alice")],
        "alice: rst after 0.100 s; bob: fin after 0.200 s",
    ),
    (fault(RELOAD), [*SOON, closed(A, FIN, 1.5)], "alice: fin after 1.000 s"),
    (fault(RELOAD, BOTH), [*SOON, closed(A, FIN, 1.5), closed(B, FIN, 2.5)], "bob"),
    (AWAY, [hold(1.0), CREATE, failed(WRITE + 1, 3.0)], "1 writes .*status 503"),
    (FULL, [hold(1.0), CREATE, info(WRITE + 1, 3.0)], "1 writes .*no answer"),
    (AWAY, [hold(1.0), CREATE, refused(WRITE + 1, 3.0)], "1 writes .*status 400"),
    (WAITING, [hold(1.0), CREATE, ok(WRITE + 1, 1.5)], "took 0.500 s"),
    (WAITING, [hold(1.0), CREATE, failed(WRITE + 1, 1.5)], "took 0.500 s"),
    (CUT_OFF, [CREATE, hold(1.1), failed(WRITE, 1.2)], "1 of 1 writes"),
    (CUT_OFF, [CREATE, hold(1.1), ok(WRITE, 1.2)], "1 of 1 writes"),
]

DOES_NOT: list[tuple[Fault, list[AnyRecord]]] = [
    (CUT, []),
    (CUT, [closed(B, FIN, 1.0)]),
    (CUT, [closed(A, RST, 1.0)]),
    (CUT, [closed(A, END, 1.0)]),
    (CUT, [closed(A, CloseKind.CLIENT, 1.0)]),
    (RESET, [closed(A, FIN, 1.0)]),
    (CUT_BOTH, [closed(A, FIN, 1.0)]),
    (CUT_BOTH, [closed(A, FIN, 1.0), closed(B, RST, 1.0)]),
    (CUT, [closed(A, END, 1.0), opened(9, "alice"), closed(9, FIN, 2.0)]),
    (LATE, []),
    (LATE, [frame(W, 2, 1.0), frame(A, 2, 1.05)]),
    (LATE, [frame(W, 2, 1.0), frame(B, 2, 3.0)]),
    (LATE, [frame(A, 2, 3.0)]),
    (LATE, [keepalive(W, 1.0), keepalive(A, 3.0)]),
    (SLOW, [frame(W, 2, 1.0), frame(A, 2, 1.01)]),
    (SLICED, [frame(A, 2, 1.0), frame(B, 2, 1.0, chunks=9)]),
    (SLICED, [keepalive(A, 1.0, chunks=5)]),
    (REFUSED, [opened(9, "alice"), closed(9, FIN, 1.0)]),
    (REFUSED, [opened(9, "bob"), closed(9, CloseKind.REFUSED, 1.0)]),
    (REFUSED_BOTH, [opened(9, "bob"), closed(9, CloseKind.REFUSED, 1.0)]),
    (LOST, [CREATE, frame(W, 2, 1.1), ok(WRITE, 1.2)]),
    (LOST, [CREATE, info(WRITE, 6.0)]),
    (LOST, [CREATE, frame(W, 3, 1.1), info(WRITE, 6.0)]),
    (LOST, [invoke("bob", 1.0, f=F.CREATE, text="m2"), frame(W, 2, 1), info(WRITE, 6)]),
    (LOST, [invoke("alice", 1.0, f=F.PING), frame(W, 2, 1.1), info(WRITE, 6.0)]),
    (SLOW_CLOSE, [closed(A, FIN, 9.0)]),
    (SLOW_CLOSE, [life(LifePhase.EXITED, 1.0), closed(A, FIN, 1.3)]),
    (SLOW_CLOSE, [life(LifePhase.EXITED, 1.0), closed(B, FIN, 3.0)]),
    (KILL, [life(LifePhase.ENDING, 1.0)]),
    (TERM, []),
    (PAUSE, [life(LifePhase.PAUSED, 1.0)]),
    (fault(RESTART), []),
    (fault(RESTART), [closed(B, FIN, 0.6)]),
    (fault(RESTART), [closed(A, END, 0.6)]),
    (fault(RESTART), [closed(A, CloseKind.CLIENT, 0.6)]),
    (fault(RESTART), [opened(9, "alice"), closed(9, FIN, 0.6)]),
    (fault(RESTART, BOTH), [closed(A, FIN, 0.6), closed(B, END, 0.7)]),
    (fault(RESTART, ()), [closed(A, FIN, 0.6)]),
    (fault(RELOAD), [*SOON, closed(A, FIN, 0.6)]),
    (fault(RELOAD), [behind("alice"), closed(A, FIN, 9.0)]),
    (fault(RELOAD), [closed(A, FIN, 9.0)]),
    (fault(RELOAD), [*SOON, closed(B, FIN, 1.5)]),
    (fault(RELOAD, BOTH), [*SOON, closed(A, FIN, 1.5), closed(B, FIN, 1.6)]),
    (AWAY, [hold(1.0), CREATE, ok(WRITE + 1, 3.0)]),
    (AWAY, [CREATE, hold(1.0), failed(WRITE, 3.0)]),
    (AWAY, [hold(1.0), hold(1.0, ends=True), CREATE, failed(WRITE + 2, 3.0)]),
    (AWAY, [hold(1.0), invoke("a", 1.0, f=F.UPDATE), refused(WRITE + 1, 3.0)]),
    (AWAY, [hold(1.0), invoke("a", 1.0, f=F.INIT), failed(WRITE + 1, 3.0)]),
    (FULL, [hold(1.0), CREATE]),
    (WAITING, [hold(1.0), CREATE, ok(WRITE + 1, 1.1)]),
    (WAITING, [hold(1.0), CREATE]),
    (CUT_OFF, [CREATE, failed(WRITE, 1.2)]),
    (CUT_OFF, [CREATE, failed(WRITE, 1.2), hold(1.3)]),
    (CUT_OFF, [hold(1.0), CREATE, failed(WRITE + 1, 1.2)]),
]

for silent in (FaultKind.STALL, FaultKind.BLACK_HOLE, FaultKind.PARTITION):
    one, both = fault(silent), fault(silent, BOTH)
    BITES += [
        (one, [frame(W, 2, 1.0), frame(B, 2, 1.0), keepalive(B, 2.0)], "alice: 1 ev"),
        (one, [frame(W, 2, 1.0), frame(W, 3, 1.1), closed(A, FIN, 2.0)], "alice: 2 ev"),
        (both, [frame(W, 2, 1.0), keepalive(W, 2.0)], "alice: 1 .*bob: 1 "),
    ]
    DOES_NOT += [
        (one, []),
        (one, [keepalive(W, 1.0), keepalive(W, 2.0)]),
        (one, [frame(W, 2, 1.0), frame(A, 2, 1.0), keepalive(W, 2.0)]),
        (one, [frame(W, 2, 1.0), spelled(A, 2, 1.0), keepalive(W, 2.0)]),
        (one, [frame(W, 2, 1.0), keepalive(W, 1.0 + MARGIN_S / 2)]),
        (one, [closed(A, FIN, 1.0), frame(W, 2, 1.1), keepalive(W, 2.0)]),
        (both, [frame(W, 2, 1.0), frame(B, 2, 1.0), keepalive(W, 2.0)]),
    ]


def ids(cases: list[tuple[Fault, list[AnyRecord], str]]) -> list[str]:
    return [f"{case[0].kind}-{number}" for number, case in enumerate(cases)]


@pytest.mark.parametrize(("made", "after", "says"), BITES, ids=ids(BITES))
def test_what_bit_is_observed(made: Fault, after: list[AnyRecord], says: str) -> None:
    with_witness = history(*after)
    effect = observed(made, with_witness, len(BEFORE))
    assert effect
    assert re.search(says, effect), effect
    assert observed(made, with_witness, len(with_witness)) == ""


@pytest.mark.parametrize(("made", "after"), DOES_NOT)
def test_what_did_not_bite_is_not_observed(made: Fault, after: list[AnyRecord]) -> None:
    assert observed(made, history(*after), len(BEFORE)) == ""


def test_every_kind_of_fault_has_an_effect_here() -> None:
    assert {case[0].kind for case in BITES} == set(FaultKind) == set(_EFFECTS)
    assert {case[0].kind for case in DOES_NOT} == set(FaultKind)


def test_the_end_of_a_connection_left_hanging_is_none_of_the_cut() -> None:
    ends = (closed(A, END, 1.0), closed(9, FIN, 1.1, received=7))
    assert observed(CUT, history(opened(9, "alice"), *ends), len(BEFORE)) == ""
    records = history(opened(9, "alice"), *ends)
    assert "7 bytes" in observed(CUT, records, len(BEFORE) + 1)


def test_a_victim_without_an_open_stream_shows_no_silence() -> None:
    records = history(closed(A, FIN, 0.8), frame(W, 2, 1.0), keepalive(W, 2.0))
    stall = fault(FaultKind.STALL)
    assert observed(stall, records, len(BEFORE) + 1) == ""
