"""What is refused stays refused: its port cannot become another server's."""

import errno
import socket
from typing import Any

import httpcore
import pytest

from harness.core.fault import REFUSING, Close, Fault, FaultKind
from harness.live.ports import HOST
from harness.live.proxied import Proxies, RefusedPassage

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_refused_port_is_nobodys() -> None:
    passage = RefusedPassage("streams", [Fault(kind=FaultKind.REFUSE)])
    port = passage._bound.getsockname()[1]
    with socket.socket() as other, pytest.raises(OSError, match="in use") as taken:
        other.bind((HOST, port))
    assert taken.value.errno == errno.EADDRINUSE
    with pytest.raises(httpcore.ConnectError):
        await passage.connect(5.0)
    await passage.end()
    with socket.socket() as other:
        other.bind((HOST, port))


@pytest.mark.parametrize("kind", REFUSING)
async def test_what_refuses_asks_no_proxy(kind: FaultKind) -> None:
    no_toxiproxy: Any = None
    prepare = Proxies(no_toxiproxy, lambda: (HOST, 1), Close.FIN)
    passage = await prepare("streams", [Fault(kind=kind)], cut_after=0)
    assert isinstance(passage, RefusedPassage)
    await passage.end()
