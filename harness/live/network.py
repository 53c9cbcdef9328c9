"""Links over real sockets: straight to the server, or through toxiproxy and nginx."""

import itertools
from collections.abc import Callable
from pathlib import Path

from harness.arm import Bare, Box, Link
from harness.core.fault import Close
from harness.core.nginx import Nginx
from harness.link import DirectLink, FaultyLink
from harness.live.bare import BareConnections
from harness.live.nginx import NginxBox
from harness.live.proxied import Address, Proxies
from harness.live.sockets import dial
from harness.live.toxiproxy_server import ToxiproxyServer


class LiveNetwork:
    """Makes links to wherever the server listens at the moment of connecting.

    Middleboxes keep their files in folders below `folder`.
    """

    def __init__(
        self,
        toxiproxy: ToxiproxyServer,
        address: Callable[[], Address],
        *,
        folder: Path,
    ) -> None:
        self._toxiproxy = toxiproxy
        self._address = address
        self._folder = folder
        self._boxes = itertools.count(1)

    def link(self, *, direct: bool, close: Close, bare: Bare | None = None) -> Link:
        """A participant's way to the server."""
        if bare is not None:
            return FaultyLink(BareConnections(self._address, close, bare), close)
        if direct:
            return DirectLink(lambda timeout: dial(self._address(), timeout))
        return FaultyLink(Proxies(self._toxiproxy, self._address, close), close)

    async def middlebox(self, nginx: Nginx) -> Box:
        """An nginx of its own; it keeps to the server's address of this moment."""
        return await NginxBox.start(
            nginx,
            folder=self._folder / f"nginx-{next(self._boxes)}",
            upstream=self._address,
            toxiproxy=self._toxiproxy,
        )
