"""Starts targets written in Python as forks of a process that has their libraries.

Half of what a small server in Python does in a case is to import its libraries; a fork
has them. It is a process like any other: its own session and group, memory and modules,
of which only the libraries named in the target file are there already.
"""

import asyncio
import json
import socket
import sys
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from harness.core.errors import CouldNotRun, HarnessError
from harness.live.process import end_group, lifeline, remember, spawn

PROGRAM = Path(__file__).parent / "forking"

PRELOAD_LOG = "preload.log"
"""Its log, in the folder of an arm's logs."""

READY_S = 30.0
"""How long the imports may take."""

FORK_S = 5.0
"""How long a fork may take."""


class Forked:
    """A process made by a fork server; what `subprocess.Popen` tells of one."""

    def __init__(self, server: "ForkServer", pid: int, args: Sequence[str]) -> None:
        self.pid = pid
        self.args = args
        self.returncode: int | None = None
        self._server = server

    def poll(self) -> int | None:
        """Its exit status, minus the signal that ended it; None while it runs.

        Raises `HarnessError` when the fork server has died: nobody knows any more.
        """
        if self.returncode is None:
            self.returncode = self._server.status_of(self.pid)
        return self.returncode


class Preloaded:
    """The process that is forked."""

    def __init__(self, modules: Sequence[str], end: socket.socket, log: Path) -> None:
        """Import `modules`, from the current folder; what they print goes to `log`.

        Orders come over `end`, or if that listens over what connects to it.
        """
        number = end.fileno()
        command = [sys.executable, str(PROGRAM), str(number), *modules]
        here = Path.cwd()
        self._popen = spawn(command, cwd=here, env=None, log=log, pass_fds=[number])

    async def stop(self) -> None:
        """End it; its forks live on, and nobody hears of their ends."""
        await end_group(self._popen, grace_s=0)


class ForkServer:
    """A way to order forks; make it with `start` or `join`, always end it with `stop`.

    `own` is the process behind it where nobody else uses that.
    """

    def __init__(self, channel: socket.socket, own: Preloaded | None = None) -> None:
        self._channel = channel
        self._own = own
        self._unread = b""
        self._numbers = count(1)
        self._statuses: dict[int, int] = {}

    @classmethod
    async def start(cls, modules: Sequence[str], log: Path) -> "ForkServer":
        """Import `modules`, as `Preloaded` does, for this process alone.

        Raises `CouldNotRun` when a fork could not do with them.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            server = cls(ours, Preloaded(modules, theirs, log))
        try:
            await server._ready()
        except BaseException as error:
            await server.stop()
            if isinstance(error, OSError):
                ended = isinstance(error, ConnectionError)
                why = "the fork server has ended" if ended else error
                raise CouldNotRun(f"start.preload: {why} ({log})") from error
            raise
        return server

    @classmethod
    async def join(cls, path: str) -> "ForkServer":
        """Ask a `Preloaded` that listens there.

        Raises `CouldNotRun` as `start` does, OSError when it does not answer.
        """
        channel = socket.socket(socket.AF_UNIX)
        server = cls(channel)
        try:
            channel.connect(path)
            await server._ready()
        except BaseException:
            channel.close()
            raise
        return server

    @property
    def alive(self) -> bool:
        """Whether it still takes orders."""
        try:
            self._channel.settimeout(0)
            return self._channel.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def spawn(
        self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path
    ) -> Forked:
        """Start `[PYTHON, "-m", MODULE, ...]`, as `harness.live.process.spawn` does.

        An order that fails is the last one: its answer could be taken for another's.
        """
        try:
            pid = self._ordered(command[2:], cwd=cwd, env=env, log=log)
        except BaseException as error:
            self._channel.close()
            if isinstance(error, OSError):
                raise HarnessError(f"no fork for {command!r}: {error}") from error
            raise
        remember(pid)
        return Forked(self, pid, command)

    def _ordered(
        self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path
    ) -> int:
        number = next(self._numbers)
        order = {"number": number, "command": command, "cwd": str(cwd)}
        self._channel.settimeout(FORK_S)
        with log.open("ab") as output:
            handed = [output.fileno(), lifeline()]
            socket.send_fds(self._channel, [b"+"], handed)
        self._channel.sendall(json.dumps(order | {"env": dict(env)}).encode() + b"\n")
        while (line := self._line()).get("number") != number:
            self._note(line)
        return int(line["pid"])

    def status_of(self, pid: int) -> int | None:
        """The exit status of a fork; None while it runs."""
        try:
            self._channel.settimeout(0)
            while pid not in self._statuses:
                self._note(self._line())
        except BlockingIOError:
            return None
        except OSError as error:
            raise HarnessError(f"no word of process {pid}: {error}") from error
        return self._statuses.pop(pid)

    async def stop(self) -> None:
        """End what is its own; forks live on, and nobody hears of their ends."""
        self._channel.close()
        if self._own is not None:
            await self._own.stop()

    async def _ready(self) -> None:
        loop = asyncio.get_running_loop()
        self._channel.settimeout(0)
        try:
            async with asyncio.timeout(READY_S):
                self._unread = await loop.sock_recv(self._channel, 1)
        except TimeoutError:
            raise TimeoutError(f"took longer than {READY_S:g} s") from None
        self._channel.settimeout(FORK_S)
        first = self._line()
        if "trouble" in first:
            raise CouldNotRun(f"start.preload: {first['trouble']}")

    def _note(self, line: dict[str, Any]) -> None:
        self._statuses[line["pid"]] = line["status"]

    def _line(self) -> dict[str, Any]:
        while b"\n" not in self._unread:
            more = self._channel.recv(4_096)
            if not more:
                raise ConnectionResetError("it has ended")
            self._unread += more
        line, _, self._unread = self._unread.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found
