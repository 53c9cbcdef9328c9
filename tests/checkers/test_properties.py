"""Random right histories are never blamed; one planted fault is always found."""

from collections.abc import Callable

import msgspec
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from harness.checkers import judge
from harness.core.history import (
    WITNESS,
    AnyRecord,
    End,
    Frame,
    History,
    Info,
    Invoke,
)
from harness.core.verdict import Verdict
from tests.checkers.story import Story, renumber

NAMES = ("a", "b", "c")
RESET = 'event: reset\ndata: {"reason": "evicted"}\n\n'
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *["create"] * 6,
                "many",
                "lost",
                "update",
                "delete",
                "cut",
                "resume",
                "resume",
                "init",
                "walk",
                "wait",
                "switch",
                "kill",
                "term",
                "bad",
                "probe",
            ]
        ),
        st.integers(0, 30),
    ),
    min_size=4,
    max_size=40,
)


class Player:
    """Plays random steps with three tabs that follow the client rules."""

    def __init__(self) -> None:
        self.story = Story(message_limit=5, log_limit=8)
        self.story.begin()
        for name in NAMES:
            self.story.begin(name)

    def play(self, step: str, number: int) -> None:
        name = NAMES[number % len(NAMES)]
        getattr(self, step, self.plain)(*((name, number) if step != "plain" else ()))

    def plain(self, name: str, number: int) -> None:
        raise AssertionError((name, number))

    def create(self, *_: object) -> None:
        self.story.create()

    def many(self, _: str, number: int) -> None:
        for _ in range(number % 12):
            self.story.create()

    def lost(self, *_: object) -> None:
        self.story.create(lost=True)

    def update(self, _: str, number: int) -> None:
        self.story.update(number)

    def delete(self, _: str, number: int) -> None:
        self.story.delete(number)

    def cut(self, name: str, _: int) -> None:
        for stream in self.open_streams(name):
            self.story.cut(stream)

    def open_streams(self, name: str):  # type: ignore[no-untyped-def]
        return [s for s in self.story.streams if s.who == name and s.open]

    def resume(self, name: str, _: int = 0) -> None:
        if not self.open_streams(name):
            self.back(name)

    def back(self, name: str) -> None:
        if self.story.cursors.get(name) is None:
            self.story.begin(name)
            return
        if not self.story.resume(name).open:
            self.story.begin(name)

    def switch(self, name: str, _: int) -> None:
        """An old stream is left hanging, until the server drops it."""
        for stream in self.open_streams(name):
            self.story.pings.pop(stream.ping_id, None)
        self.back(name)

    def init(self, *_: object) -> None:
        self.story.init("reader")

    def walk(self, *_: object) -> None:
        self.story.walk("reader")

    def wait(self, _: str, number: int) -> None:
        self.story.wait(number / 10)

    def kill(self, *_: object) -> None:
        self.story.restart("kill")

    def term(self, *_: object) -> None:
        self.story.restart("term")

    def bad(self, _: str, number: int) -> None:
        self.story.bad_input(f"bad {number}", f"marker {self.story.t_s}")

    def probe(self, *_: object) -> None:
        self.story.open("prober", header=f"nonsense {self.story.t_s}")

    def finish(self) -> Story:
        for name in NAMES:
            self.resume(name)
        self.story.create()
        self.story.create()
        return self.story.end()


def played(steps: list[tuple[str, int]]) -> Story:
    player = Player()
    for step, number in steps:
        player.play(step, number)
    return player.finish()


def blamed(history: History) -> list[str]:
    return [
        f"{one.requirement}: {one.findings[0].sentence}"
        for one in judge(history).judgements
        if one.verdict is Verdict.FAIL
    ]


RULES_OF_TIME = ("ping/silent-dropped", "stream/keepalive")
"""The story's server drops no silent stream and keeps no exact time."""


def wrongly(found: list[str]) -> list[str]:
    return [one for one in found if not one.startswith(RULES_OF_TIME)]


slow = settings(
    deadline=None, max_examples=120, suppress_health_check=[HealthCheck.filter_too_much]
)


@slow
@given(STEPS)
def test_right_histories_are_not_blamed(steps: list[tuple[str, int]]) -> None:
    history = played(steps).history()
    assert wrongly(blamed(history)) == []
    assert judge(history).could_not_run == ()


def events_of(records: list[AnyRecord]) -> list[Frame]:
    """Event frames that are followed by another event on their stream.

    Those of writes without an answer are left out: nobody may ever know of them.
    """
    found, last = [], dict[int, Frame]()
    lost = {r.call for r in records if isinstance(r, Info)}
    unsure = [r.text for r in records if isinstance(r, Invoke) and r.n in lost]
    for record in records:
        if isinstance(record, Frame) and "\nid: " in record.text:
            if "event: ping" in record.text:
                last.pop(record.conn, None)
                continue
            before = last.get(record.conn)
            if before and not any(f'"{text}"' in before.text for text in unsure):
                found.append(before)
            last[record.conn] = record
    return found


Mutation = Callable[[list[AnyRecord], Frame, int], list[AnyRecord]]


def dropped(records: list[AnyRecord], frame: Frame, _: int) -> list[AnyRecord]:
    return [r for r in records if r is not frame]


def doubled(records: list[AnyRecord], frame: Frame, _: int) -> list[AnyRecord]:
    copy = msgspec.structs.replace(frame, offset=frame.offset + 1)
    at = records.index(frame)
    return [*records[: at + 1], copy, *records[at + 1 :]]


def swapped(records: list[AnyRecord], frame: Frame, _: int) -> list[AnyRecord]:
    at = records.index(frame)
    later = next(
        r
        for r in records[at + 1 :]
        if isinstance(r, Frame) and r.conn == frame.conn and "\nid: " in r.text
    )
    texts = {id(frame): later.text, id(later): frame.text}
    return [
        msgspec.structs.replace(r, text=texts[id(r)]) if id(r) in texts else r
        for r in records
    ]


def altered(records: list[AnyRecord], frame: Frame, _: int) -> list[AnyRecord]:
    text = frame.text.replace("data: {", 'data: {"odd": 1, ')
    return [msgspec.structs.replace(r, text=text) if r is frame else r for r in records]


def reset_added(records: list[AnyRecord], frame: Frame, _: int) -> list[AnyRecord]:
    reset = msgspec.structs.replace(frame, text=RESET)
    at = records.index(frame)
    return [*records[:at], reset, *records[at:]]


@slow
@given(
    STEPS, st.sampled_from([dropped, doubled, swapped, altered, reset_added]), st.data()
)
def test_a_planted_fault_is_found(
    steps: list[tuple[str, int]], mutation: Mutation, data: st.DataObject
) -> None:
    story = played(steps)
    frames = events_of(story.records)
    assume(frames)
    frame = data.draw(st.sampled_from(frames))
    records = mutation(list(story.records), frame, 0)
    history = History(header=story.header, records=renumber(records))
    assert blamed(history) != []


@slow
@given(STEPS)
def test_a_reset_taken_away_is_found(steps: list[tuple[str, int]]) -> None:
    story = played(steps)
    resets = [r for r in story.records if isinstance(r, Frame) and "reset" in r.text]
    assume(resets)
    records = [r for r in story.records if r is not resets[0]]
    history = History(header=story.header, records=renumber(records))
    assert blamed(history) != []


@slow
@given(STEPS, st.floats(0, 1), st.booleans())
def test_any_part_of_a_history_is_judged(
    steps: list[tuple[str, int]], share: float, tail: bool
) -> None:
    records = played(steps).records
    at = int(len(records) * share)
    part = records[at:] if tail else records[:at]
    torn = not (part and isinstance(part[-1], End))
    header = played([]).header
    judged = judge(History(header=header, records=renumber(part), torn=torn))
    crashes = [reason for reason in judged.could_not_run if "crashed" in reason]
    assert crashes == []
    assert not any("indexed" in reason for reason in judged.could_not_run)
    if not tail:
        assert wrongly(blamed(History(header=header, records=renumber(part)))) == []


def test_the_witness_is_a_client_of_the_story() -> None:
    assert any(stream.who == WITNESS for stream in played([]).streams)
