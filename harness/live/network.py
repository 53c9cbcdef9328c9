"""Links over real sockets: straight to the server, or through toxiproxy."""

from collections.abc import Callable

from harness.arm import Link
from harness.core.fault import Close
from harness.link import DirectLink, FaultyLink
from harness.live.proxied import Address, Proxies
from harness.live.sockets import dial
from harness.live.toxiproxy_server import ToxiproxyServer


class LiveNetwork:
    """Makes links to wherever the server listens at the moment of connecting."""

    def __init__(
        self, toxiproxy: ToxiproxyServer, address: Callable[[], Address]
    ) -> None:
        self._toxiproxy = toxiproxy
        self._address = address

    def link(self, *, direct: bool, close: Close) -> Link:
        """A participant's way to the server."""
        if direct:
            return DirectLink(lambda timeout: dial(self._address(), timeout))
        return FaultyLink(Proxies(self._toxiproxy, self._address, close), close)
