"""Histories of personal chats made by hand: a small right server of log and private."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from harness.core.history import (
    WITNESS,
    Answer,
    CloseKind,
    End,
    F,
    Fail,
    Invoke,
    LifePhase,
    Message,
    Ok,
    Opened,
    Request,
    Responded,
    View,
    witness_of,
)
from harness.core.limits import Limits
from harness.core.profile import Profile
from tests.checkers.story import GOOD_HEADERS, Story, Stream

U1, U2 = "u1-salt", "u2-salt"
RETENTION_S, SWEEP_S = 3.0, 0.5


@dataclass
class Chat:
    """One uid: what is stored, and the record in memory (profile private)."""

    uid: str
    stored: list[dict[str, Any]] = field(default_factory=list)
    record: list[tuple[float, str]] = field(default_factory=list)
    epoch: str = ""
    seq: int = 0


class Personal(Story):
    """Writes the records of a case with users, one call after the other.

    `early` are cursors that are resumed from the beginning of the record.
    """

    def __init__(
        self,
        *requirements: str,
        profile: Profile = Profile.PRIVATE,
        witnessed: bool = True,
    ) -> None:
        super().__init__(*requirements)
        self.profile = profile
        private = profile is Profile.PRIVATE
        limits = Limits(
            retention_ms=int(RETENTION_S * 1000) * private,
            prune_every_ms=int(SWEEP_S * 1000) * private,
            ping_interval_ms=1_000,
            ping_grace_ms=1_000,
            keepalive_ms=1_000,
        )
        self.header = msgspec.structs.replace(
            self.header, profile=profile, limits=limits
        )
        self.chats: dict[str, Chat] = {}
        self.users: dict[str, str] = {}
        self.early: tuple[str, ...] = ()
        self.next_id, self.epochs, self.clock_ms = 1, 0, 1_000
        if witnessed:
            self.begin()

    def chat(self, uid: str) -> Chat:
        return self.chats.setdefault(uid, Chat(uid))

    def sweep(self, uid: str) -> Chat:
        """A sweep every `SWEEP_S`; an empty record goes, and its epoch with it."""
        chat = self.chat(uid)
        swept_s = self.t_s // SWEEP_S * SWEEP_S
        chat.record = [one for one in chat.record if one[0] >= swept_s - RETENTION_S]
        if not chat.record:
            chat.epoch, chat.seq = "", 0
        return chat

    # streams

    def open(self, who: str, *, uid: str = U1, **fields: Any) -> Stream:
        """Open a stream of a user, fresh or with a cursor."""
        cursor = fields.get("header") or fields.get("query")
        number = sum(isinstance(r, Opened) for r in self.records) + 1
        stream = Stream(number, who, cursor, f"c{number}")
        self.users[who] = uid
        self.add(Opened, conn=number, who=who, uid=uid, pings=True, **fields)
        self.add(Responded, conn=number, status=200, headers=dict(GOOD_HEADERS))
        self.streams.append(stream)
        self.pings[stream.ping_id] = self.t_s
        head = "" if cursor else self.head(uid)
        line = f"id: {head}\n" if head else ""
        data = json.dumps({"id": stream.ping_id, "interval": 1000})
        self.frame(stream, f"event: ping\n{line}data: {data}\n\n")
        if not cursor:
            self.cursors[who] = head or None
        else:
            self.replay(stream, uid, cursor)
        return stream

    def head(self, uid: str) -> str:
        """Where a user's events are; "" where there is no record."""
        if self.profile is Profile.LOG:
            stored = self.chat(uid).stored
            return str(stored[-1]["id"]) if stored else "0"
        chat = self.sweep(uid)
        return f"{chat.epoch}-{chat.seq}" if chat.epoch else ""

    def replay(self, stream: Stream, uid: str, cursor: str) -> None:
        for text in self.missed(uid, cursor) or ():
            self.deliver(stream, text)
        if self.missed(uid, cursor) is None:
            self.frame(stream, 'event: reset\ndata: {"reason": "evicted"}\n\n')
            self.cursors[stream.who] = None
            self.close(stream, CloseKind.END)

    def missed(self, uid: str, cursor: str) -> list[str] | None:
        """The events after a cursor; None when that cannot be said."""
        if self.profile is Profile.LOG:
            place = int(cursor) if cursor.isdecimal() else 0
            later = [m for m in self.chat(uid).stored if m["id"] > place]
            return [event("create", str(m["id"]), m) for m in later]
        chat = self.sweep(uid)
        if cursor in self.early:
            return [text for _, text in chat.record]
        epoch, _, seq = cursor.partition("-")
        if not seq.isdecimal():
            return None
        oldest = chat.seq - len(chat.record) + 1
        if epoch != chat.epoch or not oldest - 1 <= int(seq) <= chat.seq:
            return None
        return [text for _, text in chat.record][int(seq) - oldest + 1 :]

    # writes

    def post(
        self, *, uid: str = U1, who: str = "writer", support: bool = True, **skip: Any
    ) -> Any:
        """Create a message; its id."""
        self.texts += 1
        text, nonce = f"text {self.texts} of {uid[:2]}", f"nonce {self.texts}"
        self.clock_ms += 1
        value = {"author": who, "text": text, "createdAt": self.clock_ms}
        message = {"id": self.next_id, "value": {**value, "nonce": nonce}}
        self.next_id += 1
        body = json.dumps({"author": who, "text": text, "nonce": nonce})
        call = self.invoke(
            F.CREATE, uid, who, body, text=text, nonce=nonce, support=support
        )
        self.chat(uid).stored.append(message)
        self.commit(uid, "create", message, **skip)
        self.add(Ok, call=call, answer=Answer(status=201, body=json.dumps(message)))
        return message["id"]

    def remove(self, about: Any, *, uid: str = U1, who: str = "writer") -> None:
        """Delete a message; of another it is as if it were not."""
        call = self.invoke(F.DELETE, uid, who, "", about=str(about))
        chat = self.chat(uid)
        found = [m for m in chat.stored if m["id"] == about]
        if not found:
            body = '{"error": {"code": "not_found", "message": "no such message"}}'
            self.add(Fail, call=call, answer=Answer(status=404, body=body))
            return
        chat.stored.remove(found[0])
        self.commit(uid, "delete", {"id": about})
        self.add(Ok, call=call, answer=Answer(status=204))

    def invoke(self, f: F, uid: str, who: str, body: str, **fields: Any) -> int:
        request = Request(method="POST", path="/", body=body)
        return self.add(Invoke, who=who, f=f, uid=uid, request=request, **fields)

    def commit(
        self,
        uid: str,
        kind: str,
        data: dict[str, Any],
        unless: Callable[[Stream], bool] = lambda _: False,
    ) -> None:
        """Keep and send an event."""
        chat = self.sweep(uid)
        if self.profile is Profile.PRIVATE:
            if not chat.epoch:
                self.epochs += 1
                chat.epoch = f"r{self.epochs}"
            chat.seq += 1
            text = event(kind, f"{chat.epoch}-{chat.seq}", data)
            chat.record.append((self.t_s, text))
        else:
            text = event(kind, str(data["id"]), data)
        for stream in self.streams:
            mine = self.users[stream.who] == uid
            if stream.open and mine and not unless(stream):
                self.deliver(stream, text)

    # calls

    def init(self, who: str = WITNESS, *, uid: str = "") -> dict[str, Any]:
        """The last 200 messages of a user."""
        uid = uid or self.users.get(who, U1)
        stored, head = self.chat(uid).stored, self.head(uid)
        body: dict[str, Any] = {"messages": stored[-200:], "more": len(stored) > 200}
        body |= {"cursor": head} if head else {}
        answer = Answer(status=200, body=json.dumps(body))
        self.call(who, F.INIT, answer, uid=uid)
        return body

    def walk(self, who: str = WITNESS, page: int = 200) -> None:
        """Page back to the first message."""
        uid = self.users.get(who, U1)
        shown = self.init(who)["messages"]
        older = self.chat(uid).stored[: len(self.chat(uid).stored) - len(shown)]
        before = str(shown[0]["id"]) if shown else ""
        self.walks += 1
        while before:
            items, older = older[-page:], older[:-page]
            body = json.dumps({"messages": items, "more": bool(older)})
            request = Request(method="GET", path="/", query={"before": before})
            answer = Answer(status=200, body=body)
            self.call(who, F.HISTORY, answer, walk=self.walks, uid=uid, request=request)
            before = str(items[0]["id"]) if items else ""

    def ping(self, who: str, about: str) -> None:
        known = any(s.open and s.ping_id == about for s in self.streams)
        answer = Answer(status=204 if known else 404)
        uid = self.users.get(who, U1)
        self.call(who, F.PING, answer, failed=not known, about=about, uid=uid)

    def asked(
        self,
        f: F,
        about: str,
        status: int,
        *,
        uid: str = "",
        body: str = "",
        **more: Any,
    ) -> int:
        """A call about something, answered at once."""
        answer = Answer(status=status, body=body, headers=more.pop("headers", {}))
        return self.call(
            "somebody", f, answer, failed=status >= 400, about=about, uid=uid, **more
        )

    def begin(self, who: str = WITNESS, *, uid: str = U1) -> Stream:
        """Stream first, then snapshot."""
        stream = self.open(who, uid=uid)
        self.init(who)
        return stream

    def second(self) -> Stream:
        """Another user's chat begins, with its witness."""
        return self.begin(witness_of("u2"), uid=U2)

    def resume(self, who: str, **fields: Any) -> Stream:
        """Come back with the last cursor, as who it was."""
        uid = self.users.get(who, U1)
        return self.open(who, uid=uid, header=self.cursors.get(who), **fields)

    def restart(self, how: str = "kill") -> None:
        """Records go with the server, what is stored stays."""
        self.stop(how)
        self.server.life += 1
        for chat in self.chats.values():
            chat.record, chat.epoch, chat.seq = [], "", 0
        self.life(LifePhase.STARTED)
        self.life(LifePhase.READY)
        stream = self.resume(WITNESS)
        if not stream.open:
            self.begin()

    def end(self, *, settle: bool = True) -> "Personal":
        """Every view, then the last snapshot of each witness."""
        if settle:
            self.wait(0.8)
        for who in dict.fromkeys(s.who for s in self.streams if s.open):
            stored = self.chat(self.users[who]).stored
            messages = tuple(Message(id=m["id"], value=m["value"]) for m in stored)
            self.add(View, who=who, messages=messages)
        for who in dict.fromkeys(s.who for s in self.streams):
            if who.startswith(WITNESS):
                self.init(who)
        self.add(End)
        return self


def event(kind: str, cursor: str, data: dict[str, Any]) -> str:
    return f"event: {kind}\nid: {cursor}\ndata: {json.dumps(data)}\n\n"
