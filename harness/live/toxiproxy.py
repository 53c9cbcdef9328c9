"""Toxiproxy's API: toxics, proxies, and the only use of the toxiproxy-python client.

The server takes unknown attributes without a word and accepts a toxicity of 7, so
everything sent is compared with what comes back; a negative rate crashes it, so
nonsense is refused before it is sent. What was learnt of the server, from its source
and from runs of version 2.12.0, is in docs/architecture.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import requests
from toxiproxy.api import validate_response  # type: ignore[import-untyped]  # no types shipped
from toxiproxy.exceptions import (  # type: ignore[import-untyped]  # no types shipped
    InvalidToxic,
    NotFound,
    ProxyExists,
)

from harness.core.errors import CouldNotRun, HarnessError

Stream = Literal["downstream", "upstream"]

TIMEOUT_S = 5.0
"""Bound of every call: a server whose toxics dead-locked never answers."""

_RANDOM = ("jitter", "size_variation")

# slow_close is not one of them: removed while it holds a close, it swallows it.
_LOSSLESS = ("bandwidth", "latency", "slicer")


class ToxiproxyGone(CouldNotRun):
    """The server died or hangs; start a fresh one, its proxies are lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Toxic:
    """One toxic as it is sent; refuses what the server would take and misuse.

    All randomness is drawn in the harness (the server redraws toxicity at each change
    and ignores its seed), hence toxicity 1 or 0 and no jitter. `name` must be unique on
    a proxy.
    """

    type: str
    stream: Stream = "downstream"
    attributes: Mapping[str, int]
    toxicity: float = 1.0
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name or f"{self.type}_{self.stream}")
        if self.toxicity not in (0.0, 1.0):
            raise HarnessError(f"toxicity must be 0 or 1: {self}")
        for key, value in self.attributes.items():
            if type(value) is not int or value < 0:
                raise HarnessError(f"{key} must be an integer, 0 or more: {self}")
            if key in _RANDOM and value:
                raise HarnessError(f"{key} must be 0, the harness draws: {self}")


def latency(ms: int) -> Toxic:
    """Every byte late by `ms`, none lost."""
    return Toxic(type="latency", attributes={"latency": _positive(ms)})


def bandwidth(kb_per_s: int) -> Toxic:
    """At most `kb_per_s` thousand bytes a second, none lost."""
    return Toxic(type="bandwidth", attributes={"rate": _positive(kb_per_s)})


def stall() -> Toxic:
    """Silence until it is removed, then every byte."""
    return Toxic(type="bandwidth", attributes={"rate": 0}, name="stall")


def slicer(size: int, delay_us: int) -> Toxic:
    """Packets of `size` bytes or fewer, `delay_us` apart, none lost."""
    attributes = {"average_size": _positive(size), "delay": delay_us}
    return Toxic(type="slicer", attributes=attributes)


def black_hole(stream: Stream) -> Toxic:
    """Bytes vanish while the connection stays open."""
    return Toxic(type="timeout", stream=stream, attributes={"timeout": 0})


def limit_data(k: int) -> Toxic:
    """FIN after `k` bytes; from the first one when there before the connection is."""
    return Toxic(type="limit_data", attributes={"bytes": _positive(k)})


def rst_on_close() -> Toxic:
    """Every close is an RST, provided that this was there before the connection."""
    return Toxic(type="reset_peer", attributes={"timeout": 0}, toxicity=0.0)


def rst_after(ms: int) -> Toxic:
    """RST `ms` after the first byte of an answer, which is not delivered."""
    return Toxic(type="reset_peer", attributes={"timeout": _positive(ms)})


def slow_close(ms: int) -> Toxic:
    """The server's close reaches the client `ms` late."""
    return Toxic(type="slow_close", attributes={"delay": _positive(ms)})


def _positive(value: int) -> int:
    if value <= 0:
        raise HarnessError(f"must be more than 0: {value}")
    return value


class Api:
    """Calls to one server: bounded, checked, with the errors of this project.

    `answers` is whether the last one was answered; true once the server is ready. The
    client's own calls open a session and a connection each, which takes twice as
    long; what an answer means is its word.
    """

    def __init__(self, *, port: int, gone: Callable[[], str]) -> None:
        self._base = f"http://127.0.0.1:{port}"
        self._session = requests.Session()
        # Proxy settings of the environment are for the Internet, not for our child.
        self._session.trust_env = False
        self._gone = gone
        self.answers = False

    def get(self, path: str) -> dict[str, Any]:
        """Read a thing; `HarnessError` when the server does not know it."""
        return self._call("get", path)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make or change a thing; every value sent must come back as it was sent."""
        answer = self._call("post", path, json=body)
        for key, sent in body.items():
            if key != "listen" and not _echoed(sent, answer.get(key)):
                raise HarnessError(f"toxiproxy took {key}={sent} for {answer.get(key)}")
        return answer

    def delete(self, path: str) -> None:
        """Delete a thing; `HarnessError` when the server does not know it."""
        self._call("delete", path)

    def close(self) -> None:
        """Let go of its connections; the server has no more to say."""
        self._session.close()

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        url = self._base + path
        try:
            response = validate_response(
                self._session.request(method, url, timeout=TIMEOUT_S, **options)
            )
        except (InvalidToxic, NotFound, ProxyExists) as error:
            raise HarnessError(f"toxiproxy refused {method} {path}: {error}") from error
        except requests.RequestException as error:
            self.answers = False
            raise ToxiproxyGone(f"{self._gone()}: {method} {path}: {error}") from error
        if not response.ok:
            raise CouldNotRun(f"toxiproxy failed: {method} {path}: {response.text}")
        answer: dict[str, Any] = response.json() if response.content else {}
        return answer


def _echoed(sent: object, got: object) -> bool:
    """Compare a sent value with its echo; attributes left out must have stayed zero."""
    if isinstance(sent, Mapping) and isinstance(got, Mapping):
        return sent.keys() <= got.keys() and all(
            value == sent.get(key, 0) for key, value in got.items()
        )
    return sent == got


class Proxy:
    """A proxy for one connection attempt; delete it when the attempt is over."""

    def __init__(self, *, api: Api, name: str, address: tuple[str, int]) -> None:
        self.address = address
        self._api = api
        self._path = f"/proxies/{name}"
        self._deleted = False

    async def add(self, toxic: Toxic) -> None:
        """Add a toxic, also to connections that are open."""
        await asyncio.to_thread(add_toxic, self._api, self._path, toxic)

    async def remove(self, toxic: Toxic) -> None:
        """Remove a toxic that loses nothing; any other would leave a hole behind it.

        A hole looks like a server that lost events, and the server dead-locks when
        such a toxic goes while a client vanishes: delete the proxy instead.
        """
        if toxic.type not in _LOSSLESS:
            raise HarnessError(f"never remove a toxic that loses bytes: {toxic}")
        path = f"{self._path}/toxics/{toxic.name}"
        await asyncio.to_thread(self._api.delete, path)

    async def disable(self) -> None:
        """Cut every connection and refuse new ones."""
        await asyncio.to_thread(self._api.post, self._path, {"enabled": False})

    async def enable(self) -> None:
        """Accept connections again, on the same port."""
        await asyncio.to_thread(self._api.post, self._path, {"enabled": True})

    async def delete(self) -> None:
        """Cut every connection and forget the proxy; a second time does nothing."""
        if not self._deleted:
            self._deleted = True
            await asyncio.to_thread(self._api.delete, self._path)


def add_toxic(api: Api, path: str, toxic: Toxic) -> None:
    """Add a toxic and check the echo, blocking."""
    body = {
        "name": toxic.name,
        "type": toxic.type,
        "stream": toxic.stream,
        "toxicity": toxic.toxicity,
        "attributes": dict(toxic.attributes),
    }
    api.post(f"{path}/toxics", body)


def open_proxy(
    api: Api,
    *,
    name: str,
    upstream: tuple[str, int],
    toxics: Sequence[Toxic],
    listen_on: int = 0,
) -> Proxy:
    """Create a proxy, disabled until its toxics are there, and read its port, blocking.

    Only so is every toxic there before the first connection. One that is disabled
    for a while should `listen_on` a port that nobody else takes meanwhile.
    """
    host, port = upstream
    bracketed = f"[{host}]" if ":" in host else host
    body = {"name": name, "upstream": f"{bracketed}:{port}", "enabled": not toxics}
    made = api.post("/proxies", body | {"listen": f"127.0.0.1:{listen_on}"})
    try:
        for toxic in toxics:
            add_toxic(api, f"/proxies/{name}", toxic)
        if toxics:
            made = api.post(f"/proxies/{name}", {"enabled": True})
    except HarnessError:
        _discard(api, name)
        raise
    own, _, own_port = made["listen"].rpartition(":")
    return Proxy(api=api, name=name, address=(own, int(own_port)))


def _discard(api: Api, name: str) -> None:
    try:
        api.delete(f"/proxies/{name}")
    except HarnessError:
        return  # the reason for discarding it is the one worth telling
