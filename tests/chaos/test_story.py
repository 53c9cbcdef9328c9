"""Stories: every step has a sentence that a newcomer can read."""

from typing import get_args

import pytest

from harness.chaos.story import story, tell
from harness.core.steps import LASTING, Away, Restart, Step, Update, Write
from tests.chaos.samples import FAULTS, FOUND, STEPS, schedule


@pytest.mark.parametrize("step", STEPS, ids=repr)
def test_every_step_has_a_sentence(step: Step) -> None:
    sentence = tell(step)
    assert sentence.endswith((".", ":"))
    assert "None" not in sentence
    assert sentence[0].isupper() or sentence.startswith(("alice", "bob", "carol", "2"))


def test_every_kind_of_step_is_told() -> None:
    assert {type(step) for step in STEPS} == set(get_args(Step))
    assert {step.fault for step in FAULTS} == set(LASTING)
    assert len({tell(step) for step in FAULTS}) == len(LASTING)


def test_a_story_from_beginning_to_end() -> None:
    away = Away(whom=("alice",), missed=3, steps=(Update(), Restart(how="kill")))
    lines = story(schedule(Write(), away, mutant="deaf", found=FOUND))
    assert lines == [
        "The log keeps 2 events, the window 3 messages.",
        "The server has the deliberate bug 'deaf'.",
        "alice connects (the snapshot first).",
        "bob connects (the stream first). Its cuts are resets. It never pings.",
        "1. Somebody writes 1 message.",
        "2. alice is cut off and turned away while 3 messages are written; meanwhile:",
        "   2.1. Somebody changes the newest message.",
        "   2.2. The server is killed (SIGKILL) and starts again.",
        "Found: reset/evicted: alice was not reset",
    ]
