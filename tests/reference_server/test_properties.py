"""Event log and decision table against a naive model that keeps everything."""

from hypothesis import given
from hypothesis import strategies as st

from reference_server.core.cursor import Cursor
from reference_server.core.event_log import Event, EventLog, Kind
from reference_server.core.frames import Frames
from reference_server.core.message import Value
from reference_server.core.rate_limit import RateLimit
from reference_server.core.record import Record
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


ARRIVALS = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 900)), max_size=40)


@given(ARRIVALS)
def test_rate_limit_against_model(gaps: list[tuple[str, int]]) -> None:
    """The model keeps every accepted message; milliseconds, whole and exact."""
    limit, accepted, now_ms = RateLimit(), list[tuple[str, int]](), 0
    for uid, gap_ms in gaps:
        now_ms += gap_ms
        recent = [ms for who, ms in accepted if who == uid and now_ms - ms < 1000]
        allowed = round(limit.wait_s(uid, now_ms / 1000), 6) == 0
        assert allowed == (not recent)
        if allowed:
            limit.note(uid, now_ms / 1000)
            accepted.append((uid, now_ms))


AGES = st.lists(st.one_of(st.integers(0, 50), st.none()), max_size=60)


@given(steps=AGES, retention_ms=st.integers(1, 80), seq=st.integers(0, 40))
def test_record_against_model(
    steps: list[int | None], retention_ms: int, seq: int
) -> None:
    """A number lets time go by and makes an event, None sweeps.

    The model keeps every event with its time; resumable is what misses none.
    """
    record = Record(EventLog(epoch="e", limit=None, render=Frames().event))
    made, now_ms = list[tuple[int, int]](), 0
    kept: list[tuple[int, int]] = []
    for step in steps:
        if step is None:
            record.prune(now_ms - retention_ms)
            kept = [pair for pair in kept if now_ms - pair[1] <= retention_ms]
        else:
            now_ms += step
            record.append(Event(Kind.CREATE, {}), now_ms)
            made.append((len(made) + 1, now_ms))
            kept.append(made[-1])
    assert [entry.seq for entry in record.log.entries] == [each for each, _ in kept]
    assert record.is_empty == (not kept)
    decision = decide(
        f"e-{seq}", epoch="e", head=record.log.head, oldest=record.log.oldest
    )
    owed = {pair[0] for pair in made if pair[0] > seq}
    resumable = seq <= len(made) and owed <= {pair[0] for pair in kept}
    assert isinstance(decision, Resume) == resumable
