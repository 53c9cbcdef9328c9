"""Bodies that do not go out at once."""

import asyncio

import httpx
import pytest

from harness.client.body import LeftError, Sending, body_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_half_a_body_is_told_twice_as_long_and_then_left() -> None:
    came = asyncio.get_running_loop().create_future()

    async def read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set_result(await reader.read())
        writer.close()

    server = await asyncio.start_server(read, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    body, told = body_of(b"abc", Sending.HALF)
    async with server, httpx.AsyncClient() as http:
        with pytest.raises(LeftError):
            await http.post(f"http://127.0.0.1:{port}", content=body, headers=told)
        head, _, rest = (await came).partition(b"\r\n\r\n")
    assert b"content-length: 6" in head.lower()
    assert rest == b"abc"
