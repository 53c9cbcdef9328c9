"""A chat as somebody else would write it: module state, StreamingResponse, sqlite3.

It conforms but for this: nobody looks whether a connection is still pinged, and the
database is asked on the loop, which waits for it, also by what /init is here.
"""

import asyncio
import itertools
import json
import os
import sqlite3
import time
import uuid

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

LOG = int(os.environ["CHAT_LOG"])
WINDOW = int(os.environ["CHAT_WINDOW"])
STREAM = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
MOST = {"author": 200, "text": 10_000, "nonce": 200}
PAGE = 100

db = sqlite3.connect(os.environ["CHAT_DB"], check_same_thread=False)
db.execute("create table if not exists chat (at integer primary key, value text)")
db.commit()

life = uuid.uuid4().hex[:6]
log = []
seen = 0
streams = {}
window_ids = itertools.count(1)
newest = db.execute("select value from chat order by at desc limit ?", (WINDOW,))
window = {next(window_ids): json.loads(v) for (v,) in reversed(newest.fetchall())}


def answer(body, status=200):
    return JSONResponse(body, status, headers={"Cache-Control": "no-store"})


def refuse(status, code):
    return answer({"error": {"code": code, "message": code}}, status)


async def read(request, needed):
    """A body's fields, or None when something is wrong with them."""
    try:
        raw = await request.body()
        body = json.loads(raw)
    except (ValueError, RecursionError, ClientDisconnect):
        return None
    if not isinstance(body, dict) or len(raw) > 65_536:
        return None
    for name, most in MOST.items():
        value = body.get(name, "x" if name not in needed else None)
        if not isinstance(value, str) or not 1 <= len(value) <= most:
            return None
    return body


def tell(kind, data):
    global seen
    seen += 1
    frame = f"event: {kind}\nid: {life}.{seen}\ndata: {json.dumps(data)}\n\n"
    log.append((seen, frame))
    del log[:-LOG]
    for queue in streams.values():
        queue.put_nowait(frame)


async def ready(_):
    return answer({})


async def init(_):
    (stored,) = db.execute("select count(*) from chat").fetchone()
    messages = [{"id": n, "value": value} for n, value in window.items()]
    body = {"messages": messages, "limit": WINDOW, "cursor": f"{life}.{seen}"}
    if stored >= WINDOW and messages:
        body["oldest"] = messages[0]["value"]["createdAt"]
    return answer(body)


async def history(request):
    try:
        before = int(request.query_params["loadFrom"])
    except (KeyError, ValueError):
        before = -1
    if not 0 <= before < 2**53:
        return refuse(400, "bad_query")
    found = db.execute(
        "select value from chat where at < ? order by at desc limit ?", (before, PAGE)
    )
    page = [{"value": json.loads(value)} for (value,) in reversed(found.fetchall())]
    return answer({"messages": page})


async def create(request):
    value = await read(request, ("author", "text"))
    if value is None:
        return refuse(400, "bad_message")
    (last,) = db.execute("select max(at) from chat").fetchone()
    at = max(int(time.time() * 1000), (last or 0) + 1)
    kept = {name: value[name] for name in MOST if name in value} | {"createdAt": at}
    db.execute("insert into chat values (?, ?)", (at, json.dumps(kept)))
    db.commit()
    message = {"id": next(window_ids), "value": kept}
    window[message["id"]] = kept
    if len(window) > WINDOW:
        del window[next(iter(window))]
    tell("create", message)
    return answer(message, 201)


def interactive(request):
    text = request.path_params["id"]
    return window.get(int(text)) if text.isascii() and text.isdigit() else None


async def update(request):
    body, old = await read(request, ("text",)), interactive(request)
    if body is None or old is None:
        return refuse(404 if body else 400, "cannot_update")
    value = old | {"text": body["text"], "updatedAt": int(time.time() * 1000)}
    db.execute(
        "update chat set value = ? where at = ?", (json.dumps(value), old["createdAt"])
    )
    db.commit()
    message = {"id": int(request.path_params["id"]), "value": value}
    window[message["id"]] = value
    tell("update", message)
    return answer(message)


async def delete(request):
    old = interactive(request)
    if old is None:
        return refuse(404, "cannot_delete")
    db.execute("delete from chat where at = ?", (old["createdAt"],))
    db.commit()
    number = int(request.path_params["id"])
    del window[number]
    tell("delete", {"id": number})
    return Response(status_code=204)


def missed(cursor):
    """Frames after a cursor, None when it is not of this life or too old."""
    epoch, _, number = cursor.partition(".")
    if epoch != life or not (number.isascii() and number.isdigit()):
        return None
    if not seen - len(log) <= int(number) <= seen:
        return None
    return [frame for n, frame in log if n > int(number)]


async def events(request):
    name = uuid.uuid4().hex
    hello = json.dumps({"id": name, "interval": int(os.environ["CHAT_PING"])})
    cursor = request.headers.get("last-event-id")
    cursor = cursor or request.query_params.get("lastEventId")
    if not cursor:
        first = [f"event: ping\nid: {life}.{seen}\ndata: {hello}\n\n"]
    elif (replay := missed(cursor)) is not None:
        first = [f"event: ping\ndata: {hello}\n\n", *replay]
    else:
        reset = 'event: reset\ndata: {"reason": "unknown"}\n\n'
        frames = iter([f"event: ping\ndata: {hello}\n\n" + reset])
        return StreamingResponse(frames, headers=STREAM, media_type="text/event-stream")
    streams[name] = asyncio.Queue()
    return StreamingResponse(
        stream(name, first), headers=STREAM, media_type="text/event-stream"
    )


async def stream(name, first):
    try:
        for frame in first:
            yield frame
        while True:
            try:
                yield await asyncio.wait_for(streams[name].get(), 0.5)
            except TimeoutError:
                yield ": still here\n\n"
    finally:
        del streams[name]


async def ping(request):
    name = request.query_params.get("id")
    if not name:
        return refuse(400, "which")
    return Response(status_code=204) if name in streams else refuse(404, "gone")


app = Starlette(
    routes=[
        Route("/ready", ready),
        Route("/state", init),
        Route("/older", history),
        Route("/say", create, methods=["POST"]),
        Route("/said/{id}", update, methods=["PATCH"]),
        Route("/said/{id}", delete, methods=["DELETE"]),
        Route("/listen", events),
        Route("/alive", ping, methods=["POST"]),
    ]
)
