"""The profile `naive`: no ids on the stream, no cursors, the window as broadcast's."""

from pathlib import Path

import pytest

from tests.reference_server.driver import running

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_no_id_anywhere(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        headers = {"last-event-id": "x-1"}
        stream = await server.stream("/naive/events?lastEventId=x-2", **headers)
        posted = await server.call(
            "POST", "/naive/messages", {"author": "a", "text": "é", "nonce": "n"}
        )
        assert posted.status == 201
        await server.call("PATCH", "/naive/messages/1", {"text": "b"})
        answer = await server.call("DELETE", "/naive/messages/1")
        assert answer.status == 204
        await stream.until(lambda each: len(each.events) == 3)
        assert stream.names == ["ping", "create", "update", "delete"]
        assert not any("id" in frame for frame in stream.frames)
        assert stream.events[0]["value"] == posted.json["value"]
        path = f"/naive/ping?id={stream.connection_id}"
        assert (await server.call("POST", path)).status == 204
        await stream.close()
        assert (await server.call("POST", path)).status == 404


async def test_window_and_history(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        for number in range(7):
            body = {"author": "a", "text": f"t{number}"}
            await server.call("POST", "/naive/messages", body)
        snapshot = (await server.call("GET", "/naive/init")).json
        assert set(snapshot) == {"messages", "limit", "oldest"}
        assert [each["id"] for each in snapshot["messages"]] == [3, 4, 5, 6, 7]
        path = f"/naive/history?loadFrom={snapshot['oldest']}"
        page = (await server.call("GET", path)).json["messages"]
        assert [each["value"]["text"] for each in page] == ["t0", "t1"]
        assert all(set(each) == {"value"} for each in page)
        evicted = await server.call("PATCH", "/naive/messages/2", {"text": "x"})
        assert evicted.status == 404


async def test_profiles_share_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        await server.post("broadcast's")
        await server.user("ann", "log").hear("log's")
        await server.user("ann", "private").hear("private's")
        snapshot = (await server.call("GET", "/naive/init")).json
        assert snapshot == {"messages": [], "limit": 5}
        texts = [
            (await server.user("ann", profile).history())["messages"][0]["value"][
                "text"
            ]
            for profile in ("log", "private")
        ]
        assert texts == ["log's", "private's"]
        assert len((await server.init())["messages"]) == 1


async def test_only_the_profiles_asked_for(tmp_path: Path) -> None:
    async with running(tmp_path, profiles=("log",)) as server:
        assert (await server.call("GET", "/broadcast/init")).status == 404
        assert (await server.call("GET", "/healthz")).status == 200
        await server.user("ann", "log").hear()
