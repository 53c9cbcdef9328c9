"""The reference server behind a front that is honest but for one hostile detail.

usage: lookalike.py MODE PORT REFERENCE-SERVER-ARGUMENTS...
"""

import asyncio
import json
import os
import re
import sys
from collections.abc import Callable

import httpx

MODE, PORT, ARGUMENTS = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
HUGE = "9" * 400
DEEP = "[" * 3_000 + "]" * 3_000
NOT_SO_DEEP = "[" * 150 + "]" * 150
ESCAPES = "\x1b[31m\x1b]0;owned\x07\u202e"
Spoil = Callable[[str], str]


def field(name: str, value: str) -> Spoil:
    """Replace the value of every JSON field of this name (numbers and strings)."""
    found = re.compile(rf'("{name}":\s*)("(?:[^"\\]|\\.)*"|[-0-9.]+)')
    return lambda text: found.sub(lambda m: m[1] + value, text)


def prefixed(name: str, before: str) -> Spoil:
    """Put something into every string of this name."""
    return lambda text: re.sub(rf'("{name}":\s*")', lambda m: m[1] + before, text)


def whole(value: str) -> Spoil:
    return lambda _text: value


def in_ping(value: str) -> Spoil:
    return lambda text: field("interval", value)(text)


def retry(value: str) -> Spoil:
    return lambda text: text.replace("event: ping", f"retry: {value}\nevent: ping")


# Where it bites: the stream's text, the snapshot, the answer to POST, pages.
MODES: dict[str, dict[str, Spoil]] = {
    "honest": {},
    "interval-zero": {"events": in_ping("0")},
    "interval-negative": {"events": in_ping("-1000")},
    "interval-1e308": {"events": in_ping("1e308")},
    "interval-huge": {"events": in_ping(HUGE)},
    "interval-soon": {"events": in_ping('"soon"')},
    "interval-null": {"events": in_ping("null")},
    "connection-newline": {"events": field("id", r'"a\nb\r\n: \u0000\u001b[31m"')},
    "connection-1mb": {"events": prefixed("id", "x" * (900 << 10))},
    "retry-zero": {"events": retry("0")},
    "retry-forever": {"events": retry("999999999")},
    "retry-huge": {"events": retry("9" * 400)},
    "cursor-1mb": {"events": lambda t: re.sub(r"(?m)^id: ", "id: " + "x" * 900_000, t)},
    "cursor-escapes": {"events": lambda t: re.sub(r"(?m)^id: ", f"id: {ESCAPES}", t)},
    "init-null": {"init": whole("null")},
    "init-number": {"init": whole("17")},
    "init-list": {"init": whole("[[[]]]")},
    "init-deep": {"init": whole(DEEP)},
    "init-nan": {"init": whole('{"messages": NaN}')},
    "init-messages-null": {"init": whole('{"messages": null, "cursor": 7}')},
    "init-messages-numbers": {"init": whole('{"messages": [1, null, [], {"id": {}}]}')},
    "init-messages-deep": {
        "init": lambda t: t.replace('"messages":[', f'"messages":[{NOT_SO_DEEP},', 1)
    },
    "init-duplicate-keys": {"init": lambda t: t[:-1] + ',"messages":[],"limit":1}'},
    "init-ids-huge": {"init": field("id", HUGE)},
    "data-null": {"events": lambda t: re.sub(r"(?m)^data: .*", "data: null", t)},
    "data-deep": {"events": lambda t: re.sub(r"(?m)^data: .*", "data: " + DEEP, t)},
    "value-deep": {
        "events": lambda t: t.replace('"text":"', f'"deep":{NOT_SO_DEEP},"text":"')
    },
    "surrogates": {k: prefixed("text", r"\ud800") for k in ("events", "init")},
    "escapes": {
        k: prefixed("text", r"\u001b[31m\u001b]0;owned\u0007\u202e")
        for k in ("events", "init", "messages")
    },
    "message-id-list": {"messages": field("id", "[1]")},
    "message-id-object": {"messages": field("id", '{"a": 1}')},
    "message-id-huge": {"messages": field("id", HUGE)},
    "message-id-newline": {"messages": field("id", r'"1\n2\u0000\u001b"')},
    "message-id-slashes": {"messages": field("id", '"../../?#%zz"')},
    "message-id-1mb": {"messages": field("id", '"' + "x" * 1_000_000 + '"')},
    "message-number": {"messages": whole("7")},
    "message-deep": {"messages": whole(DEEP)},
    "created-at-deep": {
        k: field("createdAt", NOT_SO_DEEP) for k in ("init", "history")
    },
    "created-at-1mb": {
        k: field("createdAt", '"' + "x" * 100_000 + '"') for k in ("init", "history")
    },
    "created-at-newline": {
        k: field("createdAt", r'"\n\u0000"') for k in ("init", "history")
    },
    "history-endless": {
        "history": whole('{"messages": [{"value": {"text": "a", "createdAt": 5}}]}')
    },
    "headers": {},
    "drip": {},
    "dies-in-mid-stream": {},
}


def kind_of(path: str) -> str:
    return path.split("?")[0].split("/")[2] if path.count("/") >= 2 else ""


class Front:
    def __init__(self, upstream: int) -> None:
        self.http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{upstream}",
            timeout=None,
            trust_env=False,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )
        self.frames = 0

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            await self.answer(reader, writer)
        except (OSError, httpx.HTTPError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = [line.split(": ", 1) for line in lines if ": " in line]
        length = next((v for k, v in headers if k.lower() == "content-length"), "0")
        body = await reader.readexactly(int(length))
        gone = asyncio.create_task(reader.read())  # the client hangs up
        told = asyncio.create_task(self.relay(writer, method, path, headers, body))
        await asyncio.wait((gone, told), return_when=asyncio.FIRST_COMPLETED)
        for task in (gone, told):
            task.cancel()
        await asyncio.gather(gone, told, return_exceptions=True)

    async def relay(
        self,
        writer: asyncio.StreamWriter,
        method: str,
        path: str,
        headers: list[list[str]],
        body: bytes,
    ) -> None:
        kept = [
            (k.encode("latin-1"), v.encode("latin-1"))
            for k, v in headers
            if k.lower() not in ("connection", "content-length", "host")
        ]
        request = self.http.build_request(method, path, headers=kept, content=body)
        answer = await self.http.send(request, stream=True)
        try:
            lines = [f"HTTP/1.1 {answer.status_code} X"]
            lines += [
                f"{k}: {v}"
                for k, v in answer.headers.items()
                if k not in ("transfer-encoding", "content-length", "connection")
            ]
            if MODE == "headers":
                lines += [f"X-Evil: \x1b[31m{'e' * 5_000}", "X-Latin: caf\xe9"]
            chunked = answer.status_code != 204
            lines += ["Transfer-Encoding: chunked"] * chunked + ["Connection: close"]
            await self.send(writer, ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
            if chunked:
                await self.body(writer, answer, kind_of(path))
        finally:
            await answer.aclose()

    async def body(
        self, writer: asyncio.StreamWriter, answer: httpx.Response, kind: str
    ) -> None:
        spoil = MODES[MODE].get(kind, str)
        if kind == "events":
            async for part in answer.aiter_text():
                await self.chunk(writer, spoil(part))
                self.frames += part.count("event: create")
                if MODE == "dies-in-mid-stream" and self.frames >= 5:
                    os.write(1, b"fatal: core breach in mid-stream\n")
                    await asyncio.sleep(0.1)
                    os._exit(9)
        else:
            text = (await answer.aread()).decode()
            await self.chunk(writer, spoil(text) if answer.is_success else text)
        await self.send(writer, b"0\r\n\r\n")

    async def chunk(self, writer: asyncio.StreamWriter, text: str) -> None:
        data = text.encode("utf-8", "surrogatepass")
        if data:
            await self.send(writer, b"%x\r\n%s\r\n" % (len(data), data))

    async def send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        if MODE != "drip":
            writer.write(data)
            await writer.drain()
            return
        for i in range(len(data)):
            writer.write(data[i : i + 1])
            await writer.drain()
            await asyncio.sleep(0)


async def main() -> None:
    assert MODE in MODES, json.dumps(sorted(MODES))
    command = [sys.executable, "-m", "reference_server", "--port", "0", *ARGUMENTS]
    child = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    ready = (await child.stdout.readline()).decode().strip()
    try:
        front = Front(int(ready.rpartition(":")[2]))
        server = await asyncio.start_server(
            front.serve, "127.0.0.1", PORT, limit=4 << 20
        )
        async with server:
            await server.serve_forever()
    finally:
        child.terminate()


if __name__ == "__main__":
    asyncio.run(main())
