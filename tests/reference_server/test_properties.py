"""Event log and decision table against a naive model that keeps everything."""

from hypothesis import given
from hypothesis import strategies as st

from reference_server.core.cursor import Cursor
from reference_server.core.event_log import Event, EventLog, Kind
from reference_server.core.frames import Frames
from reference_server.core.message import Value
from reference_server.core.resume import Fresh, Reason, Reset, Resume, decide
from reference_server.core.window import Window

EPOCHS = st.sampled_from(["e", "f"])


def model(cursor: Cursor, issued: list[str], kept: set[str]) -> set[str] | Reason:
    """The events still owed after `cursor`, found by name, without arithmetic on ends.

    `issued` holds every cursor of this life in order, the one before the first event
    first; `kept` those whose event is in the log.
    """
    name = str(cursor)
    if cursor.epoch != "e":
        return Reason.RESTARTED
    if name not in issued:
        return Reason.UNKNOWN
    owed = set(issued[issued.index(name) + 1 :])
    return owed if owed <= kept else Reason.EVICTED


@given(
    limit=st.integers(1, 8),
    count=st.integers(0, 30),
    epoch=EPOCHS,
    seq=st.integers(0, 40),
)
def test_resume_against_model(limit: int, count: int, epoch: str, seq: int) -> None:
    log = EventLog(epoch="e", limit=limit, render=Frames().event)
    issued, kept = ["e-0"], list[str]()
    for number in range(count):
        entry = log.append(Event(Kind.CREATE, {"id": number}))
        issued.append(log.cursor_of(entry.seq))
        kept = ([*kept, issued[-1]])[-limit:]
    cursor = Cursor(epoch, seq)
    expected = model(cursor, issued, set(kept))
    decision = decide(str(cursor), epoch="e", head=log.head, oldest=log.oldest)
    if isinstance(expected, Reason):
        assert decision == Reset(expected)
    else:
        assert decision == Resume(seq)
        replayed = [log.cursor_of(entry.seq) for entry in log.after(seq)]
        assert replayed == [name for name in issued if name in expected]


@given(st.text(max_size=80))
def test_any_text_gets_a_decision(text: str) -> None:
    decision = decide(text, epoch="e", head=5, oldest=2)
    assert isinstance(decision, Fresh) == (text == "")
    assert isinstance(decision, Resume) == (text in {f"e-{n}" for n in range(1, 6)})


STEPS = st.lists(st.sampled_from(["add", "remove-first", "remove-last"]), max_size=60)


@given(limit=st.integers(1, 6), steps=STEPS)
def test_window_against_model(limit: int, steps: list[str]) -> None:
    """The model is the list of all ids ever, with a mark for what left."""
    window = Window(limit=limit)
    shown, made, stored = list[int](), 0, 0
    for step in steps:
        if step == "add":
            made, stored = made + 1, stored + 1
            value = Value(author="a", text="t", created_at=made)
            assert window.add(7, value).id == made
            shown = [*shown, made][-limit:]
        elif shown:
            gone = shown.pop(0 if step == "remove-first" else -1)
            window.remove(gone)
            stored -= 1
        assert [item.id for item in window.items()] == shown
        assert (window.oldest() is not None) == (stored >= limit)
