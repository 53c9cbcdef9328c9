"""The server as a program: start, stop, kill, refuse."""

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.reference_server.process import (
    ROOT,
    read_all,
    read_until,
    run,
    serving,
)

# 40 kB: the kernel's buffers take megabytes before a reader counts as slow.
LONG = "😀" * 10_000


def test_sigterm_ends_open_streams_properly(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        streams = [server.open() for _ in range(3)]
        for stream in streams:
            read_until(stream, b"}\n\n")
        started = time.monotonic()
        assert server.end(signal.SIGTERM) == 0
        assert time.monotonic() - started < 1.5
        assert all(read_all(stream).endswith(b"0\r\n\r\n") for stream in streams)
        assert server.child.stderr
        assert server.child.stderr.read() == ""
        for stream in streams:
            stream.close()


def test_sigterm_while_a_client_does_not_read(tmp_path: Path) -> None:
    with serving(tmp_path) as server, server.open(buffer=4096):
        for _ in range(100):
            server.post(LONG)
        started = time.monotonic()
        assert server.end(signal.SIGTERM) == 0
        assert time.monotonic() - started < 2.5


def test_kill_loses_nothing_acknowledged(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert server.http.get(f"{server.url}/healthz").status_code == 200
        for text in ("one", "two", "three"):
            assert server.post(text).status_code == 201
        assert server.http.patch("/messages/1", json={"text": "ONE"}).status_code == 200
        assert server.http.delete("/messages/2").status_code == 204
        before = server.http.get("/init").json()
        assert server.end(signal.SIGKILL) == -signal.SIGKILL
    with serving(tmp_path) as server:
        after = server.http.get("/init").json()
        old, new = before.pop("cursor"), after.pop("cursor")
        assert old.rpartition("-")[0] != new.rpartition("-")[0]
        values = [message["value"] for message in before["messages"]]
        assert [message["value"] for message in after["messages"]] == values
        assert [message["id"] for message in after["messages"]] == [1, 2]
        answer = server.http.get("/events", headers={"Last-Event-ID": old})
        assert b"restarted" in answer.content


def test_kill_loses_no_cursor_of_the_log(tmp_path: Path) -> None:
    """resume/across-restart, with a write in the new life before the client is back."""
    operator = ["--operator-token", "secret"]
    cookie = {"Cookie": "uid=ann"}
    body = {"author": "ann", "text": "text"}
    for number in range(1, 4):
        with serving(tmp_path, *operator) as server:
            token = {"Authorization": "Bearer secret"}
            path = f"{server.url}/log/operator/ann/messages"
            answer = server.http.post(path, json=body, headers=token)
            assert answer.status_code == 201
            head = (
                "GET /log/events HTTP/1.1\r\nHost: test\r\nCookie: uid=ann\r\n"
                "Last-Event-ID: 1\r\n\r\n"
            )
            with server.connect(head) as client:
                received = read_until(client, b"ping")
                server.http.post(
                    f"{server.url}/log/messages", json=body, headers=cookie
                )
                received += read_until(client, b"id: %d\n" % (2 * number))
            assert received.count(b"event: create") == 2 * number - 1
            if number < 3:
                server.end(signal.SIGKILL)


def test_sigterm_ends_the_streams_of_every_profile(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        streams = [
            server.connect(
                f"GET /{profile}/events HTTP/1.1\r\nHost: test\r\n"
                "Cookie: uid=ann\r\n\r\n"
            )
            for profile in ("naive", "broadcast", "log", "private")
        ]
        for stream in streams:
            read_until(stream, b"}\n\n")
        started = time.monotonic()
        assert server.end(signal.SIGTERM) == 0
        assert time.monotonic() - started < 1.5
        assert all(read_all(stream).endswith(b"0\r\n\r\n") for stream in streams)
        for stream in streams:
            stream.close()


def test_slow_reader_is_ended_and_others_are_served(tmp_path: Path) -> None:
    """load/slow-reader: "it is ended, not skipped"."""
    with (
        serving(tmp_path, "--queue-limit", "20") as server,
        server.open(buffer=4096) as slow,
        server.open() as quick,
    ):
        ping = read_until(slow, b"}\n\n")
        connection_id = json.loads(ping.partition(b"data: ")[2].splitlines()[0])["id"]
        for number in range(1, 1000):
            server.post(LONG)
            assert b"event: create" in read_until(quick, b"-%d\n" % number)
            if server.http.post(f"/ping?id={connection_id}").status_code == 404:
                break
        else:
            pytest.fail("the slow reader was never ended")
        received = read_all(slow)
        whole = received.count(b"event: create")
        assert 0 < whole < number
        assert f"-{whole}\n".encode() in received


def test_oversized_body_is_refused_while_it_comes(tmp_path: Path) -> None:
    head = (
        "POST /broadcast/messages HTTP/1.1\r\nHost: test\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    with serving(tmp_path, "--max-body-bytes", "1000") as server:
        with server.connect(head + "400\r\n" + "x" * 1024 + "\r\n") as client:
            answer = read_until(client, b"}}")
            assert answer.startswith(b"HTTP/1.1 413")
        declared = head.replace("Transfer-Encoding: chunked", "Content-Length: 99999")
        with server.connect(declared) as client:
            assert read_until(client, b"}}").startswith(b"HTTP/1.1 413")
        answer_ = server.post("x" * 2000)
        assert answer_.status_code == 413
        assert answer_.json()["error"]["code"] == "too_large"
        assert server.http.get("/init").json()["messages"] == []


def test_client_that_goes_away_leaves_the_channel(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        with server.open() as client:
            ping = read_until(client, b"}\n\n")
        found = json.loads(ping.partition(b"data: ")[2].splitlines()[0])["id"]
        deadline = time.monotonic() + 5
        while server.http.post(f"/ping?id={found}").status_code != 404:
            assert time.monotonic() < deadline


def test_refused_by_the_database_makes_no_event(tmp_path: Path) -> None:
    """write/before-broadcast; init/from-cache."""
    with serving(tmp_path) as server:
        before = server.post("one")
        cursor = server.http.get("/init").json()["cursor"]
        lock = [sys.executable, "-c", LOCK, str(tmp_path / "chat.db")]
        holder = subprocess.Popen(
            lock, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert holder.stdout
        holder.stdout.readline()
        refused = server.post("two")
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "store_unavailable"
        snapshot = server.http.get("/init").json()
        assert snapshot["messages"] == [before.json()]
        assert snapshot["cursor"] == cursor
        holder.communicate("done\n")
        assert server.post("two").status_code == 201


LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
"""


def test_environment_and_flags(tmp_path: Path) -> None:
    with serving(
        tmp_path,
        "--keepalive-ms",
        "50",
        UNBROKEN_SERVER_MESSAGE_LIMIT="7",
        UNBROKEN_SERVER_RETRY_MS="1000",
        UNBROKEN_SERVER_PROFILES="private,broadcast",
        UNBROKEN_SERVER_OPERATOR_TOKEN="secret",
        UNBROKEN_SERVER_RETENTION_MS="100",
        UNBROKEN_SERVER_PRUNE_EVERY_MS="100",
    ) as server:
        assert server.ready_line.startswith("reference_server listening on http://127")
        assert server.http.get("/init").json()["limit"] == 7
        with server.open() as client:
            received = read_until(client, b"keep-alive")
            assert b"\nretry: 1" in received
            assert b"text/event-stream; charset=utf-8" in received
        assert server.http.get(f"{server.url}/naive/init").status_code == 404
        path = f"{server.url}/private/operator/ann/messages"
        assert server.http.post(path, json={}).status_code == 401


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--port", "70000"], "70000"),
        (["--message-limit", "0"], "0 is not in the range"),
        (["--database", "mysql://x"], "'mysql://x'"),
        (["--database", "sqlite:///:memory:"], "sqlite:///PATH"),
        (["--database", "postgresql+psycopg://h:port/x"], "no URL"),
        (["--profiles", "broadcast,chat"], "'chat'"),
        (["--profiles", ""], "''"),
        (["--operator-token", "é"], "ASCII"),
        (["--operator-token", ""], "ASCII"),
        (["--retention-ms", "0"], "0 is not in the range"),
        (["--mutant", "nonsense"], "'nonsense'"),
    ],
)
def test_bad_flags(tmp_path: Path, flags: list[str], named: str) -> None:
    done = run(tmp_path, *flags)
    assert done.returncode == 2
    assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_port_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        done = run(tmp_path, "--port", str(other.getsockname()[1]))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "cannot listen on" in done.stderr


@pytest.mark.parametrize("content", [None, b"not a database at all, far from it" * 9])
def test_unusable_database(tmp_path: Path, content: bytes | None) -> None:
    """A folder that cannot be made, or a file that is something else."""
    folder = tmp_path / "taken"
    if content is None:
        folder.write_text("a file")
    else:
        folder.mkdir()
        (folder / "chat.db").write_bytes(content)
    done = run(folder)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "cannot open sqlite:///" in done.stderr


def test_list_mutants_is_json_lines() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "reference_server", "--list-mutants"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=20,
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) > 80
    fields = {"name", "requirement", "profile", "description"}
    assert all(set(row) == fields for row in rows)
