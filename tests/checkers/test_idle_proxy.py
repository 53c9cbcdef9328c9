"""stream/survives-idle-proxy; what nginx does is not taken for the server's doing."""

from typing import Any

import msgspec
import pytest

from harness.core.fault import FaultKind
from harness.core.history import Behind, Closed, CloseKind, Frame, Responded
from harness.core.nginx import Nginx
from harness.core.verdict import Verdict
from tests.checkers.story import (
    GOOD_HEADERS,
    Edit,
    Story,
    Stream,
    caught,
    change,
    drop,
    edit_frames,
    of,
    spared,
    unseen,
    verdict,
)

SLUG = "stream/survives-idle-proxy"
ALICE = 2  # her first connection


def story(**settings: Any) -> tuple[Story, Stream]:
    """A witness, and alice behind an nginx that waits for 2.5 s; both saw an event."""
    it = Story(SLUG)
    it.begin()
    it.add(Behind, who="alice", nginx=Nginx(**{"read_timeout_s": 2.5} | settings))
    alice = it.begin("alice")
    it.create()
    return it, alice


def silence(it: Story, alice: Stream, seconds: float) -> None:
    """Nothing comes to alice, who pings all the same, and nginx cuts her off."""
    alice.deaf = True
    for _ in range(5):
        it.wait(seconds / 5)
        it.ping("alice", alice.ping_id)
    it.close(alice, CloseKind.FIN)


def about_alice(it: Story, slug: str, *edits: Edit) -> list[str]:
    found = of(it.judged(*edits), slug)
    sentences = [one.sentence for one in found.findings] if found else []
    return [sentence for sentence in sentences if "alice" in sentence]


def unsure(it: Story, *edits: Edit) -> None:
    assert verdict(it.judged(*edits), SLUG) is Verdict.UNKNOWN


# ---- alive ---------------------------------------------------------------------------


def test_idle_for_longer_than_the_read_timeout() -> None:
    it, _ = story()
    it.wait(4)
    it.create()
    spared(it.end(), SLUG)


def test_shorter_or_without_an_event_after_it_is_no_exercise() -> None:
    it, _ = story()
    it.wait(2)
    it.create()
    it.wait(4)
    unsure(it.end())


def test_who_is_behind_nothing_exercises_nothing() -> None:
    it = Story()
    it.begin()
    it.begin("alice")
    it.wait(4)
    it.create()
    unseen(it.end(), SLUG)


# ---- cut for silence -----------------------------------------------------------------


def test_cut_for_silence() -> None:
    it, alice = story()
    silence(it, alice, 2.5)
    it.resume("alice")
    it.create()
    assert "without a byte; its read timeout is 2.5 s" in caught(it.end(), SLUG)


@pytest.mark.parametrize("slug", ["ping/pinged-kept", "stream/keepalive"])
def test_an_end_for_silence_is_not_held_against_others(slug: str) -> None:
    it, alice = story()
    silence(it, alice, 2.5)
    it.end()
    assert about_alice(it, slug) == []
    directly = change(Behind, lambda _: True, who="bob")
    assert about_alice(it, slug, directly)


def test_broken_off_sooner_than_nginx_would() -> None:
    it, alice = story(read_timeout_s=9.0)
    silence(it, alice, 2.5)
    unsure(it.end())
    assert about_alice(it, "ping/pinged-kept")


def test_an_end_in_good_order_is_the_server_s() -> None:
    it, alice = story()
    silence(it, alice, 2.5)
    it.end()
    unsure(it, change(Closed, lambda c: c.conn == ALICE, kind=CloseKind.END))


def test_bytes_of_unknown_time_after_the_last_block() -> None:
    it, alice = story()
    silence(it, alice, 2.5)
    it.end()
    unsure(it, change(Closed, lambda c: c.conn == ALICE, tail=": keep", received=999))
    caught(it, SLUG)


@pytest.mark.parametrize("kind", [FaultKind.STALL, FaultKind.PAUSE])
def test_silent_while_a_fault_held_it(kind: FaultKind) -> None:
    it, alice = story()
    heal = it.fault(kind, *(["alice"] if kind is FaultKind.STALL else []))
    silence(it, alice, 2.5)
    heal()
    unsure(it.end())


def test_a_machine_that_starves_everybody_tells_nothing() -> None:
    it, alice = story()
    it.lag(0.4)
    it.t_s += 2.5  # no keep-alive, but no answer to anybody either
    it.close(alice, CloseKind.FIN)
    unsure(it.end())


def test_a_server_that_answers_is_not_starved() -> None:
    it, alice = story()
    it.lag(0.4)
    silence(it, alice, 2.5)
    caught(it.end(), SLUG)


@pytest.mark.parametrize(
    "kind", [FaultKind.MIDDLEBOX_RELOAD, FaultKind.MIDDLEBOX_RESTART]
)
def test_streams_end_with_their_middlebox(kind: FaultKind) -> None:
    it, alice = story()
    it.wait(1)
    heal = it.fault(kind, "alice")
    it.wait(1)
    it.close(alice, CloseKind.FIN)
    it.resume("alice")
    heal()
    it.create()
    it.end()
    for slug in ("ping/pinged-kept", "event/no-loss", "resume/no-needless-reset"):
        assert about_alice(it, slug) == []
    unsure(it)
    unhurt = change(Behind, lambda _: True, who="bob")
    blameless = [r for r in it.records if getattr(r, "fault", None) is None]
    it.records[:] = blameless
    assert about_alice(it, "ping/pinged-kept", unhurt)


# ---- held back -----------------------------------------------------------------------


def test_nothing_came_at_all() -> None:
    it, _ = story()
    it.wait(4)
    it.end()
    mute = edit_frames(lambda _: None, lambda f: f.conn == ALICE)
    assert "nothing came to" in caught(it, SLUG, mute)
    unanswered = [r for r in it.records if not _answers(r)]
    it.records[:] = unanswered
    assert "nothing came to" in caught(it, SLUG, mute)


def _answers(record: Any) -> bool:
    return isinstance(record, Responded) and record.conn == ALICE


def all_at(t_s: float) -> Edit:
    """Alice's frames come at one time."""

    def edit(records: list[Any]) -> list[Any]:
        moved = [
            msgspec.structs.replace(one, t_s=t_s, began_s=t_s)
            if isinstance(one, Frame) and one.conn == ALICE
            else one
            for one in records
        ]
        return sorted(moved, key=lambda one: float(one.t_s))

    return edit


def test_handed_out_whole_at_the_end() -> None:
    it, alice = story()
    it.wait(2)
    it.close(alice, CloseKind.END)
    ended_s = it.t_s
    it.end()
    assert "nothing came to" in caught(it, SLUG, all_at(ended_s - 0.005))
    unsure(it)


def test_handed_out_late_by_a_late_harness() -> None:
    it, alice = story()
    it.lag(1.0)
    it.wait(2)
    it.close(alice, CloseKind.END)
    ended_s = it.t_s
    unsure(it.end(), all_at(ended_s - 0.005))


def test_an_event_did_not_come() -> None:
    it, _ = story()
    it.create()
    it.wait(4)
    it.end()
    assert "did not come" in caught(it, SLUG, drop(ALICE, "text 2"))
    unsure(it)


def test_an_event_came_late() -> None:
    it, _ = story()
    it.create()
    it.wait(4)
    late_s = it.t_s
    it.end()

    def late(frame: Frame) -> Frame:
        return msgspec.structs.replace(frame, t_s=late_s, began_s=late_s)

    held = edit_frames(late, lambda f: f.conn == ALICE and "text 2" in f.text)
    assert "s late to" in caught(it, SLUG, held)


def test_an_event_just_before_the_end_may_still_be_on_its_way() -> None:
    it, _ = story()
    it.wait(4)
    it.create()
    it.create()
    spared(it.end(), SLUG, drop(ALICE, "text 3"))


# ---- what nginx does to headers ------------------------------------------------------


def test_headers_of_a_middlebox_are_not_the_server_s() -> None:
    it, _ = story()
    encoded = GOOD_HEADERS | {"content-encoding": "gzip"}
    zipped = change(Responded, lambda r: r.conn == ALICE, headers=encoded)
    it.end()
    spared(it, "stream/no-store", zipped)
    caught(it, "stream/no-store", zipped, change(Behind, lambda _: True, who="bob"))


def test_gzip_that_was_not_done_shows_nothing() -> None:
    it, _ = story(gzip=True)
    it.wait(4)
    it.create()
    it.end()
    unsure(it)
    encoded = GOOD_HEADERS | {"content-encoding": "gzip"}
    spared(it, SLUG, change(Responded, lambda r: r.conn == ALICE, headers=encoded))
