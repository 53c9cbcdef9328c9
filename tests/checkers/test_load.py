"""load/*: slow readers, herds, what vanished clients leave behind."""

from typing import Any

import msgspec
import pytest

from harness.core.fault import Fault, FaultKind
from harness.core.history import (
    WITNESS,
    Answer,
    Closed,
    CloseKind,
    F,
    Frame,
    Invoke,
    Lag,
    Life,
    Ok,
    Opened,
    Resources,
    Responded,
)
from harness.core.limits import Load
from harness.core.usage import Moment, Usage
from harness.core.verdict import Verdict
from tests.checkers.story import (
    Edit,
    Story,
    Stream,
    alter,
    caught,
    change,
    edit_frames,
    spared,
    unseen,
    verdict,
)

SLOW, HERD, LEAK = "load/slow-reader", "load/herd", "load/no-leak"
MIB = 1 << 20


def measured(it: Story, moment: Moment, mib: int = 50, **counts: int) -> None:
    usage = Usage(rss_bytes=mib * MIB, **counts)
    it.add(Resources, moment=moment, usage=usage)


def unsure(it: Story, slug: str, *edits: Edit) -> None:
    assert verdict(it.judged(*edits), slug) is Verdict.UNKNOWN


# ---- slow reader ---------------------------------------------------------------------


def stalled(*, unread: int = 60, mib: int = 51, slug: str = SLOW) -> Story:
    """Alice reads nothing while 60 events go by; of those she then gets ten."""
    it = Story(slug, log_limit=100)
    load = Load(backlog_events=40, delay_factor=3, memory_mb=2)
    it.header = msgspec.structs.replace(it.header, load=load)
    it.begin()
    alice = it.begin("alice")
    it.begin("bob")
    for _ in range(12):
        it.create()
    measured(it, Moment.WARM)
    heal = it.fault(FaultKind.STALL, "alice")
    alice.deaf = True
    for _ in range(unread):
        it.create()
    measured(it, Moment.FULL, mib)
    heal()
    backlog(it, alice, 10)
    it.close(alice, CloseKind.FIN)
    it.resume("alice")
    it.create()
    return it.end()


def backlog(it: Story, alice: Stream, count: int) -> None:
    """What waited for her before she was ended."""
    seen = int((it.cursors["alice"] or "").split("-")[1])
    for seq, text in it.server.log:
        if seen < seq <= seen + count:
            it.deliver(alice, text)


def test_a_slow_reader_is_ended_and_nobody_suffers() -> None:
    spared(stalled(), SLOW)


def test_a_stall_among_other_faults_is_not_looked_at() -> None:
    unseen(stalled(slug="converge"), SLOW)


def test_a_short_stall_is_no_exercise() -> None:
    unsure(stalled(unread=5), SLOW)


def test_a_slow_reader_that_is_skipped() -> None:
    it = stalled()
    third = [r for r in it.records if isinstance(r, Frame) and r.conn == 2][-8]
    skipped = edit_frames(lambda _: None, lambda f: f.n == third.n)
    assert "missing in between" in caught(it, SLOW, skipped)


def never_ended(size: int) -> Edit:
    """She gets all that was unread on the same connection, in messages of this size."""

    def edit(records: list[Any]) -> list[Any]:
        witnessed = [r for r in records if isinstance(r, Frame) and r.conn == 1]
        out: list[Any] = []
        gone = False
        for r in records:
            if isinstance(r, Closed) and r.conn == 2:
                gone = True
                had = {f.text for f in out if isinstance(f, Frame) and f.conn == 2}
                out += [
                    msgspec.structs.replace(f, conn=2, t_s=r.t_s)
                    for f in witnessed
                    if f.text not in had and "create" in f.text and f.t_s < r.t_s
                ]
            elif not gone or getattr(r, "conn", 0) != 4:
                out.append(r)
        pad = '"pad": "' + "x" * size + '", "id"'
        return [
            msgspec.structs.replace(r, text=r.text.replace('"id"', pad, 1))
            if isinstance(r, Frame) and "create" in r.text
            else r
            for r in out
        ]

    return edit


def test_a_slow_reader_for_whom_everything_is_kept() -> None:
    said = caught(stalled(), SLOW, never_ended(300_000))
    assert "was not ended, though 60 events" in said


def test_what_the_kernel_holds_is_not_kept_for_anybody() -> None:
    assert verdict(stalled().judged(never_ended(1_000)), SLOW) is not Verdict.FAIL


def late(by_s: float) -> Edit:
    """Witness and bob get what was written during the stall so much later."""

    def edit(records: list[Any]) -> list[Any]:
        begun_s = next(r.t_s for r in records if isinstance(r, Invoke) and r.fault)
        moved = [
            msgspec.structs.replace(r, t_s=r.t_s + by_s)
            if isinstance(r, Frame) and r.conn in (1, 3) and r.t_s > begun_s
            else r
            for r in records
        ]
        return sorted(moved, key=lambda r: r.t_s)

    return edit


def test_others_may_be_a_little_later() -> None:
    spared(stalled(), SLOW, late(0.1))


def test_others_are_delayed() -> None:
    assert "declared factor is 3" in caught(stalled(), SLOW, late(0.4))


def lagging(records: list[Any]) -> list[Any]:
    """The harness itself was late for as long as the stall lasted."""
    begun = next(r for r in records if isinstance(r, Invoke) and r.fault)
    healed = next(r for r in records if isinstance(r, Ok) and r.call == begun.n)
    lag = Lag(n=0, t_s=healed.t_s, lag_s=healed.t_s - begun.t_s)
    at = records.index(healed)
    return [*records[:at], lag, *records[at:]]


def test_others_are_late_with_the_harness() -> None:
    unsure(stalled(), SLOW, lagging, late(0.4))


def test_memory_grows_with_what_nobody_reads() -> None:
    assert "grew from 50.0 to 53.0 MiB" in caught(stalled(mib=53), SLOW)


# ---- herd ----------------------------------------------------------------------------


class Quick(Story):
    """A story that takes a fifth of the time."""

    def add(self, kind: type[Any], /, **fields: Any) -> int:
        self.t_s = round(self.t_s - 0.008, 6)
        return super().add(kind, **fields)


def herd(size: int = 24, *, retry: Any = lambda n: 100 + n) -> Story:
    """So many come back at once after a restart, and are told when to come again."""
    it = Quick(HERD)
    it.begin()
    names = [f"one-{n}" for n in range(size)]
    for name in names:
        it.begin(name)
    it.create()
    it.restart()
    tell(it, WITNESS, "retry: 100\n")
    for number, name in enumerate(names):
        it.resume(name)
        told = retry(number)
        if told is not None:
            tell(it, name, f"retry: {told}\n")
    return it.end()


def tell(it: Story, name: str, line: str) -> None:
    """Put a line into the ping frame that this client got last."""
    life = max(r.t_s for r in it.records if isinstance(r, Life))
    conns = {s.number for s in it.streams if s.who == name}
    for at, r in enumerate(it.records):
        if not isinstance(r, Frame) or r.conn not in conns or r.t_s < life:
            continue
        if "event: ping" in r.text:
            text = r.text.replace("event: ping\n", f"event: ping\n{line}")
            it.records[at] = msgspec.structs.replace(r, text=text)


def test_a_herd_is_served_and_spread() -> None:
    spared(herd(), HERD)


def test_a_herd_is_told_with_any_line_end() -> None:
    spared(herd(), HERD, alter("\n", "\r\n"))


def test_a_few_are_no_herd() -> None:
    unsure(herd(10), HERD)


@pytest.mark.parametrize(
    ("retry", "says"),
    [
        (lambda _: 100, "1 different values from 100 to 100 ms"),
        (lambda n: 100 + n % 3, "3 different values from 100 to 102 ms"),
        (lambda n: 100 if n % 2 else 200, "2 different values"),
        (lambda _: None, "24 of 25 clients were given no `retry`"),
        (lambda n: 100 + n if n else None, "1 of 25 clients were given no `retry`"),
    ],
)
def test_retry_is_not_spread(retry: Any, says: str) -> None:
    assert says in caught(herd(retry=retry), HERD)


def after_restart(it: Story) -> int:
    """One of the herd's connections to the new life."""
    return max(s.number for s in it.streams)


def test_one_of_a_herd_is_refused() -> None:
    it = herd()
    one = after_restart(it)
    refused = change(Responded, lambda r: r.conn == one, status=503)
    assert "was answered 503" in caught(it, HERD, refused)


def test_one_of_a_herd_is_hung_up_on() -> None:
    it = herd()
    one = after_restart(it)

    def silent(records: list[Any]) -> list[Any]:
        return [
            r
            for r in records
            if getattr(r, "conn", 0) != one or not isinstance(r, Frame | Responded)
        ]

    cut = change(Closed, lambda r: r.conn == one, kind=CloseKind.FIN)
    assert "was hung up on (fin)" in caught(it, HERD, silent, cut)


def test_one_of_a_herd_waits() -> None:
    it = herd()
    one = after_restart(it)
    came = next(r for r in it.records if isinstance(r, Opened) and r.conn == one)

    def late(records: list[Any]) -> list[Any]:
        """All that comes to it comes four seconds later, as does the end of all."""
        mine = (Frame, Responded, Closed)
        moved = [
            msgspec.structs.replace(r, t_s=r.t_s + 4)
            if (isinstance(r, mine) and r.conn == one) or r.t_s > came.t_s + 0.5
            else r
            for r in records
        ]
        return sorted(moved, key=lambda r: r.t_s)

    assert "had no first frame within 3 s" in caught(it, HERD, late)


def test_snapshots_of_a_herd_are_refused() -> None:
    it = herd()
    del it.records[-2:]
    busy = Answer(status=503)
    it.call("one-3", F.INIT, busy, failed=True)
    it.end(settle=False)
    assert "when it asked for its snapshot" in caught(it, HERD)


# ---- leak ----------------------------------------------------------------------------


def vanished(*, last_s: float = 8.0, mib: int = 50, **left: int) -> Story:
    """Twelve clients come and vanish; what the target holds in the end."""
    return vanished_again(last_s, {"mib": mib} | left)


def vanished_again(last_s: float, *lefts: dict[str, int]) -> Story:
    """So it went, each time from where the time before had ended."""
    it = Story(LEAK)
    load = Load(memory_mb=2)
    it.header = msgspec.structs.replace(it.header, load=load)
    it.begin()
    warm = {"mib": 50, "connections": 3, "fds": 12, "threads": 4}
    for time, left in enumerate(lefts):
        measured(it, Moment.WARM, **warm)
        vanishing(it, time)
        it.wait(last_s)
        warm |= left
        measured(it, Moment.LEFT, **warm)
    return it.end()


def vanishing(it: Story, time: int) -> None:
    crowd = [it.begin(f"one-{time}-{n}") for n in range(12)]
    measured(it, Moment.FULL, connections=15, fds=24, threads=4)
    fault = Fault(kind=FaultKind.CUT, whom=tuple(s.who for s in crowd))
    call = it.add(Invoke, who="nemesis", f=F.FAULT, fault=fault)
    for stream in crowd:
        it.close(stream, CloseKind.FIN)
    it.add(Ok, call=call, effect="fin")
    measured(it, Moment.LEFT, connections=15, fds=24, threads=4)


def test_all_goes_back() -> None:
    spared(vanished(), LEAK)
    spared(vanished(connections=5, fds=15, mib=52), LEAK)


@pytest.mark.parametrize(
    ("name", "count"), [("connections", 7), ("fds", 16), ("threads", 8)]
)
def test_something_stays(name: str, count: int) -> None:
    said = caught(vanished(**{name: count}), LEAK)
    assert f"keeps {count} {name}, 4 more than before" in said


def test_memory_stays() -> None:
    assert "3.0 MiB larger" in caught(vanished(mib=53), LEAK)


def test_a_pool_fills_once_and_what_leaks_leaks_again() -> None:
    spared(vanished_again(8, {"fds": 20}, {}), LEAK)
    spared(vanished_again(8, {"mib": 55}, {}), LEAK)
    said = caught(vanished_again(8, {"fds": 16}, {"fds": 20}), LEAK)
    assert "keeps 16 fds, 4 more than before" in said
    assert "3.0 MiB" in caught(vanished_again(8, {"mib": 53}, {"mib": 56}), LEAK)


def test_no_connection_may_stay_even_once() -> None:
    """The next time as many may go late as stay anew: that would hide a late end."""
    said = caught(vanished_again(8, {"connections": 11}, {}), LEAK)
    assert "keeps 11 connections, 8 more" in said


def test_one_time_too_short_blames_nobody() -> None:
    unsure(vanished_again(2, {"fds": 20}, {"fds": 28}), LEAK)


def test_it_may_take_its_time() -> None:
    unsure(vanished(fds=24, last_s=2), LEAK)


def test_a_late_harness_waits_longer() -> None:
    it = vanished(fds=24)
    at = next(i for i, r in enumerate(it.records) if r.t_s > it.t_s - 4)
    it.records.insert(at, Lag(n=0, t_s=it.records[at].t_s, lag_s=2.0))
    unsure(it, LEAK)


def test_a_crowd_that_no_measure_shows() -> None:
    it = vanished()
    usage = Usage(connections=3, fds=12, threads=4)
    unsure(it, LEAK, change(Resources, lambda r: r.moment is Moment.FULL, usage=usage))


def test_without_measures_nothing_is_said() -> None:
    it = vanished()
    unsure(it, LEAK, lambda records: [r for r in records if type(r) is not Resources])
    other = Story("converge")
    other.begin()
    unseen(other.end(), LEAK)


def written_to_nobody(mib: int) -> Story:
    it = Story(LEAK)
    it.begin()
    measured(it, Moment.FILLED, 50)
    it.create()
    measured(it, Moment.LEFT, mib)
    it.header = msgspec.structs.replace(it.header, load=Load(memory_mb=2))
    return it.end()


@pytest.mark.parametrize(("objects", "kept"), [(40, False), (45, True)])
def test_objects_are_kept_for_nobody(objects: int, kept: bool) -> None:
    it = Story(LEAK)
    it.begin()
    it.add(Resources, moment=Moment.FILLED, usage=Usage(objects=40))
    for _ in range(8):
        it.create()
    it.add(Resources, moment=Moment.LEFT, usage=Usage(objects=objects))
    it.end()
    if kept:
        assert "8 events left 5 objects more" in caught(it, LEAK)
    else:
        spared(it, LEAK)


def test_events_are_kept_for_nobody() -> None:
    spared(written_to_nobody(52), LEAK)
    assert "3.0 MiB larger" in caught(written_to_nobody(53), LEAK)
