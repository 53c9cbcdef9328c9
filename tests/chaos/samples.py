"""One step of every kind, and the schedule that holds them all."""

from typing import Any

from harness.core.fault import Aim, Close, FaultKind
from harness.core.schedule import CaseLimits, Found, Schedule
from harness.core.steps import (
    LASTING,
    Away,
    Bad,
    BadKind,
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
)

ALICE = Tab(name="alice")
BOB = Tab(name="bob", begins=Begins.STREAM, close=Close.RST, pings=False)
FAULTS = tuple(
    During(fault=kind, whom=("alice",), amount=high)
    for kind, (_, high) in LASTING.items()
)
STEPS: tuple[Step, ...] = (
    Write(),
    Write(by="alice", count=3, letters=2_000),
    *(Write(text=kind, count=2) for kind in TextKind),
    Update(back=1),
    Delete(back=2, by="bob"),
    Delete(twice=True),
    Cut(whom=("alice", "bob")),
    Cut(whom=("alice",), after_bytes=7),
    CutAt(who="alice", aim=Aim.ID_LINE),
    CutNext(who="alice", after_bytes=300, missed=2),
    CutNext(who="alice", after_bytes=300, hangs=True),
    Switch(who="bob"),
    Open(tab=Tab(name="carol")),
    Open(tab=Tab(name="dave", user="other")),
    PageBack(),
    LoadSnapshot(),
    *(Probe(cursor=kind, place=place) for kind in CursorKind for place in Place),
    Probe(cursor=CursorKind.HEAD, user="other"),
    *(Bad(kind=kind) for kind in BadKind),
    Bad(kind=BadKind.NO_JSON, support=True),
    *(Ping(whose=whose) for whose in Whose),
    Ping(whose=Whose.OPEN, user="other", twice=True),
    Wait(ms=20),
    Pause(ms=300),
    Restart(),
    Restart(how="kill", after_ms=3, down_ms=100),
    Restart(other_port=True),
    Burst(count=4, steps=(Cut(whom=("alice",)),)),
    Away(whom=("alice", "bob"), missed=2, steps=(Update(), Burst(count=1))),
    *FAULTS,
    During(fault=FaultKind.STALL, whom=("bob",), steps=(Away(whom=("alice",)),)),
)


def schedule(*steps: Step, **changes: Any) -> Schedule:
    fields: dict[str, Any] = {
        "target": "reference",
        "profile": "broadcast",
        "seed": 1,
        "limits": CaseLimits(message_limit=3, event_log_limit=2),
        "clients": (ALICE, BOB),
        "steps": steps,
    }
    return Schedule(**fields | changes)


EVERYTHING = schedule(*STEPS)
FOUND = Found(requirement="reset/evicted", sentence="alice was not reset")
