"""The chat's HTTP calls, each an operation in the history."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from harness.client.body import LeftError, Sending, body_of
from harness.client.endings import close_kind, said
from harness.client.transport import url_of
from harness.core.history import (
    BROKEN_OFF,
    LEFT,
    Answer,
    CloseKind,
    F,
    Fail,
    Info,
    Invoke,
    Ok,
    Request,
    headers_of,
)
from harness.core.recorder import Recorder
from harness.core.target import Paths

TIMEOUT_S = 5.0
BODY_LIMIT = 2_048
ANSWER_LIMIT = 4 << 20
KEPT_OF_TRUNCATED = 64 << 10

_STREAM = "text/event-stream"
_JSON = {"Content-Type": "application/json"}

Completion = Ok | Fail | Info


def cookie_of(uid: str) -> str:
    """What names a user, on every call of a personal profile, among other cookies."""
    return f"guid=nobody; uid={uid}; lang=en"


@dataclass(slots=True)
class Manner:
    """How all participants call: `within_s` is how long each waits for an answer.

    With `afresh` every call has a connection of its own: after an error of its own a
    server may close the one that it came on, with the next call on its way already.
    """

    within_s: float | None = None
    afresh: bool = False


class Calls:
    """Calls of one participant `who`; none raises for what the target does.

    In a personal profile they are about the chat of `uid`, whose cookie they carry;
    with a `token` it is the support side that writes.
    """

    def __init__(
        self,
        *,
        http: httpx.AsyncClient,
        paths: Paths,
        recorder: Recorder,
        who: str,
        uid: str = "",
        token: str = "",
        manner: Manner | None = None,
    ) -> None:
        self.uid = uid
        self._manner = manner or Manner()
        self._http = http
        self._paths = paths
        self._recorder = recorder
        self._who = who
        self._token = token

    async def create(
        self, *, author: str, text: str, nonce: str, size: int = 0
    ) -> Completion:
        """POST a message, as the user or as the support side.

        Blanks after it make its body `size` bytes long.
        """
        body = {"author": author, "text": text, "nonce": nonce}
        path, headers = self._paths.messages, self._cookie
        if self._token:
            path = self._paths.operator.replace("{uid}", quote(self.uid, safe=""))
            headers = {"Authorization": f"Bearer {self._token}"}
        return await self._call(
            F.CREATE,
            "POST",
            path,
            content=msgspec.json.encode(body).ljust(size),
            headers=_JSON | headers,
            text=text,
            nonce=nonce,
            support=bool(self._token),
        )

    async def update(self, message_id: object, *, text: str) -> Completion:
        """PATCH a message's text."""
        return await self._call(
            F.UPDATE,
            "PATCH",
            self._path_of(message_id),
            content=msgspec.json.encode({"text": text}),
            headers=_JSON | self._cookie,
            about=_about(message_id),
            text=text,
        )

    async def delete(self, message_id: object) -> Completion:
        """DELETE a message."""
        return await self._call(
            F.DELETE,
            "DELETE",
            self._path_of(message_id),
            headers=self._cookie,
            about=_about(message_id),
        )

    async def init(self) -> Completion:
        """GET the snapshot."""
        return await self._call(
            F.INIT, "GET", self._paths.snapshot, headers=self._cookie
        )

    async def history(self, query: Mapping[str, str], *, walk: int) -> Completion:
        """GET the page of older messages that this query asks for."""
        return await self._call(
            F.HISTORY,
            "GET",
            self._paths.history,
            query=query,
            headers=self._cookie,
            walk=walk,
        )

    async def ping(self, connection: str) -> Completion:
        """POST a ping for a connection id."""
        return await self._call(
            F.PING,
            "POST",
            self._paths.ping,
            query={"id": connection},
            headers=self._cookie,
            about=connection,
        )

    async def bad_input(
        self,
        label: str,
        method: str,
        path: str,
        *,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
        marker: str = "",
        sending: Sending = Sending.WHOLE,
    ) -> Completion:
        """Send what must be refused; `marker` may never be stored or sent."""
        return await self._call(
            F.BAD_INPUT,
            method,
            path,
            content=content,
            sending=sending,
            headers=self._cookie | dict(headers or {}),
            about=label,
            text=marker,
            nonce=marker,
        )

    async def without_uid(
        self,
        label: str,
        method: str,
        path: str,
        *,
        content: bytes = b"",
        headers: Mapping[str, str],
        marker: str = "",
    ) -> Completion:
        """Ask for what needs a uid without a good one; only these headers go along."""
        return await self._call(
            F.NO_UID,
            method,
            path,
            content=content,
            headers=headers,
            about=label,
            text=marker,
            nonce=marker,
        )

    @property
    def _cookie(self) -> dict[str, str]:
        return {"Cookie": cookie_of(self.uid)} if self.uid else {}

    def _path_of(self, message_id: object) -> str:
        return self._paths.message.replace("{id}", quote(str(message_id), safe=""))

    async def _call(
        self,
        f: F,
        method: str,
        path: str,
        *,
        content: bytes = b"",
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        sending: Sending = Sending.WHOLE,
        **about: Any,
    ) -> Completion:
        sent = dict(headers or {})
        if self._manner.afresh:
            sent["Connection"] = "close"
        request = Request(
            method=method,
            path=path[:BODY_LIMIT],
            query=dict(query or {}),
            body=content[:BODY_LIMIT].decode("utf-8", "backslashreplace"),
            size=len(content),
        )
        body, told = body_of(content, sending)
        invoke = self._recorder.add(
            Invoke, who=self._who, f=f, request=request, uid=self.uid, **about
        )
        try:
            outgoing = self._http.build_request(
                method,
                url_of(path),
                params=query,
                content=body,
                headers=[
                    (name.encode(), value.encode())
                    for name, value in (sent | told).items()
                ],
            )
        except httpx.InvalidURL as error:  # an id or a time that no URL can carry
            return self._recorder.add(Fail, call=invoke.n, error=f"not sent: {error}")
        return await self._complete(invoke, outgoing)

    async def _complete(self, invoke: Invoke, outgoing: httpx.Request) -> Completion:
        """Answered: by its status. Not answered: never sent, or may have happened."""
        add, within_s = self._recorder.add, self._manner.within_s or TIMEOUT_S
        try:
            async with asyncio.timeout(within_s):
                answer = await self._exchange(outgoing)
        except TimeoutError:
            return add(Info, call=invoke.n, error=f"no answer within {within_s} s")
        except (httpx.TransportError, httpx.DecodingError) as error:
            kind = close_kind(error)
            text = f"{kind}: {said(error)}"[:500]
            if kind is CloseKind.REFUSED:
                return add(Fail, call=invoke.n, error=text)
            return add(Info, call=invoke.n, error=text)
        except LeftError:
            return add(Info, call=invoke.n, error=LEFT)
        except BaseException:
            add(Info, call=invoke.n, error=BROKEN_OFF)
            raise
        if 200 <= answer.status < 300:
            return add(Ok, call=invoke.n, answer=answer)
        if 400 <= answer.status < 500:
            return add(Fail, call=invoke.n, answer=answer)
        return add(Info, call=invoke.n, answer=answer)

    async def _exchange(self, outgoing: httpx.Request) -> Answer:
        response = await self._http.send(outgoing, stream=True)
        try:
            # A stream has no end: that it was given says enough.
            endless = response.headers.get("content-type", "").startswith(_STREAM)
            body, truncated = (b"", True) if endless else await _bounded(response)
        finally:
            await response.aclose()
        return Answer(
            status=response.status_code,
            headers=headers_of(response.headers),
            body=body.decode("utf-8", "replace"),
            truncated=truncated,
        )


def _about(message_id: object) -> str:
    return str(message_id)[:BODY_LIMIT]


async def _bounded(response: httpx.Response) -> tuple[bytes, bool]:
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > ANSWER_LIMIT:
            return bytes(body[:KEPT_OF_TRUNCATED]), True
    return bytes(body), False


def answer_json(completion: Completion) -> Any:
    """The answer's JSON when it was a success, else None."""
    if not isinstance(completion, Ok) or completion.answer is None:
        return None
    try:
        return msgspec.json.decode(completion.answer.body)
    except (msgspec.MsgspecError, RecursionError):
        return None
