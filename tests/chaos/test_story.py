"""Stories: every step has a sentence that a newcomer can read."""

from typing import get_args

import pytest

from harness.chaos.draw import NAMES
from harness.chaos.story import story, tell
from harness.core.schedule import CaseLimits
from harness.core.steps import (
    LASTING,
    Away,
    CursorKind,
    Probe,
    Restart,
    Step,
    Tab,
    TextKind,
    Update,
    Write,
)
from tests.chaos.samples import FAULTS, FOUND, STEPS, schedule


@pytest.mark.parametrize("step", STEPS, ids=repr)
def test_every_step_has_a_sentence(step: Step) -> None:
    sentence = tell(step)
    assert sentence.endswith((".", ":"))
    assert "None" not in sentence
    assert sentence[0].isupper() or sentence.startswith((*NAMES, "2"))


def test_every_kind_of_step_is_told() -> None:
    assert {type(step) for step in STEPS} == set(get_args(Step))
    assert {step.fault for step in FAULTS} == set(LASTING)
    assert len({tell(step) for step in FAULTS}) == len(LASTING)


def test_a_story_from_beginning_to_end() -> None:
    away = Away(whom=("alice",), missed=3, steps=(Update(), Restart(how="kill")))
    lines = story(schedule(Write(), away, mutant="deaf", found=FOUND))
    assert lines == [
        "Profile broadcast: the log keeps 2 events, the window 3 messages.",
        "The server has the deliberate bug 'deaf'.",
        "alice connects (the snapshot first).",
        "bob connects (the stream first). Its cuts are resets. It never pings.",
        "1. Somebody writes 1 message.",
        "2. alice is cut off and turned away while 3 messages are written; meanwhile:",
        "   2.1. Somebody changes the newest message.",
        "   2.2. The server is killed (SIGKILL) and starts again.",
        "Found: reset/evicted: alice was not reset",
    ]


def test_a_story_of_two_users() -> None:
    limits = CaseLimits(message_limit=3, event_log_limit=2, retention_ms=1_000)
    probe = Probe(cursor=CursorKind.HEAD, user="other")
    tabs = (Tab(name="alice", user="other"),)
    private = schedule(probe, profile="private", limits=limits, clients=tabs)
    assert story(private) == [
        "Profile private: a record keeps an event for 1000 ms.",
        "alice connects for user 'other' (the snapshot first).",
        "1. A stream is asked for by user 'other' with the newest cursor in the "
        "header.",
    ]


def test_an_odd_text_is_told_by_its_kind_and_not_by_its_length() -> None:
    odd = Write(text=TextKind.LINE_ENDS, letters=1_500)
    assert tell(odd) == "Somebody writes 1 message with odd text (line ends)."


@pytest.mark.parametrize(
    ("profile", "kept"),
    [
        ("naive", "there is no log, the window keeps 3 messages"),
        ("log", "every message is kept"),
        ("private", "a record keeps an event for its time"),
    ],
)
def test_what_is_kept_is_told_of_each_profile(profile: str, kept: str) -> None:
    assert story(schedule(profile=profile))[0] == f"Profile {profile}: {kept}."
