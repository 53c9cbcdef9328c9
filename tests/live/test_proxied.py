"""What is refused stays refused: its port cannot become another server's."""

import errno
import socket

import httpcore
import pytest

from harness.core.fault import Fault, FaultKind
from harness.live.ports import HOST
from harness.live.proxied import RefusedPassage

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
