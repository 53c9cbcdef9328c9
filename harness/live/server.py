"""The target as a process: start, readiness, ends, freezing, unexpected death."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path

import httpx

from harness.arm import How
from harness.client.ready import ask
from harness.core.errors import CouldNotRun, Unreached
from harness.core.history import Life, LifePhase
from harness.core.metrics import usage_of
from harness.core.recorder import Recorder
from harness.core.target import Start, Target, fill, values_of
from harness.core.usage import Usage
from harness.live.fork_server import ForkServer
from harness.live.output import OutputFile
from harness.live.ports import HOST, Lease, foreign_listener, is_free, lease_port
from harness.live.process import Child, end_group, signal_group, spawn
from harness.live.resources import usage_of as usage_of_group
from harness.live.sockets import accepts

POLL_S = 0.01
"""How often readiness is looked at, and a freeze; neither has an event."""

WATCH_S = 0.025
"""How often the process is looked at, all case long."""

FREEZE_S = 5.0
"""How long SIGSTOP may take; longer means that the target is not there any more."""

Provide = Callable[[int], Awaitable[Mapping[str, str]]]
"""Gives more placeholder values for a life on data of this number."""

METRICS_S = 5.0
"""How long the metrics of a target that runs already may take."""

START_ATTEMPTS = 3
"""How many ports are tried when another process takes ours before the target does."""


class LiveServer:
    """One target's process over a case, life after life; `address` is where it listens.

    Every step is recorded. A death that the harness did not cause is recorded as an
    exit without `how`, with the last lines of the target's output.
    """

    def __init__(
        self,
        *,
        target: Target,
        start: Start,
        profile: str,
        recorder: Recorder,
        folder: Path,
        mutant: str = "",
        provide: Provide | None = None,
        forks: ForkServer | None = None,
    ) -> None:
        self._forks = forks
        self.address = (HOST, 0)
        self._target = target
        self._start = start
        self._profile = profile
        self._recorder = recorder
        self._folder = folder
        self._mutant = mutant
        self._provide = provide
        self._provided: Mapping[str, str] = {}
        self._life = 0
        self._living = False
        self._datas = 0
        self._leases: list[Lease] = []
        self._popen: Child | None = None
        self._watching: asyncio.Task[None] | None = None
        self._output = OutputFile(folder / "target.log")

    @property
    def up(self) -> bool:
        """Whether the process was started and has not ended.

        A death is on record before this says so: a case may end over it at once.
        """
        alive = self._popen is not None and self._popen.poll() is None
        if not alive:
            self._record_death()
        return alive

    @property
    def data(self) -> Path:
        """The data folder of the running life."""
        return self._folder / f"data-{self._datas}"

    @property
    def pid(self) -> int | None:
        """The leader of the target's processes, while there are any."""
        return None if self._popen is None else self._popen.pid

    async def start(self, *, other_port: bool = False, empty: bool = False) -> None:
        """Start a life and wait until it is ready.

        Raises `CouldNotRun` when the first life does not come up; a later one that
        does not is the target's doing, recorded as a death, and ends the scenario.
        """
        self._life += 1
        if empty or not self._datas:
            self._datas += 1
        if self._provide is not None:
            self._provided = await self._provide(self._datas)
        for _ in range(START_ATTEMPTS):
            if other_port or self._life == 1:
                self._leases.append(lease_port())
                self.address = (HOST, self._leases[-1].number)
            launched_at = time.time()
            self._launch(empty=empty or self._life == 1)
            trouble = await self._ready()
            foreign = self._foreign(launched_at)
            if not trouble and not foreign:
                self._record(LifePhase.READY)
                self._living = True
                self._watching = asyncio.create_task(self._watch(), name="supervisor")
                return
            await self._end_quietly()
            if foreign:
                trouble = f"found its port {self.address[1]} taken by {foreign}"
            elif self._life > 1 or is_free(self.address[1]):
                break
        self._give_up(trouble, ours=bool(foreign) or self._life == 1)

    async def stop(self, how: How) -> None:
        """End the process group; SIGTERM is followed by SIGKILL after its time."""
        await self._unwatch()
        if self._popen is None or self._popen.poll() is not None:
            self._record_death()
            await self._end_quietly()  # what it has started may live on
            return
        self._living = False
        self._record(LifePhase.ENDING, how=how)
        grace_s = self._start.stop_within_s if how is How.TERM else 0.0
        await end_group(self._popen, grace_s=grace_s)
        self._record(LifePhase.EXITED, how=how, status=self._popen.returncode)
        self._popen = None

    async def pause(self) -> None:
        """Freeze the process group, and wait until the kernel says so."""
        assert self._popen is not None
        signal_group(self._popen, signal.SIGSTOP)
        try:
            async with asyncio.timeout(FREEZE_S):
                while not _is_stopped(self._popen.pid):
                    await asyncio.sleep(POLL_S)
        except TimeoutError as error:
            raise Unreached(f"the target did not freeze in {FREEZE_S:g} s") from error
        self._record(LifePhase.PAUSED)

    async def resume(self) -> None:
        """Let it run on."""
        if self._popen is not None:
            signal_group(self._popen, signal.SIGCONT)
        self._record(LifePhase.RESUMED)

    async def usage(self) -> Usage | None:
        """What its process group holds."""
        if self._popen is None:
            return None
        return await asyncio.to_thread(usage_of_group, self._popen.pid)

    async def aclose(self) -> None:
        """End whatever still runs, without waiting for it to be polite."""
        try:
            await self._unwatch()
            await self._end_quietly()
        finally:
            for lease in self._leases:
                lease.release()

    def _launch(self, *, empty: bool) -> None:
        data = self.data
        data.mkdir(parents=True, exist_ok=True)
        values = values_of(self._target, self._profile) | {
            "python": sys.executable,
            "host": self.address[0],
            "port": self.address[1],
            "data": str(data),
            "mutant": self._mutant,
            **self._provided,
        }
        name = self._target.name
        command = fill(self._start.command, values, name=name)
        if self._mutant:
            command += fill(self._start.mutant, values, name=name)
        extra = fill(tuple(self._start.env.values()), values, name=name)
        env = os.environ | dict(zip(self._start.env, extra, strict=True))
        begin = self._forks.spawn if self._forks else spawn
        self._popen = begin(command, cwd=Path.cwd(), env=env, log=self._output.path)
        self._output.watch()
        self._record(LifePhase.STARTED, empty=empty)

    async def _ready(self) -> str:
        """Ask until it answers 200; the trouble in words when it never does."""
        host, port = self.address
        url = f"http://{host}:{port}{self._target.ready}"
        last = "nothing listens there"
        with suppress(TimeoutError):
            async with asyncio.timeout(self._start.ready_within_s):
                async with httpx.AsyncClient(trust_env=False, verify=False) as http:
                    while self.up:
                        if await accepts(self.address):
                            last = await ask(http, url)
                        if not last:
                            return ""
                        await asyncio.sleep(POLL_S)
        if not self.up:
            return f"exited with status {self._popen and self._popen.returncode}"
        return f"not ready within {self._start.ready_within_s:g} s: {url}: {last}"

    def _foreign(self, launched_at: float) -> str:
        """Whoever else answered: its answers must not be judged as the target's."""
        if self._popen is None:
            return ""
        return foreign_listener(
            self.address[1], child=self._popen.pid, since=launched_at
        )

    def _give_up(self, trouble: str, *, ours: bool) -> None:
        """Trouble of ours could not be run; otherwise the target has died."""
        output = self._output.tail()
        text = f"target {self._target.name!r} {trouble}"
        if output:
            text += f"; its last output:\n{output}"
        if ours:
            raise CouldNotRun(text)
        self._record(LifePhase.EXITED, output=output)
        raise Unreached(text)

    async def _watch(self) -> None:
        """Notice a death that nobody ordered."""
        while self.up:
            await asyncio.sleep(WATCH_S)

    def _record_death(self) -> None:
        if self._living and self._popen is not None:
            self._living = False
            self._record(
                LifePhase.EXITED,
                status=self._popen.returncode,
                output=self._output.tail(),
            )

    async def _unwatch(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
            self._watching = None

    async def _end_quietly(self) -> None:
        popen, self._popen = self._popen, None
        try:
            if popen is not None:
                await end_group(popen, grace_s=0)
        finally:
            self._output.unwatch()

    def _record(self, phase: LifePhase, **fields: object) -> None:
        self._recorder.add(Life, life=self._life, phase=phase, **fields)


class RunningServer:
    """A target that runs already: it can only be asked whether it is there."""

    up = True

    def __init__(self, *, target: Target, recorder: Recorder) -> None:
        self.address = target.address()
        self._url = target.url.rstrip("/") + target.ready
        self._metrics = target.metrics and target.url.rstrip("/") + target.metrics
        self._recorder = recorder

    async def start(self, *, other_port: bool = False, empty: bool = False) -> None:
        """See that it answers; raises `CouldNotRun` when it does not."""
        del other_port, empty
        async with httpx.AsyncClient(trust_env=False, verify=False) as http:
            trouble = await ask(http, self._url)
        if trouble:
            raise CouldNotRun(f"the target at {self._url} is not ready: {trouble}")
        for phase in (LifePhase.STARTED, LifePhase.READY):
            self._recorder.add(Life, life=1, phase=phase)

    async def stop(self, how: How) -> None:
        """Not ours to stop."""
        raise CouldNotRun(f"{self._url} is not ours to {how}")

    async def pause(self) -> None:
        """Not ours to freeze."""
        raise CouldNotRun(f"{self._url} is not ours to freeze")

    async def resume(self) -> None:
        """Never frozen."""

    async def usage(self) -> Usage | None:
        """What its metrics path tells, if it has one."""
        if not self._metrics:
            return None
        async with httpx.AsyncClient(trust_env=False, verify=False) as http:
            try:
                answer = await http.get(self._metrics, timeout=METRICS_S)
            except httpx.HTTPError:
                return None
        return usage_of(answer.text) if answer.status_code == 200 else None

    async def aclose(self) -> None:
        """Nothing of it is ours."""


def _is_stopped(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():  # no such file system: the signal was taken, which must do
        return True
    return stat.read_text().rpartition(")")[2].split()[0] in "Tt"
