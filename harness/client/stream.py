"""One connection attempt of an EventSource: httpx-sse reads, the tap records."""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import httpx
from httpx_sse import EventSource, ServerSentEvent, SSEError

from harness.client.calls import cookie_of
from harness.client.endings import close_kind, said
from harness.client.tap import Block, Flood, Span, Splitter
from harness.client.transport import url_of
from harness.core.history import Closed, CloseKind, Frame, Opened, Responded, headers_of
from harness.core.recorder import Recorder

TAIL_LIMIT = 2_048
_EVENT_STREAM = "text/event-stream"
_HEADERS = ((b"Accept", b"text/event-stream"), (b"Cache-Control", b"no-store"))


class Attempt:
    """One request for the stream, from Opened to Closed in the history.

    `header` and `query` are the cursors sent, None when not sent. `refused_source` is
    true when the answer kills the EventSource (not 200, or no event stream: WHATWG
    "fail the connection"), so that the application must make a new one. `hopeless` is
    true after more than a client can be asked to hold: another attempt is no use.
    """

    def __init__(
        self,
        *,
        recorder: Recorder,
        who: str,
        header: str | None = None,
        query: str | None = None,
        pings: bool = True,
        uid: str = "",
    ) -> None:
        self.conn = recorder.next_connection()
        self.header = header
        self.query = query
        self.status: int | None = None
        self.refused_source = False
        self.hopeless = False
        self.kind: CloseKind | None = None
        self._ending = CloseKind.END
        self._who = who
        self._pings = pings
        self._uid = uid
        self._recorder = recorder
        self._splitter = Splitter()

    async def events(
        self, http: httpx.AsyncClient, path: str
    ) -> AsyncGenerator[ServerSentEvent, None]:
        """Dispatched events, as WHATWG counts them; ends when the connection does.

        An event with empty data is yielded for its id only, since WHATWG commits the
        last event id at every blank line; the caller does not dispatch it.
        """
        self._open()
        kind, error = CloseKind.CLIENT, ""
        try:
            async with aclosing(self._read(http, path)) as events:
                async for event in events:
                    yield event
            kind = CloseKind.CLIENT if self.refused_source else self._ending
        except (httpx.TransportError, httpx.DecodingError) as trouble:
            kind, error = close_kind(trouble), said(trouble)
        except (Flood, httpx.InvalidURL) as trouble:
            # The latter: a cursor that no URL can carry, which nobody can resume from.
            kind, error = CloseKind.GARBAGE, str(trouble)
            self.hopeless = True
        finally:
            self._close(kind, error)

    async def _read(
        self, http: httpx.AsyncClient, path: str
    ) -> AsyncGenerator[ServerSentEvent, None]:
        headers = list(_HEADERS)
        if self._uid:
            headers.append((b"Cookie", cookie_of(self._uid).encode()))
        if self.header is not None:
            headers.append((b"Last-Event-ID", _sendable(self.header)))
        params = {"lastEventId": self.query} if self.query is not None else None
        url = url_of(path)
        async with http.stream("GET", url, headers=headers, params=params) as answer:
            self._respond(answer)
            source = EventSource(self._tapped(answer))
            try:
                async with aclosing(source.aiter_sse()) as events:
                    async for event in events:
                        yield event
            except SSEError:
                self.refused_source = True

    def _open(self) -> None:
        self._recorder.add(
            Opened,
            conn=self.conn,
            who=self._who,
            header=self.header,
            query=self.query,
            pings=self._pings,
            uid=self._uid,
        )

    def _respond(self, answer: httpx.Response) -> None:
        self.status = answer.status_code
        self._recorder.add(
            Responded,
            conn=self.conn,
            status=answer.status_code,
            headers=headers_of(answer.headers),
        )
        self.refused_source = answer.status_code != 200
        if not {"transfer-encoding", "content-length"} & set(answer.headers):
            # Such a body ends with its connection, whoever cut that.
            self._ending = CloseKind.FIN

    def _tapped(self, answer: httpx.Response) -> httpx.Response:
        """The answer again, its decoded body going through the tap."""
        kind = answer.headers.get("content-type", "").partition(";")[0]
        if answer.status_code == 200 and kind.strip().lower() == _EVENT_STREAM:
            # WHATWG decodes as UTF-8 less its byte order mark, whatever the charset.
            kind = f"{_EVENT_STREAM}; charset=utf-8-sig"
        else:
            kind = "not/an-event-stream"
        headers = {"content-type": kind}
        return httpx.Response(200, headers=headers, stream=_Tap(self, answer))

    def tap(self, data: bytes) -> None:
        """Record the blocks that these bytes complete."""
        for block in self._splitter.feed(data, self._recorder.now()):
            self._recorder.add(Frame, conn=self.conn, **_frame(block))

    def _close(self, kind: CloseKind, error: str) -> None:
        self.kind = kind
        tail = self._splitter.tail[:TAIL_LIMIT].decode("utf-8", "backslashreplace")
        self._recorder.add(
            Closed,
            conn=self.conn,
            kind=kind,
            received=self._splitter.received,
            tail=tail,
            error=error[:500],
            quiet=_rounded(self._splitter.silence(self._recorder.now())),
        )


class _Tap(httpx.AsyncByteStream):
    def __init__(self, attempt: Attempt, answer: httpx.Response) -> None:
        self._attempt = attempt
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._answer.aiter_bytes():
            self._attempt.tap(part)
            yield part

    async def aclose(self) -> None:
        await self._answer.aclose()


def _sendable(cursor: str) -> bytes:
    """A cursor as a header value: UTF-8 (WHATWG), less what HTTP cannot carry."""
    return re.sub(rb"[\x00-\x1f\x7f]", b"", cursor.encode("utf-8", "replace")).strip()


def _rounded(span: Span | None) -> Span | None:
    return None if span is None else (round(span[0], 6), round(span[1], 6))


def _frame(block: Block) -> dict[str, object]:
    fields: dict[str, object] = {
        "offset": block.offset,
        "began_s": round(block.began_s, 6),
        "chunks": block.chunks,
        "quiet": _rounded(block.quiet),
    }
    try:
        fields["text"] = block.data.decode("utf-8")
    except UnicodeDecodeError:
        fields["text"] = block.data.decode("utf-8", "replace")
        fields["raw"] = block.data
    return fields
