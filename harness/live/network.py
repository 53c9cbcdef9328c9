"""Links over real sockets: straight to the server, or through toxiproxy."""

from collections.abc import Callable

from harness.arm import Link
from harness.core.fault import Close, Fault
from harness.live.proxied import Address, ProxiedLink
from harness.live.sockets import DialBackend, dial
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
            return DirectLink(self._address)
        return ProxiedLink(self._toxiproxy, self._address, close)


class DirectLink:
    """No proxy and no faults: the witness's and the writers' way."""

    def __init__(self, address: Callable[[], Address]) -> None:
        self.streams = self.calls = DialBackend(
            lambda timeout: dial(address(), timeout)
        )

    async def apply(self, fault: Fault) -> None:
        """A direct link takes no fault."""
        raise AssertionError(f"{fault.says()} was ordered for a direct link")

    async def heal(self, fault: Fault) -> None:
        """Nothing to heal."""

    async def aclose(self) -> None:
        """Its sockets belong to their pools."""
