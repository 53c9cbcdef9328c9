"""Events without ids: order, loss and duplicates are found, cursors never asked."""

import re

import msgspec
import pytest

from harness.core.history import CloseKind, Frame, View
from harness.core.profile import Profile
from tests.checkers.story import (
    Edit,
    Story,
    caught,
    drop,
    edit_frames,
    failed,
    of,
    spared,
)


class Naive(Story):
    """The shared chat less its ids: whoever comes back starts anew."""

    def __init__(self) -> None:
        super().__init__()
        limits = msgspec.structs.replace(self.header.limits, event_log_limit=0)
        self.header = msgspec.structs.replace(
            self.header, profile=Profile.NAIVE, limits=limits
        )

    def frame(self, stream: object, text: str) -> None:
        super().frame(stream, re.sub(r"(?m)^id: .*\n", "", text))  # type: ignore[arg-type]

    def deliver(self, stream: object, text: str) -> None:
        self.frame(stream, text)

    def resume(self, who: str, **fields: object) -> object:  # type: ignore[override]
        del fields
        return self.open(who)


def story() -> Naive:
    """Client a is cut, and starts anew; the server is restarted."""
    it = Naive()
    it.begin()
    a = it.begin("a")
    first = it.create()
    it.update(first)
    it.cut(a)
    it.create()
    it.begin("a")
    it.create()
    it.delete(first)
    it.restart()
    it.begin("a")
    it.create()
    it.create()
    it.wait(4)
    return it.end()  # type: ignore[return-value]


def test_a_right_history_is_spared() -> None:
    it = story()
    judged = it.judged()
    assert failed(judged) == []
    for slug in ("event/order", "event/no-loss", "event/no-duplicate", "converge"):
        spared(it, slug)


@pytest.mark.parametrize(
    "slug",
    ["event/has-id", "resume/at-head", "reset/restart", "init/window", "history/pages"],
)
def test_what_the_profile_does_not_have_is_not_looked_at(slug: str) -> None:
    assert of(story().judged(), slug) is None


def events_of(it: Story, conn: int) -> list[Frame]:
    return [r for r in it.records if isinstance(r, Frame) and r.conn == conn
            and "event: create" in r.text]  # fmt: skip


def swapped(one: Frame, other: Frame) -> Edit:
    texts = {one.offset: other.text, other.offset: one.text}
    return edit_frames(
        lambda f: msgspec.structs.replace(f, text=texts[f.offset]),
        lambda f: f.conn == one.conn and f.offset in texts,
    )


def test_order_loss_and_duplicates() -> None:
    it = story()
    last = it.streams[-1].number
    one, other = events_of(it, last)
    caught(it, "event/order", swapped(one, other))
    caught(it, "event/no-loss", drop(last, "text 6"))
    again = edit_frames(
        lambda f: [f, f], lambda f: f.conn == last and "text 6" in f.text
    )
    assert "an event without id twice" in caught(it, "event/no-duplicate", again)


@pytest.mark.parametrize(
    ("pings", "back_s", "excused"),
    [(True, None, False), (False, None, True), (False, 0.2, True), (False, 1, False)],
)
def test_who_never_pings_may_stand_empty_handed_between(
    pings: bool, back_s: float | None, excused: bool
) -> None:
    it = Naive()
    it.begin()
    it.create()
    mute = it.open("mute", pings=pings)
    it.wait(2.1)
    it.close(mute, CloseKind.END)
    if back_s is not None:
        it.open("mute", pings=pings)
        it.wait(back_s)
    it.add(View, who="mute", messages=())
    it.end(settle=False)
    views = [r for r in it.records if isinstance(r, View) and r.who == "mute"]
    it.records = [r for r in it.records if r not in views[1:]]
    if excused:
        spared(it, "converge")
    else:
        assert "shows 0 messages" in caught(it, "converge")
