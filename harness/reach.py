"""How each participant of a case reaches the server: link, sockets, calls."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from harness.arm import Bare, Link, Network
from harness.client.calls import Calls, Manner
from harness.client.transport import BackendTransport
from harness.core.fault import Close
from harness.core.recorder import Recorder
from harness.core.target import Paths
from harness.middlebox import Middlebox


@dataclass(frozen=True, slots=True)
class Way:
    """One participant's own way: nobody else's faults touch it.

    Its requests take turns on connections that are kept alive, whoever they are for;
    `kept` has those.
    """

    link: Link
    streams: httpx.AsyncClient
    requests: httpx.AsyncClient
    kept: BackendTransport


class Reach:
    """Gives every participant a way of its own, and takes all back at the end."""

    def __init__(self, network: Network, paths: Paths, recorder: Recorder) -> None:
        self.links: dict[str, Link] = {}
        self._manner = Manner()
        self._ways: dict[str, Way] = {}
        self._network = network
        self._paths = paths
        self._recorder = recorder

    def way(
        self,
        who: str,
        *,
        direct: bool = True,
        close: Close = Close.FIN,
        behind: Middlebox | None = None,
        bare: Bare | None = None,
    ) -> Way:
        """The way of `who`, made at first use; `direct` ones know no faults."""
        if who not in self._ways:
            if bare is not None:
                link = self._network.link(direct=False, close=close, bare=bare)
            elif behind is None:
                link = self._network.link(direct=direct, close=close)
            else:
                link = behind.link(who, close=close)
            self._ways[who] = self._make(who, link)
        return self._ways[who]

    def calls(self, who: str, *, uid: str = "", token: str = "") -> Calls:
        """Calls of `who` about this uid's chat; with a token, of the support side."""
        return Calls(
            http=self.way(who).requests,
            paths=self._paths,
            recorder=self._recorder,
            who=who,
            uid=uid,
            token=token,
            manner=self._manner,
        )

    def _make(self, who: str, link: Link) -> Way:
        self.links[who] = link
        streams = _client(BackendTransport(link.streams))
        kept = BackendTransport(link.calls)
        return Way(link, streams, _client(kept), kept)

    async def hang_up(self, who: str) -> None:
        """Close the connections of `who` that are kept for further requests."""
        await self._ways[who].kept.aclose()

    @contextmanager
    def patient(self, within_s: float) -> Iterator[None]:
        """Meanwhile answers may be errors, and take this long to come."""
        manner = self._manner
        manner.within_s, manner.afresh = within_s, True
        try:
            yield
        finally:
            manner.within_s, manner.afresh = None, False

    async def aclose(self) -> None:
        """Close every connection of everybody."""
        for way in self._ways.values():
            await way.streams.aclose()
            await way.requests.aclose()
            await way.link.aclose()


def _client(transport: BackendTransport) -> httpx.AsyncClient:
    """The transport decides where connections go; the URL's host is only a header.

    Who calls bounds how long that may take.
    """
    return httpx.AsyncClient(
        transport=transport,
        base_url="http://localhost",
        timeout=None,
        trust_env=False,
    )
