"""Calls: surely done, surely not, or perhaps; never an exception, never a guess."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from harness.client import calls as calls_module
from harness.client.calls import (
    ANSWER_LIMIT,
    BODY_LIMIT,
    KEPT_OF_TRUNCATED,
    answer_json,
    cookie_of,
)
from harness.core.codec import load
from harness.core.history import Answer, F, Fail, Info, Invoke, Ok
from tests.client.scripted import (
    PERSONAL,
    Bench,
    Script,
    Wire,
    answer,
    bench,
    frames,
    raw,
)

pytestmark = pytest.mark.anyio

HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _short_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls_module, "TIMEOUT_S", 1.0)


async def silence(wire: Wire) -> None:
    await wire.gone()


async def drip(wire: Wire) -> None:
    """Never silent for long, and never done."""
    await wire.send(HEAD + b"Content-Length: 100000\r\n\r\n")
    while True:
        await wire.send(b"x")
        await asyncio.sleep(0.05)


async def drip_of_headers(wire: Wire) -> None:
    await wire.send(HEAD)
    while True:
        await wire.send(b"X-More: x\r\n")
        await asyncio.sleep(0.05)


async def reset(wire: Wire) -> None:
    wire.reset()


async def huge(wire: Wire) -> None:
    await wire.send(HEAD + b"\r\n")
    while True:
        await wire.send(b"x" * 100_000)


ANSWERS: dict[str, tuple[Script, type, str]] = {
    "200": (raw(answer(200, b"{}")), Ok, ""),
    "201": (raw(answer(201, b'{"id": 1}')), Ok, ""),
    "204": (raw(b"HTTP/1.1 204 x\r\n\r\n"), Ok, ""),
    "299": (raw(answer(299)), Ok, ""),
    "400": (raw(answer(400, b'{"error": {}}')), Fail, ""),
    "404": (raw(answer(404)), Fail, ""),
    "429": (raw(answer(429, head="Retry-After: 1\r\n")), Fail, ""),
    "499": (raw(answer(499)), Fail, ""),
    "500": (raw(answer(500)), Info, ""),
    "503": (raw(answer(503)), Info, ""),
    "302": (raw(answer(302, head="Location: /elsewhere\r\n")), Info, ""),
    "FIN without an answer": (raw(), Info, "fin: "),
    "FIN in the head": (raw(HEAD), Info, "fin: "),
    "FIN in the body": (raw(HEAD + b"Content-Length: 9\r\n\r\nx"), Info, "fin: "),
    "reset": (reset, Info, "rst: ReadError"),
    "garbage": (raw(b"what?\r\n\r\n"), Info, "garbage: "),
    "broken gzip": (
        raw(answer(200, b"xx", "Content-Encoding: gzip\r\n")),
        Info,
        "garbage: ",
    ),
    "silence": (silence, Info, "no answer within 1.0 s"),
    "drip": (drip, Info, "no answer within 1.0 s"),
    "drip of headers": (drip_of_headers, Info, "no answer within 1.0 s"),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_how_an_operation_ends(tmp_path: Path, name: str) -> None:
    script, kind, error = ANSWERS[name]
    async with bench(tmp_path, others={"/messages": script}) as on:
        done = await on.calls().create(author="alice", text="hi ☕", nonce="n1")
        assert type(done) is kind
        assert on.recorder.records == [on.invokes[0], done]
        assert done.call == on.invokes[0].n
        assert getattr(done, "error", "").startswith(error)
        assert (done.answer is None) == bool(error)
        if done.answer is not None:
            assert str(done.answer.status) == name
        assert load(on.recorder.path).records == (on.invokes[0], done)


async def test_a_refused_write_surely_did_not_happen(tmp_path: Path) -> None:
    async with bench(tmp_path) as on:
        on.server.address = ("127.0.0.1", 1)
        done = await on.calls().create(author="a", text="t", nonce="n")
        assert isinstance(done, Fail)
        assert done.error.startswith("refused: ")


async def test_a_huge_answer_is_cut(tmp_path: Path) -> None:
    async with bench(tmp_path, others={"/init": huge}) as on:
        done = await on.calls().init()
        assert isinstance(done, Ok)
        assert done.answer is not None
        assert done.answer.truncated
        assert len(done.answer.body) == KEPT_OF_TRUNCATED
        await on.until(lambda: on.server.wires[0].writer.is_closing(), "hung up")
        assert on.server.wires[0].sent < 4 * ANSWER_LIMIT


async def test_broken_off_by_the_harness_is_perhaps(tmp_path: Path) -> None:
    async with bench(tmp_path, others={"/init": silence}) as on:
        call = asyncio.create_task(on.calls().init())
        await on.until(lambda: bool(on.server.asked))
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert on.of(Info)[0].error == "broken off by the harness"


async def slow_error(wire: Wire) -> None:
    """An error as servers make of an exception: then they close, and say so never."""
    await asyncio.sleep(1.2)
    await wire.send(answer(500))
    await wire.gone()


async def test_trouble_is_waited_for_and_meets_no_other_call(tmp_path: Path) -> None:
    async with bench(tmp_path, others={"/messages": slow_error}) as on:
        calls = on.reach.calls("alice")
        with on.reach.patient(3.0):
            for number in range(2):
                done = await calls.create(author="a", text=f"t{number}", nonce="n")
                assert isinstance(done, Info)
                assert done.answer is not None
            assert len(on.server.wires) == 2
            wires = on.server.wires
            await on.until(lambda: all(w.writer.is_closing() for w in wires), "closed")
        done = await calls.create(author="a", text="t3", nonce="n")
        assert isinstance(done, Info)
        assert done.error == "no answer within 1.0 s"


async def request_of(on: Bench) -> tuple[Invoke, str, str]:
    asked = on.server.asked[-1]
    return on.invokes[-1], asked.method, asked.path


async def test_what_each_call_sends_and_writes_down(tmp_path: Path) -> None:
    ok = raw(answer(200, b"{}"))
    others = {"/messages": ok, "/messages/7": ok, "/history": ok, "/bad": ok}
    async with bench(tmp_path, others=others) as on:
        calls = on.calls("bob")
        await calls.create(author="bob", text="hi", nonce="n1")
        invoke, method, path = await request_of(on)
        assert (invoke.f, invoke.who, method, path) == (
            F.CREATE, "bob", "POST", "/messages",
        )  # fmt: skip
        assert (invoke.text, invoke.nonce) == ("hi", "n1")
        asked = on.server.asked[-1]
        assert asked.headers["content-type"] == "application/json"
        assert msgspec.json.decode(asked.body) == {
            "author": "bob",
            "text": "hi",
            "nonce": "n1",
        }
        await calls.create(author="bob", text="hi", nonce="n2", size=300)
        assert len(on.server.asked[-1].body) == 300
        assert msgspec.json.decode(on.server.asked[-1].body)["nonce"] == "n2"
        await calls.update(7, text="new")
        invoke, method, path = await request_of(on)
        assert (invoke.f, method, path) == (F.UPDATE, "PATCH", "/messages/7")
        assert (invoke.about, invoke.text) == ("7", "new")
        await calls.delete(7)
        invoke, method, path = await request_of(on)
        assert (invoke.f, method, path) == (F.DELETE, "DELETE", "/messages/7")
        await calls.history({"loadFrom": "123"}, walk=4)
        invoke, method, path = await request_of(on)
        assert (invoke.f, invoke.walk) == (F.HISTORY, 4)
        assert on.server.asked[-1].query == {"loadFrom": "123"}
        await calls.ping("c 1&x")
        invoke, method, path = await request_of(on)
        assert (invoke.f, invoke.about, path) == (F.PING, "c 1&x", "/ping")
        assert on.server.asked[-1].query == {"id": "c 1&x"}
        await calls.bad_input(
            "odd", "PUT", "/bad", content=b"\xff" * 5_000, marker="bad-1"
        )
        invoke, method, path = await request_of(on)
        assert (invoke.f, invoke.about, invoke.nonce) == (F.BAD_INPUT, "odd", "bad-1")
        assert (method, path) == ("PUT", "/bad")
        assert invoke.request is not None
        assert invoke.request.size == 5_000
        assert invoke.request.body == "\\xff" * BODY_LIMIT
        assert on.server.asked[-1].body == b"\xff" * 5_000


async def test_calls_about_a_users_chat(tmp_path: Path) -> None:
    """The user's go with the cookie, those of the support side with the token."""
    done = {
        "/messages": raw(answer(201, b"{}")),
        "/messages/7": raw(answer(204)),
        "/operator/u-1/messages": raw(answer(201, b"{}")),
        "/events": frames("event: ping\ndata: {}\n\n"),
    }
    async with bench(tmp_path, paths=PERSONAL, others=done) as on:
        mine = on.calls("bob", uid="u-1")
        theirs = on.calls("writer", uid="u-1", token="s3cret")
        await mine.create(author="bob", text="hi", nonce="n1")
        await mine.init()
        await mine.history({"before": "7"}, walk=1)
        await mine.delete(7)
        await mine.ping("c1")
        cookies = [one.headers.get("cookie") for one in on.server.asked]
        assert cookies == [cookie_of("u-1")] * 5
        assert [one.path for one in on.server.asked][1:3] == ["/history"] * 2
        assert "authorization" not in on.server.asked[0].headers
        await theirs.create(author="writer", text="hello", nonce="n2")
        asked = on.server.asked[-1]
        assert asked.path == "/operator/u-1/messages"
        assert asked.headers["authorization"] == "Bearer s3cret"
        assert "cookie" not in asked.headers
        told = [(one.uid, one.support) for one in on.invokes]
        assert told == [("u-1", False)] * 5 + [("u-1", True)]


async def test_a_call_without_a_uid_says_so_and_waits_for_no_stream(
    tmp_path: Path,
) -> None:
    stream = frames("event: ping\ndata: {}\n\n")
    async with bench(tmp_path, stream, paths=PERSONAL) as on:
        calls = on.calls("stranger")
        done = await calls.without_uid(
            "events: empty", "GET", "/events", headers={"Cookie": "uid="}, marker="m1"
        )
        assert isinstance(done, Ok)
        assert done.answer is not None
        assert (done.answer.status, done.answer.body) == (200, "")
        (invoke,) = on.invokes
        assert (invoke.f, invoke.uid, invoke.about) == (F.NO_UID, "", "events: empty")
        assert (invoke.text, on.server.asked[0].headers["cookie"]) == ("m1", "uid=")


@pytest.mark.parametrize(
    ("message_id", "path"),
    [
        ("a/../b?c#d e", "/messages/a%2F..%2Fb%3Fc%23d%20e"),
        ("a\nb\x00", "/messages/a%0Ab%00"),
        ("☕", "/messages/%E2%98%95"),
    ],
)
async def test_ids_of_any_form_go_into_the_path(
    tmp_path: Path, message_id: str, path: str
) -> None:
    async with bench(tmp_path) as on:
        assert isinstance(await on.calls().delete(message_id), Fail)
        assert on.server.asked[0].path == path
        assert on.invokes[0].about == message_id


def test_answers_as_json() -> None:
    def ok(body: str) -> Ok:
        return Ok(n=2, t_s=0, call=1, answer=Answer(status=200, body=body))

    assert answer_json(ok('{"a": 1}')) == {"a": 1}
    for body in ("", "{", "\ufffd", "[" * 100_000, "1" * 5_000, '"\\ud800"'):
        assert answer_json(ok(body)) is None
    assert answer_json(Ok(n=2, t_s=0, call=1)) is None
    failed = Fail(n=2, t_s=0, call=1, answer=Answer(status=400, body="{}"))
    assert answer_json(failed) is None
