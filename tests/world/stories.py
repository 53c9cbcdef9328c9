"""Records by hand: who saw what, when, on which connection."""

from typing import Any

import msgspec

from harness.core.history import (
    WITNESS,
    Answer,
    AnyRecord,
    Behind,
    Closed,
    CloseKind,
    Fail,
    Frame,
    Hold,
    Info,
    Invoke,
    Life,
    LifePhase,
    Ok,
    Opened,
    Responded,
)
from harness.core.nginx import Nginx

W, A, B = 1, 2, 3  # connections of the witness, alice and bob


def frame(conn: int, number: int, t_s: float, **fields: Any) -> Frame:
    data = msgspec.json.encode({"id": number, "value": {"text": f"m{number}"}})
    text = f"event: create\nid: {number}\ndata: {data.decode()}\n\n"
    given = {"text": text, "offset": 0} | fields
    return Frame(n=0, t_s=t_s, conn=conn, began_s=t_s, **given)


def keepalive(conn: int, t_s: float, **fields: Any) -> Frame:
    return frame(conn, 0, t_s, text=": hi\n\n", **fields)


def opened(conn: int, who: str, t_s: float = 0.0) -> Opened:
    return Opened(n=0, t_s=t_s, conn=conn, who=who)


def spelled(conn: int, number: int, t_s: float, **fields: Any) -> Frame:
    """The same event as that of `frame`, to the letter different."""
    data = f'{{"value":\r\ndata: {{"text": "\\u006d{number}"}}, "id": {number}}}'
    text = f": to {conn}\r\ndata:{data}\r\nid:{number}\r\nevent:create\r\n\r\n"
    return frame(conn, number, t_s, text=text, **fields)


def responded(conn: int, headers: dict[str, str]) -> Responded:
    return Responded(n=0, t_s=0.0, conn=conn, status=200, headers=headers)


def closed(conn: int, kind: CloseKind, t_s: float, **fields: Any) -> Closed:
    return Closed(n=0, t_s=t_s, conn=conn, kind=kind, **fields)


def behind(who: str, **settings: Any) -> Behind:
    return Behind(n=0, t_s=0.0, who=who, nginx=Nginx(**settings))


def life(phase: LifePhase, t_s: float, **fields: Any) -> Life:
    return Life(n=0, t_s=t_s, life=1, phase=phase, **fields)


def invoke(who: str, t_s: float, **fields: Any) -> Invoke:
    return Invoke(n=0, t_s=t_s, who=who, **fields)


def info(call: int, t_s: float) -> Info:
    return Info(n=0, t_s=t_s, call=call, error="no answer")


def failed(call: int, t_s: float) -> Info:
    return Info(n=0, t_s=t_s, call=call, answer=Answer(status=503))


def refused(call: int, t_s: float) -> Fail:
    return Fail(n=0, t_s=t_s, call=call, answer=Answer(status=400))


def hold(t_s: float, *, ends: bool = False) -> Hold:
    return Hold(n=0, t_s=t_s, call=0, ends=ends)


def ok(call: int, t_s: float) -> Ok:
    return Ok(n=0, t_s=t_s, call=call)


BEFORE: tuple[AnyRecord, ...] = (
    opened(W, WITNESS),
    opened(A, "alice"),
    opened(B, "bob"),
    frame(W, 1, 0.5),
    frame(A, 1, 0.5),
    frame(B, 1, 0.5),
)
"""Three open streams that have seen one event; faults begin after it."""


def history(*after: AnyRecord) -> list[AnyRecord]:
    return [
        msgspec.structs.replace(record, n=number)
        for number, record in enumerate([*BEFORE, *after], 1)
    ]
