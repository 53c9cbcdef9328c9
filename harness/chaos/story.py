"""A schedule in plain English, for a newcomer to the finding that it led to."""

from collections.abc import Iterator, Sequence

from harness.core.fault import Close, FaultKind
from harness.core.profile import USER, Profile
from harness.core.schedule import Schedule
from harness.core.steps import (
    Away,
    Bad,
    Begins,
    Burst,
    CursorKind,
    Cut,
    CutAt,
    CutNext,
    Delete,
    During,
    LoadSnapshot,
    Open,
    PageBack,
    Pause,
    Ping,
    Place,
    Probe,
    Restart,
    Step,
    Switch,
    Tab,
    TextKind,
    Update,
    Wait,
    Whose,
    Write,
    inside,
)

INDENT = "   "

_CURSORS = {
    CursorKind.HEAD: "the newest cursor",
    CursorKind.OLD: "an older cursor whose later events are all kept",
    CursorKind.EVICTED: "a cursor whose next event is gone",
    CursorKind.PREVIOUS_LIFE: "a cursor of the life before",
    CursorKind.REUSED: "a cursor of the life before, as far as this life has come",
    CursorKind.FUTURE: "a cursor past the newest",
    CursorKind.FOREIGN: "a cursor that looks right and was never given out",
    CursorKind.MALFORMED: "something that is no cursor",
}
_PLACES = {
    Place.HEADER: "in the header",
    Place.QUERY: "in the query",
    Place.BOTH: "in the header, and the newest one in the query",
}
_WHOSE = {
    Whose.NOBODYS: "a connection that never was",
    Whose.CLOSED: "a connection that is closed",
    Whose.OPEN: "a connection that is open",
}
_WORDS = ("somebody", "everything", "nothing", "new ", "requests", "the ", "a ")
"""What a sentence may begin with that is no client's name: names stay as they are."""

_ENDS = {"term": "stopped (SIGTERM)", "kill": "killed (SIGKILL)"}


def story(schedule: Schedule) -> list[str]:
    """One sentence a line; steps are numbered, those inside a block indented."""
    lines = [f"Profile {schedule.profile}: {_kept(schedule)}."]
    if schedule.mutant:
        lines.append(f"The server has the deliberate bug {schedule.mutant!r}.")
    lines += [_tab(tab) for tab in schedule.clients]
    lines += _numbered(schedule.steps, "")
    if schedule.found is not None:
        lines.append(f"Found: {schedule.found.requirement}: {schedule.found.sentence}")
    return lines


def _kept(schedule: Schedule) -> str:
    """What the limits of the case are, as far as its profile has them."""
    limits = schedule.limits
    events = _count(limits.event_log_limit, "event")
    messages = _count(limits.message_limit, "message")
    match schedule.profile:
        case Profile.BROADCAST:
            return f"the log keeps {events}, the window {messages}"
        case Profile.NAIVE:
            return f"there is no log, the window keeps {messages}"
        case Profile.PRIVATE:
            age = f"{limits.retention_ms} ms" if limits.retention_ms else "its time"
            return f"a record keeps an event for {age}"
    return "every message is kept"


def _numbered(steps: Sequence[Step], before: str) -> Iterator[str]:
    for number, step in enumerate(steps, 1):
        mark = f"{before}{number}."
        depth = before.count(".")
        yield f"{INDENT * depth}{mark} {tell(step)}"
        yield from _numbered(inside(step), mark)


def tell(step: Step) -> str:
    """One step as a sentence; a block's ends with a colon when it has an inside."""
    sentence = _sentence(step)
    if sentence.startswith(_WORDS):
        sentence = sentence[0].upper() + sentence[1:]
    return f"{sentence}{':' if inside(step) else '.'}"


def _sentence(step: Step) -> str:
    match step:
        case Write() | Update() | Delete() | Bad():
            return _writing(step)
        case Cut() | CutAt() | CutNext() | Switch():
            return _cutting(step)
        case Open() | PageBack() | LoadSnapshot() | Probe() | Ping():
            return _asking(step)
        case Wait() | Pause() | Restart():
            return _living(step)
        case Burst() | Away() | During():
            return _block(step)


def _writing(step: Write | Update | Delete | Bad) -> str:
    match step:
        case Write():
            what = f" of {step.letters} characters" if step.letters else ""
            if step.text is not TextKind.PLAIN:  # it is as long as it is
                what = f" with odd text ({step.text.replace('-', ' ')})"
            return f"{_by(step.by)} writes {_count(step.count, 'message')}{what}"
        case Update():
            return f"{_by(step.by)} changes {_message(step.back)}"
        case Delete():
            twice = " twice at once" if step.twice else ""
            return f"{_by(step.by)} deletes {_message(step.back)}{twice}"
        case Bad():
            who = "the support side" if step.support else "somebody"
            return f"{who} sends bad input ({step.kind.replace('-', ' ')})"


def _cutting(step: Cut | CutAt | CutNext | Switch) -> str:
    match step:
        case Cut():
            after = f" after {_count(step.after_bytes, 'more byte')}"
            return f"{_cut_off(step.whom)}{after if step.after_bytes else ''}"
        case CutAt():
            return f"{step.who} is cut off {step.aim} of the next event"
        case CutNext():
            first = "leaves its connection hanging" if step.hangs else "is cut off"
            missed = f", {_written(step.missed)}" if step.missed else ""
            bytes_ = _count(step.after_bytes, "byte")
            return (
                f"{step.who} {first}{missed}, and its next connection is cut after "
                f"{bytes_} of the answer"
            )
        case Switch():
            return f"{step.who} leaves its connection hanging and makes a new one"


def _asking(step: Open | PageBack | LoadSnapshot | Probe | Ping) -> str:
    match step:
        case Open():
            return _tab(step.tab).removesuffix(".")
        case PageBack():
            return "somebody loads the snapshot and pages back to the first message"
        case LoadSnapshot():
            return "somebody loads the snapshot"
        case Probe():
            shown = f"{_CURSORS[step.cursor]} {_PLACES[step.place]}"
            whose = f" by user {step.user!r}" if step.user != USER else ""
            return f"a stream is asked for{whose} with {shown}"
        case Ping():
            whose = f" by user {step.user!r}" if step.user != USER else ""
            twice = " twice at once" if step.twice else ""
            return f"{_WHOSE[step.whose]} is pinged{whose}{twice}"


def _living(step: Wait | Pause | Restart) -> str:
    match step:
        case Wait():
            return f"{step.ms} ms pass"
        case Pause():
            return f"the server is frozen for {step.ms} ms"
        case Restart():
            when = ""
            if step.after_ms is not None:
                when = f" {step.after_ms} ms after a write was begun"
            down = f", after {step.down_ms} ms" if step.down_ms else ""
            where = " on another port" if step.other_port else ""
            return (
                f"the server is {_ENDS[step.how]}{when} and starts again{where}{down}"
            )


def _block(step: Burst | Away | During) -> str:
    within = " while this happens" if step.steps else ""
    match step:
        case Burst():
            messages = _count(step.count, "message")
            return f"{_count(step.writers, 'writer')} write {messages} at once{within}"
        case Away():
            size = f" of {step.letters} characters" if step.letters else ""
            written = f" while {_written(step.missed)}{size}" if step.missed else ""
            also = "; meanwhile" if step.steps else ""
            return f"{_cut_off(step.whom)} and turned away{written}{also}"
        case During():
            return f"{_lasting(step)}{within}"


def _lasting(step: During) -> str:
    who = _and(step.whom)
    match step.fault:
        case FaultKind.LATENCY:
            return f"everything reaches {who} {step.amount} ms late"
        case FaultKind.BANDWIDTH:
            return f"{who} gets {_count(step.amount, 'kilobyte')} a second"
        case FaultKind.SLICE:
            return f"{who} gets {_count(step.amount, 'byte')} at a time"
        case FaultKind.STALL:
            return f"nothing reaches {who} until later"
        case FaultKind.BLACK_HOLE:
            return f"the connections of {who} swallow every byte and stay open"
        case FaultKind.REFUSE:
            return f"new connections of {who} are refused"
        case FaultKind.LOST_ACK:
            return f"requests of {who} arrive, and their answers are lost"
        case FaultKind.SLOW_CLOSE:
            return (
                f"the server is killed and starts again, which {who} learns "
                f"{step.amount} ms late"
            )
        case FaultKind.PARTITION:
            return f"the network between {who} and the server is gone"
    return f"{step.fault} of {who}"


def _tab(tab: Tab) -> str:
    how = "the stream first" if tab.begins is Begins.STREAM else "the snapshot first"
    closing = " Its cuts are resets." if tab.close is Close.RST else ""
    silent = " It never pings." if not tab.pings else ""
    whose = f" for user {tab.user!r}" if tab.user != USER else ""
    return f"{tab.name} connects{whose} ({how}).{closing}{silent}"


def _cut_off(whom: Sequence[str]) -> str:
    return f"{_and(whom)} {'is' if len(whom) == 1 else 'are'} cut off"


def _written(count: int) -> str:
    return f"{_count(count, 'message')} {'is' if count == 1 else 'are'} written"


def _by(name: str) -> str:
    return name or "somebody"


def _message(back: int) -> str:
    if back == 0:
        return "the newest message"
    return f"the message {_count(back, 'place')} before the newest"


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
