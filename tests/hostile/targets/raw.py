"""A server of raw bytes: healthy at /healthz, hostile everywhere else.

usage: raw.py MODE PORT
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
PING = b'event: ping\ndata: {"id": "c1", "interval": 1000}\n\n'

Bytes = Iterator[bytes]
Answer = Callable[[bool], Bytes]


def html(_stream: bool) -> Bytes:
    page = b"<!doctype html><h1>It works!</h1>"
    yield b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
    yield page


def garbage(_stream: bool) -> Bytes:
    yield bytes(range(256)) * 8


def endless_header(_stream: bool) -> Bytes:
    yield b"HTTP/1.1 200 OK\r\nX-Endless: "
    while True:
        yield b"x" * 65_536


def endless_block(stream: bool) -> Bytes:
    yield STREAM if stream else JSON
    yield b"data: " if stream else b'{"messages": "'
    while True:
        yield b"x" * 65_536


def tiny_frames(stream: bool) -> Bytes:
    yield STREAM + PING if stream else JSON + b'{"messages": [], "limit": 20}'
    while stream:
        yield b":\n\n" * 20_000


def tiny_events(stream: bool) -> Bytes:
    yield STREAM + PING if stream else JSON + b'{"messages": [], "limit": 20}'
    event = b'event: create\nid: %d\ndata: {"id": %d, "value": {"text": "a"}}\n\n'
    number = 0
    while stream:
        yield b"".join(event % (number + i, number + i) for i in range(500))
        number += 500


def silent(_stream: bool) -> Bytes:
    yield from ()
    time.sleep(3_600)


def huge_snapshot(stream: bool) -> Bytes:
    if stream:
        yield STREAM + PING
        time.sleep(3_600)
    yield JSON + b'{"limit": 20, "messages": ['
    while True:
        yield b'{"id": 1, "value": {"text": "a"}},' * 2_000


def one_byte(_stream: bool) -> Bytes:
    yield b"H"


def informational(_stream: bool) -> Bytes:
    while True:
        yield b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100


def dies(_stream: bool) -> Bytes:
    yield from ()
    os.write(1, b"fatal: \x1b[31mred\x1b[0m out of \x07 cheese\n")
    os._exit(7)


def zip_bomb(stream: bool) -> Bytes:
    import zlib

    head = (STREAM if stream else JSON)[:-2]
    yield head + b"Content-Encoding: gzip\r\n\r\n"
    packer = zlib.compressobj(9, wbits=31)
    filler = b"x" * (1 << 20)
    while True:
        yield packer.compress(filler)


def loud(_stream: bool) -> Bytes:
    yield OK


ANSWERS: dict[str, Answer] = {
    "html": html,
    "garbage": garbage,
    "endless-header": endless_header,
    "endless-block": endless_block,
    "tiny-frames": tiny_frames,
    "tiny-events": tiny_events,
    "silent": silent,
    "huge-snapshot": huge_snapshot,
    "one-byte": one_byte,
    "informational": informational,
    "dies": dies,
    "zip-bomb": zip_bomb,
    "loud": loud,
}


def serve(connection: socket.socket, mode: str) -> None:
    """Answer one request, then close."""
    try:
        head = b""
        while b"\r\n\r\n" not in head:
            part = connection.recv(65_536)
            if not part:
                return
            head += part
        if b" /healthz " in head.split(b"\r\n")[0] and mode != "never-ready":
            connection.sendall(OK)
        elif mode == "never-ready":
            connection.sendall(OK.replace(b"200 OK", b"503 Not Yet"))
        else:
            for part in ANSWERS[mode](b"/events" in head.split(b"\r\n")[0]):
                connection.sendall(part)
    except OSError:
        pass
    finally:
        connection.close()


def shout() -> None:
    line = b"all work and no play makes Jack a dull boy\n" * 1_000
    while True:
        os.write(1, line)


def main() -> None:
    mode, port = sys.argv[1], int(sys.argv[2])
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if mode == "exits":
        os.write(1, b"cannot open \x1b]0;owned\x07 the database\n")
        sys.exit(4)
    if mode in ("loud", "loud-start"):
        threading.Thread(target=shout, daemon=True).start()
    if mode == "loud-start":
        time.sleep(3_600)
    if mode == "grandchild":
        command = [sys.executable, "-c", "import time; time.sleep(3600)", "grandchild"]
        subprocess.Popen(command)
        sys.exit(0)
    listener = socket.create_server(("127.0.0.1", port + (mode == "other-port")))
    while True:
        connection, _ = listener.accept()
        thread = threading.Thread(target=serve, args=(connection, mode), daemon=True)
        thread.start()


if __name__ == "__main__":
    main()
