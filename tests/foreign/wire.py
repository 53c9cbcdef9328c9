"""HTTP/1.1 by hand, as much of it as a chat needs: requests in, answers out.

What HTTP leaves open is spelled otherwise than usual libraries do: header names in
lower case, no reason phrase, streams that end with their connection.
"""

import asyncio
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

Json = dict[str, Any]

STREAM_HEAD = (
    b"HTTP/1.1 200 \r\n"
    b'content-type: text/event-stream;charset="UTF-8"\r\n'
    b"cache-control: private, no-store\r\n"
    b"x-accel-buffering: no\r\n"
    b"connection: close\r\n\r\n"
)


class Refused(Exception):
    """A request that is not carried out; `last` ends the connection after it."""

    def __init__(
        self,
        status: int,
        code: str,
        why: str,
        *,
        last: bool = False,
        headers: tuple[str, ...] = (),
    ) -> None:
        super().__init__(why)
        self.status, self.code, self.last, self.headers = status, code, last, headers

    def answer(self) -> bytes:
        """As bytes, with the error body that the protocol asks for."""
        body = {"error": {"code": self.code, "message": str(self)}}
        closing = ("connection: close",) if self.last else ()
        return answer(self.status, body, *self.headers, *closing)


@dataclass(frozen=True, slots=True)
class Request:
    """One request; header names in lower case, path segments and query decoded.

    `last` tells that its connection ends with the answer.
    """

    method: str
    path: tuple[str, ...]
    query: dict[str, str]
    headers: dict[str, str]
    last: bool
    body: bytes = field(default=b"", repr=False)

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies by name."""
        parts = self.headers.get("cookie", "").split(";")
        pairs = (part.strip().partition("=") for part in parts)
        return {name: value for name, _, value in pairs}

    @property
    def mark(self) -> str:
        """The cursor: "the header wins"; "" without one."""
        return self.headers.get("last-event-id") or self.query.get("lastEventId", "")

    def fields(self) -> Json:
        """The body as a JSON object."""
        try:
            found = json.loads(self.body.decode())
        except (ValueError, RecursionError):
            raise Refused(400, "not-json", "the body is no JSON") from None
        if not isinstance(found, dict):
            raise Refused(400, "not-an-object", "the body is no JSON object")
        return found


async def read_request(reader: asyncio.StreamReader, *, most: int) -> Request | None:
    """The next request; None when the peer has closed."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, OSError):
        return None
    except asyncio.LimitOverrunError:
        raise Refused(431, "head-too-long", "too many headers", last=True) from None
    first, *lines = head.decode("utf-8", "replace").split("\r\n")
    asked = re.fullmatch(r"([A-Z]+) (/\S*) HTTP/1\.([01])", first)
    if asked is None:
        raise Refused(400, "bad-request", "no HTTP/1 request", last=True)
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.lower(): value.strip(" \t") for name, _, value in pairs}
    url = urlsplit("//x" + asked[2])
    return Request(
        method=asked[1],
        path=tuple(unquote(part) for part in url.path.split("/")[1:]),
        query=dict(parse_qsl(url.query, keep_blank_values=True)),
        headers=headers,
        last=asked[3] == "0" or headers.get("connection", "").lower() == "close",
        body=await _body(reader, headers, most),
    )


async def _body(
    reader: asyncio.StreamReader, headers: dict[str, str], most: int
) -> bytes:
    size = headers.get("content-length", "0")
    if "transfer-encoding" in headers or not re.fullmatch(r"\d{1,18}", size):
        raise Refused(411, "no-length", "content-length is needed", last=True)
    if int(size) > most:
        raise Refused(413, "too-long", f"more than {most} bytes", last=True)
    return await reader.readexactly(int(size))


def answer(status: int, value: object = None, *headers: str) -> bytes:
    """An answer with a JSON body, or with none."""
    body = b"" if value is None else to_json(value, indent=1).encode()
    length = () if status == 204 else (f"content-length: {len(body)}",)
    lines = (
        f"HTTP/1.1 {status} ",
        "cache-control: no-store",
        "content-type: application/json;charset=utf-8",
        *length,
        *headers,
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def to_json(value: object, *, indent: int | None = None) -> str:
    """JSON in which what lies past Latin-1 is escaped, and the rest is not."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return re.sub("[^\0-\xff]", lambda found: json.dumps(found[0])[1:-1], text)
