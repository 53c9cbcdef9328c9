"""Histories and results by hand: small, whole, and as hostile as asked for."""

from itertools import count
from typing import Any

from harness.core import fault
from harness.core.history import (
    FORMAT,
    VERSION,
    Answer,
    AnyRecord,
    Closed,
    CloseKind,
    End,
    F,
    Fail,
    Frame,
    Header,
    History,
    Info,
    Invoke,
    Life,
    LifePhase,
    Note,
    Ok,
    Opened,
    Request,
    Responded,
)
from harness.core.limits import Limits, Tolerances
from harness.core.requirement import Level, Profile, Requirement
from harness.core.verdict import (
    CaseJudgement,
    Finding,
    Judgement,
    Sighting,
    judge_findings,
)
from reports.fold import case_result, fold_run
from reports.result import CaseResult, Outcome, RunFacts, RunResult

LIMITS = Limits(
    message_limit=20,
    event_log_limit=50,
    ping_interval_ms=1_000,
    ping_grace_ms=500,
    keepalive_ms=2_000,
)
SSE = {"content-type": "text/event-stream", "cache-control": "no-store"}


def requirement(slug: str, level: Level = Level.MUST) -> Requirement:
    return Requirement(
        id=slug,
        level=level,
        profiles=(Profile.BROADCAST,),
        text=f"what {slug} asks for",
        source="B6.3",
    )


TABLE = {
    row.id: row
    for row in (
        requirement("event/no-loss"),
        requirement("event/order"),
        requirement("resume/within-log"),
        requirement("stream/no-store", Level.SHOULD),
        requirement("converge"),
    )
}


class Builder:
    """Writes records with rising numbers; times are given, in seconds."""

    def __init__(self) -> None:
        self.records: list[AnyRecord] = []
        self._conns = count(1)
        self._offsets: dict[int, int] = {}

    def put(self, kind: Any, t_s: float, /, **fields: Any) -> int:
        n = len(self.records) + 1
        self.records.append(kind(n=n, t_s=t_s, **fields))
        return n

    def life(self, t_s: float, phase: LifePhase, life: int = 1, how: str = "") -> int:
        return self.put(Life, t_s, life=life, phase=phase, how=how)

    def open(self, t_s: float, who: str, cursor: str | None = None) -> int:
        conn = next(self._conns)
        self._offsets[conn] = 0
        self.put(Opened, t_s, conn=conn, who=who, header=cursor)
        self.put(Responded, t_s + 0.01, conn=conn, status=200, headers=SSE)
        text = f'event: ping\ndata: {{"id": "c{conn}", "interval": 1000}}\n\n'
        self.frame(t_s + 0.012, conn, text)
        return conn

    def frame(self, t_s: float, conn: int, text: str, **fields: Any) -> int:
        offset = self._offsets[conn]
        self._offsets[conn] += len(text.encode(errors="replace"))
        return self.put(
            Frame, t_s, conn=conn, offset=offset, began_s=t_s, text=text, **fields
        )

    def event(self, t_s: float, conn: int, seq: int, text: str = "hello") -> int:
        data = f'{{"id": {seq}, "value": {{"author": "a", "text": "{text}"}}}}'
        block = f"event: create\nid: 3f-{seq}\ndata: {data}\n\n"
        return self.frame(t_s, conn, block)

    def close(self, t_s: float, conn: int, kind: CloseKind, tail: str = "") -> int:
        size = self._offsets[conn] + len(tail)
        return self.put(Closed, t_s, conn=conn, kind=kind, received=size, tail=tail)

    def write(self, t_s: float, text: str = "hello", end: str = "ok") -> int:
        request = Request(method="POST", path="/broadcast/messages", body=text)
        call = self.put(Invoke, t_s, who="writer", f=F.CREATE, request=request)
        if end == "ok":
            answer = Answer(status=201, body=f'{{"id": {call}}}')
            return self.put(Ok, t_s + 0.004, call=call, answer=answer)
        kind = Info if end == "info" else Fail
        return self.put(kind, t_s + 0.3, call=call, error="ReadTimeout: no answer")

    def fault(self, t_s: float, until_s: float, what: fault.Fault) -> int:
        call = self.put(Invoke, t_s, who="harness", f=F.FAULT, fault=what)
        self.put(Ok, until_s, call=call, effect="the client saw rst after 212 bytes")
        return call

    def history(self, scenario: str = "test_cuts.py::test_fin") -> History:
        last = max((one.t_s for one in self.records), default=0.0)
        self.put(End, last)
        return History(header=header(scenario), records=tuple(self.records))


def header(scenario: str) -> Header:
    return Header(
        format=FORMAT,
        version=VERSION,
        scenario=scenario,
        requirements=("event/no-loss",),
        arm="sim",
        seed=7,
        target="reference",
        profile="broadcast",
        limits=LIMITS,
        tolerances=Tolerances(),
        retry_ms=100,
    )


def cut_and_resumed(*, clients: int = 2, events: int = 12, span_s: float = 4.0) -> Any:
    """A history with a cut, a restart, a lost event, and the ops that prove it."""
    build = Builder()
    build.life(0.0, LifePhase.STARTED)
    build.life(0.02, LifePhase.READY)
    names = ["witness", *(f"client-{one}" for one in range(1, clients))]
    conns = {name: build.open(0.03, name) for name in names}
    step = span_s / (events + 4)
    lost = 0
    for seq in range(1, events + 1):
        now = 0.05 + seq * step
        wrote = build.write(now, f"message {seq}", "info" if seq == 5 else "ok")
        for name, conn in list(conns.items()):
            if seq == events // 2 and name == names[-1]:
                what = fault.Fault(
                    kind=fault.FaultKind.CUT, whom=(name,), close=fault.Close.RST
                )
                build.fault(now, now + step / 2, what)
                kind, tail = CloseKind.RST, "event: create\nid: 3f-"
                build.close(now + step / 2, conn, kind, tail)
                conns[name] = build.open(now + step * 0.8, name, f"3f-{seq - 1}")
                lost = wrote
            else:
                build.event(now + 0.01, conn, seq, f"message {seq}")
    done = 0.05 + (events + 1) * step
    build.put(Note, done, text="wait for convergence ended unmet after 5 s")
    build.life(done, LifePhase.ENDING, how="kill")
    for conn in conns.values():
        build.frame(
            done + step, conn, 'event: reset\ndata: {"reason": "restarted"}\n\n'
        )
        build.close(done + step * 1.2, conn, CloseKind.END)
    build.life(done + step * 1.5, LifePhase.EXITED, how="kill")
    return build.history(), lost


def broken(
    slug: str, *ops: int, sentence: str = "event 3f-6 was never delivered"
) -> Judgement:
    return judge_findings(
        slug,
        [
            Finding(
                requirement=slug, sighting=Sighting.BROKEN, ops=ops, sentence=sentence
            )
        ],
    )


def held(slug: str) -> Judgement:
    return judge_findings(slug, [Finding(requirement=slug, sighting=Sighting.HELD)] * 3)


def unclear(slug: str, sentence: str = "the cut fell inside the frame") -> Judgement:
    return judge_findings(
        slug,
        [Finding(requirement=slug, sighting=Sighting.UNCLEAR, sentence=sentence)],
    )


def case(
    name: str,
    *judgements: Judgement,
    marked: tuple[str, ...] = ("event/no-loss",),
    could_not_run: tuple[str, ...] = (),
    history: str = "histories/case.jsonl",
) -> CaseResult:
    judged = CaseJudgement(
        scenario=f"test_cuts.py::{name}",
        judgements=judgements,
        could_not_run=could_not_run,
    )
    return case_result(
        judged,
        marked,
        TABLE,
        title=f"What {name} is about.",
        history=history,
        duration_s=1.25,
    )


def not_applicable(name: str) -> CaseResult:
    return CaseResult(
        scenario=f"test_cuts.py::{name}",
        outcome=Outcome.NOT_APPLICABLE,
        reasons=("the target runs already: it cannot be restarted",),
    )


def facts(**changes: Any) -> RunFacts:
    values: dict[str, Any] = {
        "target": "reference",
        "profiles": {"broadcast": LIMITS},
        "tolerances": Tolerances(),
        "arm": "sim",
        "seed": 7,
        "versions": {"unbroken": "0.1.0", "python": "3.11.9"},
        "started_at": "2026-01-02T03:04:05Z",
        "duration_s": 12.5,
        "command": "unbroken run targets/reference.toml --sim --seed 7",
    }
    return RunFacts(**(values | changes))


def run(*cases: CaseResult, **changes: Any) -> RunResult:
    return fold_run(facts(**changes), cases, TABLE)


def mixed(lost: int = 12) -> RunResult:
    """One run with a case of every outcome."""
    return run(
        case("test_passes", held("event/no-loss"), held("event/order")),
        case("test_fails", broken("event/no-loss", lost), held("event/order")),
        case(
            "test_warns",
            held("event/no-loss"),
            broken("stream/no-store", sentence="no X-Accel-Buffering header"),
            marked=("stream/no-store", "event/no-loss"),
        ),
        case(
            "test_could_not",
            unclear("resume/within-log"),
            marked=("resume/within-log",),
            could_not_run=("fault cut of bob had no observed effect",),
        ),
        not_applicable("test_restart"),
    )


HOSTILE = (
    "</pre></details><script>alert(1)</script><img src=http://evil.test/x onerror=x>"
    "\x1b[2J\x1b]0;owned\x07\u202egnp.exe\u2066\x00\r\ud800{{7*7}}{% raw %}"
    "]]><!--&lt;\" ' onload=alert(1) [bold]x[/bold] \U000e0041"
)


def hostile() -> tuple[RunResult, History]:
    """A target that attacks every place where its bytes are shown."""
    build = Builder()
    build.life(0.0, LifePhase.STARTED)
    conn = build.open(0.1, "</title><script>alert(2)</script>", HOSTILE)
    block = f"event: {HOSTILE}\nid: {HOSTILE}\n: {HOSTILE}\ndata: {HOSTILE}\n\n"
    n = build.frame(0.2, conn, block)
    build.frame(0.3, conn, "data: " + "\u202e<script>" * 20_000 + "\n\n")
    build.frame(0.35, conn, "data: lossy\n\n", raw=b"data: \xff\xfe<b>\n\n")
    build.write(0.4, HOSTILE)
    build.put(
        Closed, 0.5, conn=conn, kind=CloseKind.GARBAGE, tail=HOSTILE, error=HOSTILE
    )
    build.put(
        Life,
        0.6,
        life=1,
        phase=LifePhase.EXITED,
        how=HOSTILE,
        output=HOSTILE,
    )
    failed = case(
        f"test_hostile[{HOSTILE}]",
        broken("event/no-loss", n, 9_999, 0, sentence=HOSTILE),
        unclear("event/order", HOSTILE),
        could_not_run=(HOSTILE,),
        history=HOSTILE,
    )
    result = run(
        failed,
        target=HOSTILE,
        profiles={HOSTILE: LIMITS},
        mutant=HOSTILE,
        command=HOSTILE,
        versions={HOSTILE: HOSTILE},
    )
    return result, build.history(HOSTILE)
