"""Walks over messages that no witness saw: their order as far as times tell it."""

from typing import Any

import pytest

from harness.checkers.shown import Stroll
from harness.core.history import F
from tests.checkers.story import Story, caught, spared
from tests.checkers.test_snapshot import answers, messages


def text(name: str) -> tuple[str, str]:
    return ("writer", name)


OLD, NEW = text("old"), text("new")
A, B, C = text("a"), text("b"), text("c")


@pytest.mark.parametrize(
    ("got", "agrees"),
    [
        ([OLD, A, B, C, NEW], True),
        ([OLD, B, A, C, NEW], True),
        ([OLD, A, C, B, NEW], False),
        ([OLD, C, A, B, NEW], False),
        ([A, OLD, B, C, NEW], False),
        ([OLD, A, B, NEW, C], False),
        ([OLD, A, B, C], False),
        ([OLD, A, B, C, C, NEW], False),
    ],
)
def test_two_at_once_in_any_order_one_after_the_other_in_theirs(
    got: list[Any], agrees: bool
) -> None:
    loose = {A: (1.0, 3.0), B: (2.0, 4.0), C: (5.0, 6.0)}
    due = [OLD, A, B, C, NEW]
    stroll = Stroll(None, None, got, due, loose, known=True)  # type: ignore[arg-type]
    assert stroll.agrees(got) is agrees


def test_writes_that_nobody_saw_still_have_an_order() -> None:
    it = Story(message_limit=2)
    it.create()
    for _ in range(4):
        it.create(skip=it.streams)
    it.restart()
    it.walk("reader")
    it.end()
    spared(it, "history/pages")
    swap = messages(lambda m: [m[0], m[2], m[1], *m[3:]])
    caught(it, "history/pages", answers(F.HISTORY, swap, 0))
