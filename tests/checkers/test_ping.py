"""ping/*: each planted fault is found, its right neighbour is not blamed."""

import pytest

from harness.core.fault import FaultKind
from harness.core.history import Answer, CloseKind, F, Invoke, Ok
from tests.checkers.story import Story, alter, caught, change, failed, spared, unseen


def story() -> Story:
    it = Story()
    it.begin()
    return it


def test_shared_connection_id() -> None:
    it = story()
    it.begin("a")
    it.end()
    spared(it, "ping/unique-connection")
    caught(it, "ping/unique-connection", alter('"c2"', '"c1"'))


def test_connection_id_of_an_earlier_life() -> None:
    it = story()
    it.restart()
    it.end()
    spared(it, "ping/unique-connection")
    caught(it, "ping/unique-connection", alter('"c3"', '"c1"'))


def silent(until_s: float, kind: CloseKind | None) -> Story:
    it = story()
    mute = it.open("mute", pings=False)
    it.wait(until_s)
    if kind:
        it.close(mute, kind)
    it.wait(1)
    return it


def test_silent_connection_is_ended() -> None:
    spared(silent(2.0, CloseKind.END).end(), "ping/silent-dropped")
    assert "later" in caught(silent(4.0, CloseKind.END).end(), "ping/silent-dropped")
    assert "still open" in caught(silent(5.0, None).end(), "ping/silent-dropped")


def test_silent_connection_that_the_client_closed() -> None:
    unseen(silent(1.0, CloseKind.CLIENT).end(), "ping/silent-dropped")


def test_silent_connection_behind_a_black_hole() -> None:
    it = story()
    it.open("mute", pings=False)
    heal = it.fault(FaultKind.BLACK_HOLE, "mute")
    it.wait(5)
    heal()
    unseen(it.end(), "ping/silent-dropped")


def test_dropped_but_still_listed() -> None:
    it = silent(2.0, CloseKind.END)
    it.ping("pinger", "c2")
    it.end()
    spared(it, "ping/silent-dropped")
    still = Answer(status=204)
    pings = [r for r in it.records if isinstance(r, Invoke) and r.f is F.PING]
    last = max(r.n for r in pings if r.about == "c2")

    def answered(records):  # type: ignore[no-untyped-def]
        return [
            Ok(n=r.n, t_s=r.t_s, call=last, answer=still)
            if getattr(r, "call", 0) == last
            else r
            for r in records
        ]

    caught(it, "ping/silent-dropped", answered)
    caught(it, "ping/unknown-refused", answered)


def test_pinged_connection_is_kept() -> None:
    it = story()
    a = it.begin("a")
    it.wait(4)
    spared(it, "ping/pinged-kept")
    it.close(a, CloseKind.END)
    it.wait(0.4)
    assert "pinged in time" in caught(it.end(), "ping/pinged-kept")


def test_connection_that_a_fault_ended() -> None:
    it = story()
    a = it.begin("a")
    it.wait(4)
    it.cut(a)
    spared(it.end(), "ping/pinged-kept")


def test_connection_that_was_pinged_late() -> None:
    it = story()
    a = it.begin("a")
    it.pings.clear()
    it.wait(2.2)
    it.close(a, CloseKind.END)
    unseen(it.end(), "ping/pinged-kept")


def test_unknown_and_closed_connections_are_refused() -> None:
    it = story()
    gone = it.begin("a")
    it.close(gone)
    it.wait(2.5)
    it.ping("pinger", gone.ping_id)
    it.ping("pinger", "nobody")
    it.end()
    spared(it, "ping/unknown-refused")
    for about in (gone.ping_id, "nobody"):
        calls = [r.n for r in it.records if isinstance(r, Invoke) and r.about == about]
        ok = change(
            object,
            lambda r, n=calls[-1]: getattr(r, "call", 0) == n,
            answer=Answer(status=204),
        )
        caught(it, "ping/unknown-refused", ok)


def test_ping_of_a_connection_that_was_cut() -> None:
    """The server may learn of the cut only when it writes."""
    it = story()
    gone = it.begin("a")
    it.cut(gone)
    it.wait(0.6)
    gone.open = True  # to the server
    it.ping("a", gone.ping_id)
    gone.open = False
    it.end()
    unseen(it, "ping/unknown-refused")
    unseen(it, "ping/silent-dropped")


def test_ping_of_a_connection_just_closed() -> None:
    it = story()
    gone = it.begin("a")
    it.close(gone)
    it.ping("pinger", gone.ping_id)
    unseen(it.end(), "ping/unknown-refused")


@pytest.mark.parametrize("lives_on_s", [2.0, 0.1])
def test_a_ping_that_meets_no_connection_though_it_is_open(lives_on_s: float) -> None:
    it = story()
    a = it.begin("a")
    it.wait(0.9)
    error = Answer(status=404, body='{"error": {"code": "x", "message": "y"}}')
    it.call("a", F.PING, error, failed=True, about=a.ping_id)
    it.wait(lives_on_s)
    it.close(a, CloseKind.END)
    it.begin("a")
    it.end()
    if lives_on_s > 1:
        assert "its ping at" in caught(it, "ping/pinged-kept")
    else:
        assert not [one for one in failed(it.judged()) if "its ping at" in one]
