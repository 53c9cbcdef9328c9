"""The view: equals the server's window, whatever was buffered, repeated or broken."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.client.view import ChatView
from tests.core.records import JSON

Event = tuple[str, dict[str, Any]]


@dataclass
class Server:
    """A naive window: rising ids, the oldest pushed out when it is full."""

    limit: int
    window: list[dict[str, Any]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    last_id: int = 0
    last_text: int = 0

    def text(self) -> dict[str, Any]:
        self.last_text += 1
        return {"text": f"text {self.last_text}"}

    def write(self, what: str, which: int) -> None:
        if what == "create":
            self.last_id += 1
            message = {"id": self.last_id, "value": self.text()}
            self.window = [*self.window, message][-self.limit :]
            self.events.append(("create", dict(message)))
        elif self.window:
            message = self.window[which % len(self.window)]
            if what == "update":
                message["value"] = self.text()
                self.events.append(("update", dict(message)))
            else:
                self.window.remove(message)
                self.events.append(("delete", {"id": message["id"]}))

    def snapshot(self) -> list[dict[str, Any]]:
        return copy.deepcopy(self.window)


WRITES = st.lists(
    st.tuples(
        st.sampled_from(["create", "create", "create", "update", "delete"]),
        st.integers(0, 30),
    ),
    max_size=25,
)


def shown(view: ChatView) -> list[dict[str, Any]]:
    return [{"id": one.id, "value": one.value} for one in view.messages()]


def run(server: Server, writes: list[tuple[str, int]]) -> None:
    for what, which in writes:
        server.write(what, which)


def replay(view: ChatView, events: list[Event], *, times: int = 1) -> None:
    for kind, data in events:
        for _ in range(times):
            view.apply(kind, copy.deepcopy(data))


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 5), WRITES, WRITES, WRITES, st.integers(1, 3))
def test_stream_first_then_snapshot_gives_the_window(
    limit: int,
    before: list[tuple[str, int]],
    buffered: list[tuple[str, int]],
    later: list[tuple[str, int]],
    times: int,
) -> None:
    server = Server(limit)
    run(server, before)
    opened = len(server.events)  # the stream is open from here on
    run(server, buffered)
    view = ChatView(limit)
    view.load(server.snapshot())  # and the snapshot is taken here
    replay(view, server.events[opened:], times=times)
    assert shown(view) == server.window
    done = len(server.events)
    run(server, later)
    replay(view, server.events[done:], times=times)
    assert shown(view) == server.window


@settings(max_examples=75, deadline=None)
@given(st.integers(1, 5), WRITES, WRITES, st.data())
def test_a_snapshot_late_among_the_events_gives_the_window(
    limit: int,
    before: list[tuple[str, int]],
    after: list[tuple[str, int]],
    data: st.DataObject,
) -> None:
    """What was committed after the snapshot was made is buffered all the same."""
    server = Server(limit)
    run(server, before)
    snapshot = server.snapshot()
    cursor = data.draw(st.integers(0, len(server.events)), "cursor no newer than data")
    run(server, after)
    view = ChatView(limit)
    view.load(snapshot)
    replay(view, server.events[cursor:])
    assert shown(view) == server.window


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 5), WRITES)
def test_a_reset_forgets_all(limit: int, writes: list[tuple[str, int]]) -> None:
    server, other = Server(limit), Server(limit)
    run(server, writes)
    view = ChatView(limit)
    view.load(server.snapshot())
    view.clear()
    assert view.messages() == ()
    run(other, writes)  # a new life uses the same ids again
    replay(view, other.events)
    assert shown(view) == other.window


KINDS = st.sampled_from(["create", "update", "delete", "ping", "", "reset"])
NEARLY = st.fixed_dictionaries({"id": JSON}, optional={"value": JSON})


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(KINDS, JSON | NEARLY), max_size=10), JSON)
def test_malformed_data_raises_nothing(
    events: list[tuple[str, Any]], snapshot: Any
) -> None:
    view = ChatView(3)
    view.load([{"id": 1, "value": {"text": "a"}}, {"id": 2, "value": {"text": "b"}}])
    for kind, data in events:
        before = view.messages()
        view.apply(kind, data)
        named = isinstance(data, dict) and isinstance(data.get("id"), int | str)
        if not named or kind not in ("create", "update", "delete"):
            assert view.messages() == before
        assert len(view.messages()) <= 3
        if named:
            assert view.text_of(data["id"]) is None or kind != "delete"
    view.load(snapshot)
    view.load([snapshot, {"id": 1, "value": snapshot}])
    assert view.messages()


@pytest.mark.parametrize(
    ("do", "left"),
    [
        (lambda view: view.apply("update", {"id": 9, "value": {"text": "x"}}), [1, 2]),
        (lambda view: view.apply("delete", {"id": 9}), [1, 2]),
        (lambda view: view.apply("delete", {"id": 1}), [2]),
        (lambda view: view.apply("create", {"id": 2, "value": {"text": "x"}}), [1, 2]),
        (lambda view: view.apply("create", {"id": 0, "value": {}}), [1, 2]),
        (lambda view: view.apply("create", {"id": 3, "value": {}}), [2, 3]),
        (lambda view: view.apply("create", {"id": "3"}), [2, "3"]),
    ],
)
def test_small_cases(do: Callable[[ChatView], None], left: list[object]) -> None:
    view = ChatView(2)
    view.load([{"id": 1, "value": {"text": "a"}}, {"id": 2, "value": {"text": "b"}}])
    do(view)
    do(view)
    assert [one.id for one in view.messages()] == left


def test_texts() -> None:
    view = ChatView(5)
    view.load([{"id": 1, "value": {"text": "a"}}, {"id": 2, "value": 5}, {"id": 3}])
    assert [view.text_of(i) for i in (1, 2, 3, 4)] == ["a", "", "", None]


def test_without_a_window_all_is_kept_and_nothing_shown_is_created_again() -> None:
    """Ids of a personal chat are the server's own: a lower one may come later."""
    view = ChatView(0)
    view.load([{"id": 7, "value": {"text": "new"}}])
    view.apply("create", {"id": 7, "value": {"text": "as it was"}})
    assert view.text_of(7) == "new"
    for number in range(1, 600):
        view.apply("create", {"id": number, "value": {"text": str(number)}})
    assert len(view.messages()) == 599
    view.apply("delete", {"id": 7})
    assert view.text_of(7) is None
