"""Histories made by hand: a small right server and clients that write records.

A story is right by itself; a test plants a fault by switching one behaviour off or by
changing records afterwards (`Story.history(edit)`), and asks what `judge` says.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from harness.checkers import judge
from harness.core.fault import Fault, FaultKind
from harness.core.history import (
    FORMAT,
    VERSION,
    WITNESS,
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
    Lag,
    Life,
    LifePhase,
    Message,
    Note,
    Ok,
    Opened,
    Request,
    Responded,
    View,
)
from harness.core.limits import Limits, Tolerances
from harness.core.verdict import CaseJudgement, Judgement, Verdict

Edit = Callable[[list[AnyRecord]], list[AnyRecord]]
GOOD_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
}
TICK_S = 0.01


@dataclass
class Stream:
    """An open connection as server and client see it."""

    number: int
    who: str
    cursor: str | None
    ping_id: str
    offset: int = 0
    open: bool = True
    deaf: bool = False


@dataclass
class Server:
    """What a right server keeps: two caches and the database below them."""

    message_limit: int
    log_limit: int
    life: int = 1
    epoch: str = "e1"
    seq: int = 0
    next_id: int = 1
    clock_ms: int = 1_000
    window: list[dict[str, Any]] = field(default_factory=list)
    store: list[dict[str, Any]] = field(default_factory=list)
    log: list[tuple[int, str]] = field(default_factory=list)

    @property
    def head(self) -> str:
        return f"{self.epoch}-{self.seq}"

    def restart(self) -> None:
        self.life += 1
        self.epoch, self.seq, self.log = f"e{self.life}", 0, []
        self.window = [dict(m) for m in self.store[-self.message_limit :]]
        for number, message in enumerate(self.window, 1):
            message["id"] = number
        self.next_id = len(self.window) + 1

    def commit(self, kind: str, data: dict[str, Any]) -> str:
        self.seq += 1
        text = f"event: {kind}\nid: {self.head}\ndata: {json.dumps(data)}\n\n"
        self.log.append((self.seq, text))
        del self.log[: -self.log_limit]
        return text


class Story:
    """Writes the records of a case, one call after the other."""

    def __init__(
        self,
        *requirements: str,
        message_limit: int = 5,
        log_limit: int = 10,
        settle_ms: int = 3_000,
        lives: bool = True,
    ) -> None:
        self.records: list[AnyRecord] = []
        self.t_s = 0.0
        self.server = Server(message_limit, log_limit)
        self.streams: list[Stream] = []
        self.cursors: dict[str, str | None] = {}
        self.walks = self.texts = 0
        self.walking = 0
        self.pings: dict[str, float] = {}
        limits = Limits(
            message_limit=message_limit,
            event_log_limit=log_limit,
            ping_interval_ms=1_000,
            ping_grace_ms=1_000,
            keepalive_ms=1_000,
        )
        self.header = Header(
            format=FORMAT,
            version=VERSION,
            scenario="story",
            requirements=requirements,
            arm="live",
            seed=1,
            target="story",
            profile="broadcast",
            limits=limits,
            tolerances=Tolerances(settle_ms=settle_ms),
            retry_ms=100,
        )
        if lives:
            self.life(LifePhase.STARTED, empty=True)
            self.life(LifePhase.READY)

    # records

    def add(self, kind: type[Any], /, **fields: Any) -> int:
        """Append a record a tick later; its number."""
        self.t_s = round(self.t_s + TICK_S, 6)
        n = len(self.records) + 1
        if kind is Frame:
            fields.setdefault("began_s", self.t_s)
        self.records.append(kind(n=n, t_s=self.t_s, **fields))
        return n

    def wait(self, seconds: float) -> None:
        """Let time pass with keep-alives and pings as they are due."""
        until_s = self.t_s + seconds
        while self.t_s + 0.5 < until_s:
            self.t_s += 0.5
            for stream in self.streams:
                if stream.open and not stream.deaf:
                    self.frame(stream, ": keep-alive\n\n")
            for stream in self.streams:
                if stream.open and not stream.deaf and stream.ping_id in self.pings:
                    self.ping(stream.who, stream.ping_id)
        self.t_s = max(self.t_s, until_s)

    def life(self, phase: LifePhase, **fields: Any) -> None:
        self.add(Life, life=self.server.life, phase=phase, **fields)

    # streams

    def open(
        self,
        who: str,
        *,
        header: str | None = None,
        query: str | None = None,
        pings: bool = True,
    ) -> Stream:
        """Open a stream; the server pings, then replays, resets or goes live."""
        cursor = header if header is not None else query
        number = sum(isinstance(r, Opened) for r in self.records) + 1
        stream = Stream(number, who, cursor, f"c{number}")
        self.add(Opened, conn=number, who=who, header=header, query=query, pings=pings)
        self.add(Responded, conn=number, status=200, headers=dict(GOOD_HEADERS))
        self.streams.append(stream)
        ping = json.dumps({"id": stream.ping_id, "interval": 1000})
        if pings:
            self.pings[stream.ping_id] = self.t_s
        if cursor is None:
            self.cursors[who] = self.server.head
            self.frame(stream, f"event: ping\nid: {self.server.head}\ndata: {ping}\n\n")
            return stream
        self.frame(stream, f"event: ping\ndata: {ping}\n\n")
        self._resume(stream, cursor)
        return stream

    def _resume(self, stream: Stream, cursor: str) -> None:
        reason = self._why_reset(cursor)
        if reason:
            data = json.dumps({"reason": reason})
            self.frame(stream, f"event: reset\ndata: {data}\n\n")
            self.cursors[stream.who] = None
            self.close(stream, CloseKind.END)
            return
        after = int(cursor.split("-")[1])
        for seq, text in self.server.log:
            if seq > after:
                self.deliver(stream, text)

    def _why_reset(self, cursor: str) -> str:
        epoch, _, seq = cursor.partition("-")
        if not seq.isdecimal() or not epoch.startswith("e"):
            return "unknown"
        if epoch != self.server.epoch:
            return "restarted" if epoch < self.server.epoch else "unknown"
        if int(seq) > self.server.seq:
            return "unknown"
        oldest = self.server.log[0][0] if self.server.log else self.server.seq + 1
        return "" if int(seq) >= oldest - 1 else "evicted"

    def resume(self, who: str, **fields: Any) -> Stream:
        """Come back with the last cursor, like a browser."""
        return self.open(who, header=self.cursors.get(who), **fields)

    def frame(self, stream: Stream, text: str) -> None:
        self.add(Frame, conn=stream.number, offset=stream.offset, text=text)
        stream.offset += len(text.encode())

    def deliver(self, stream: Stream, text: str) -> None:
        self.frame(stream, text)
        self.cursors[stream.who] = text.split("id: ")[1].split("\n")[0]

    def close(self, stream: Stream, kind: CloseKind = CloseKind.CLIENT) -> None:
        if stream.open:
            stream.open = False
            self.add(Closed, conn=stream.number, kind=kind, received=stream.offset)

    def cut(self, stream: Stream, kind: CloseKind = CloseKind.FIN) -> None:
        """The harness cuts a stream, and sees that it did."""
        fault = Fault(kind=FaultKind.CUT, whom=(stream.who,))
        call = self.add(Invoke, who="nemesis", f=F.FAULT, fault=fault)
        self.close(stream, kind)
        self.add(Ok, call=call, effect=kind)

    def broadcast(self, text: str, skip: Sequence[Stream] = ()) -> None:
        for stream in self.streams:
            if stream.open and not stream.deaf and stream not in skip:
                self.deliver(stream, text)

    # writes

    def write(
        self,
        kind: F,
        *,
        who: str = "writer",
        about: str = "",
        text: str = "",
        nonce: str = "",
        commit: Callable[[], tuple[str, Any] | None],
        lost: bool = False,
        skip: Sequence[Stream] = (),
    ) -> Any:
        """One write: Invoke, its event to everybody, Ok (Info when `lost`)."""
        body = json.dumps({"author": "a", "text": text, "nonce": nonce})
        call = self.add(
            Invoke,
            who=who,
            f=kind,
            about=about,
            text=text,
            nonce=nonce,
            request=Request(method="POST", path="/", body=body),
        )
        done = commit()
        if done is None:
            error = '{"error": {"code": "not_found", "message": "gone"}}'
            self.add(Fail, call=call, answer=Answer(status=404, body=error))
            return None
        frame, answer = done
        self.broadcast(frame, skip)
        if lost:
            self.add(Info, call=call, error="timeout")
        else:
            body = json.dumps(answer) if answer is not None else ""
            self.add(Ok, call=call, answer=Answer(status=200, body=body))
        return answer["id"] if answer else None

    def create(self, **fields: Any) -> Any:
        """Create a message; its window id."""
        self.texts += 1
        text, nonce = f"text {self.texts}", f"nonce {self.texts}"
        same_time = fields.pop("same_time", False)

        def commit() -> tuple[str, Any]:
            server = self.server
            server.clock_ms += 0 if same_time else 1
            value = {
                "author": "a",
                "text": text,
                "createdAt": server.clock_ms,
                "nonce": nonce,
            }
            message = {"id": server.next_id, "value": value}
            server.next_id += 1
            server.store.append(message)
            server.window.append(message)
            del server.window[: -server.message_limit]
            return server.commit("create", message), json.loads(json.dumps(message))

        return self.write(F.CREATE, text=text, nonce=nonce, commit=commit, **fields)

    def update(self, about: Any, **fields: Any) -> Any:
        """Change a message's text; None when it was refused."""
        self.texts += 1
        text = f"text {self.texts}"

        def commit() -> tuple[str, Any] | None:
            server = self.server
            message = self._interactive(about)
            if message is None:
                return None
            server.clock_ms += 1
            value = {**message["value"], "text": text, "updatedAt": server.clock_ms}
            self._stored(message)["value"] = message["value"] = value
            data = {"id": about, "value": value}
            return server.commit("update", data), data

        return self.write(
            F.UPDATE, about=str(about), text=text, commit=commit, **fields
        )

    def delete(self, about: Any, **fields: Any) -> Any:
        """Delete a message; nothing happens when it is not interactive."""

        def commit() -> tuple[str, Any] | None:
            message = self._interactive(about)
            if message is None:
                return None
            stored = self._stored(message)
            self.server.window.remove(message)
            self.server.store.remove(stored)
            return self.server.commit("delete", {"id": about}), None

        return self.write(F.DELETE, about=str(about), commit=commit, **fields)

    def _interactive(self, about: Any) -> dict[str, Any] | None:
        found = [m for m in self.server.window if m["id"] == about]
        return found[0] if found else None

    def _stored(self, message: dict[str, Any]) -> dict[str, Any]:
        nonce = message["value"]["nonce"]
        return next(m for m in self.server.store if m["value"]["nonce"] == nonce)

    # calls

    def call(
        self, who: str, f: F, answer: Answer, failed: bool = False, **fields: Any
    ) -> int:
        """One call that is not a write, answered at once."""
        call = self.add(Invoke, who=who, f=f, **fields)
        self.add(Fail if failed else Ok, call=call, answer=answer)
        return call

    def snapshot(self) -> dict[str, Any]:
        """What /init answers."""
        server = self.server
        body: dict[str, Any] = {
            "messages": json.loads(json.dumps(server.window)),
            "limit": server.message_limit,
            "cursor": server.head,
        }
        if len(server.store) >= server.message_limit and server.window:
            body["oldest"] = server.window[0]["value"]["createdAt"]
        return body

    def init(self, who: str = WITNESS) -> dict[str, Any]:
        body = self.snapshot()
        self.call(who, F.INIT, Answer(status=200, body=json.dumps(body)))
        return body

    def walk(self, who: str = WITNESS, page: int = 3) -> None:
        """Take a snapshot and page back to the first message."""
        snapshot = self.init(who)
        shown = {m["value"]["nonce"] for m in snapshot["messages"]}
        older = [m for m in self.server.store if m["value"]["nonce"] not in shown]
        self.walks += 1
        while True:
            items = older[-page:] if older else []
            older = older[: len(older) - len(items)]
            body = json.dumps({"messages": [{"value": m["value"]} for m in items]})
            answer = Answer(status=200, body=body)
            self.call(who, F.HISTORY, answer, walk=self.walks)
            if not items:
                return

    def ping(self, who: str, about: str) -> None:
        known = any(s.open and s.ping_id == about for s in self.streams)
        answer = Answer(status=204 if known else 404)
        self.call(who, F.PING, answer, failed=not known, about=about)

    def bad_input(self, label: str = "no json", text: str = "marker 1") -> None:
        body = '{"error": {"code": "bad_json", "message": "no JSON"}}'
        answer = Answer(status=400, body=body)
        self.call("writer", F.BAD_INPUT, answer, failed=True, about=label, text=text)

    # lives

    def stop(self, how: str = "kill") -> None:
        """End the server and see every stream end."""
        kind = FaultKind.KILL if how == "kill" else FaultKind.TERM
        fault = Fault(kind=kind)
        call = self.add(Invoke, who="nemesis", f=F.FAULT, fault=fault)
        self.life(LifePhase.ENDING, how=how)
        for stream in self.streams:
            self.close(stream, CloseKind.FIN)
        self.life(LifePhase.EXITED, how=how, status=-9)
        self.add(Ok, call=call, effect="exited")

    def restart(self, how: str = "kill") -> None:
        """Stop, start again on the same data, and bring the witness back."""
        self.stop(how)
        self.server.restart()
        self.life(LifePhase.STARTED)
        self.life(LifePhase.READY)
        self.resume(WITNESS)
        self.begin()

    def begin(self, who: str = WITNESS) -> Stream:
        """Stream first, then snapshot: how a client starts anew."""
        stream = self.open(who)
        self.init(who)
        return stream

    # the end

    def end(self, *, settle: bool = True) -> "Story":
        """Settle, show every view, take the last snapshot, and end."""
        if settle:
            self.wait(0.8)
        live = dict.fromkeys(s.who for s in self.streams if s.open)
        for who in live:
            messages = tuple(
                Message(id=m["id"], value=m["value"]) for m in self.server.window
            )
            self.add(View, who=who, messages=messages)
        self.init()
        self.add(End)
        return self

    def fault(
        self, kind: FaultKind, *whom: str, effect: bool = True, **fields: Any
    ) -> Callable[[], None]:
        """A fault that lasts; call what it returns to heal it."""
        fault = Fault(kind=kind, whom=whom, **fields)
        call = self.add(Invoke, who="nemesis", f=F.FAULT, fault=fault)

        def heal() -> None:
            if effect:
                self.add(Ok, call=call, effect="seen")
            else:
                self.add(Info, call=call, error="no effect seen")

        return heal

    def note(self, text: str) -> None:
        self.add(Note, text=text)

    def lag(self, lag_s: float) -> None:
        self.add(Lag, lag_s=lag_s)

    def history(self, *edits: Edit) -> History:
        """The history, after edits of its records."""
        records = list(self.records)
        for edit in edits:
            records = edit(records)
        return History(
            header=self.header,
            records=renumber(records),
            torn=not (records and isinstance(records[-1], End)),
        )

    def judged(self, *edits: Edit) -> CaseJudgement:
        return judge(self.history(*edits))


def renumber(records: Sequence[AnyRecord]) -> tuple[AnyRecord, ...]:
    """Number records from 1 again, completions with them."""
    numbers = {id(record): n for n, record in enumerate(records, 1)}
    old = {r.n: numbers[id(r)] for r in records}
    changed = []
    for record in records:
        fields: dict[str, Any] = {"n": numbers[id(record)]}
        if isinstance(record, Ok | Fail | Info):
            fields["call"] = old.get(record.call, 0)
        changed.append(msgspec.structs.replace(record, **fields))
    return tuple(changed)


def edit_frames(
    change: Callable[[Frame], Frame | list[Frame] | None],
    where: Callable[[Frame], bool],
) -> Edit:
    """Change, drop (None) or multiply (list) the frames picked by `where`."""

    def edit(records: list[AnyRecord]) -> list[AnyRecord]:
        out: list[AnyRecord] = []
        for record in records:
            if isinstance(record, Frame) and where(record):
                made = change(record)
                out += made if isinstance(made, list) else [made] if made else []
            else:
                out.append(record)
        return out

    return edit


def drop(conn: int, word: str) -> Edit:
    """Take away the frames of a connection that hold a word."""
    return edit_frames(lambda _: None, lambda f: f.conn == conn and word in f.text)


def alter(old: str, new: str, conn: int | None = None) -> Edit:
    """Replace a word in frames."""
    return edit_frames(
        lambda f: msgspec.structs.replace(f, text=f.text.replace(old, new)),
        lambda f: conn in (None, f.conn) and old in f.text,
    )


def change(kind: type[Any], where: Callable[[Any], bool], /, **fields: Any) -> Edit:
    """Change fields of other records."""

    def edit(records: list[AnyRecord]) -> list[AnyRecord]:
        return [
            msgspec.structs.replace(r, **fields)
            if isinstance(r, kind) and where(r)
            else r
            for r in records
        ]

    return edit


def of(judged: CaseJudgement, slug: str) -> Judgement | None:
    """The judgement of one requirement."""
    return next((j for j in judged.judgements if j.requirement == slug), None)


def verdict(judged: CaseJudgement, slug: str) -> Verdict | None:
    found = of(judged, slug)
    return found.verdict if found else None


def failed(judged: CaseJudgement) -> list[str]:
    """The slugs that are not passed, with their first sentence."""
    return [
        f"{j.requirement}: {j.findings[0].sentence if j.findings else '(unseen)'}"
        for j in judged.judgements
        if j.verdict is not Verdict.PASS
    ]


def caught(story: Story, slug: str, *edits: Edit) -> str:
    """Assert that a requirement is found broken; its first sentence."""
    found = of(story.judged(*edits), slug)
    assert found is not None, f"{slug} was not looked at"
    assert found.verdict is Verdict.FAIL, (found.verdict, found.findings)
    broken = [one for one in found.findings if one.sentence]
    assert broken
    assert all(0 < n <= len(story.history(*edits).records) for n in broken[0].ops)
    return broken[0].sentence


def spared(story: Story, slug: str, *edits: Edit) -> None:
    """Assert that a requirement was looked at and holds."""
    found = of(story.judged(*edits), slug)
    assert found is not None, f"{slug} was not looked at"
    assert found.verdict is Verdict.PASS, found.findings


def unseen(story: Story, slug: str, *edits: Edit) -> None:
    """Assert that nothing was held against anybody, nor for."""
    assert of(story.judged(*edits), slug) is None
