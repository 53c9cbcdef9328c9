"""The simulated server over a case, life after life (harness.arm.Server)."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from harness.arm import How
from harness.client.ready import ask
from harness.client.transport import BackendTransport
from harness.core.errors import CouldNotRun, Unreached
from harness.core.fault import Close
from harness.core.history import Life as LifeRecord
from harness.core.history import LifePhase
from harness.core.recorder import Recorder
from harness.core.target import App, Target, fill, values_of
from harness.core.usage import Usage
from harness.sim.chance import seed_chance
from harness.sim.data import Data
from harness.sim.gauge import Gauge
from harness.sim.host import AppTrouble, load, serve, server_for
from harness.sim.life import Life
from harness.sim.log import Log
from harness.sim.loop import SimLoop
from harness.sim.modules import Modules
from harness.sim.network import HOST, Listener, SimNetwork
from harness.sim.refusal import refuse
from harness.sim.signals import deliver
from harness.sim.surroundings import Surroundings

POLL_S = 0.01
FIRST_PORT = 8_000
KILLED = -9


class SimServer:
    """Every step is recorded; so is a death that the harness did not cause."""

    def __init__(
        self,
        *,
        loop: SimLoop,
        network: SimNetwork,
        target: Target,
        app: App,
        profile: str,
        recorder: Recorder,
        log: Log,
        mutant: str,
        seed: str,
        modules: Modules,
        surroundings: Surroundings,
    ) -> None:
        self._loop = loop
        self._network = network
        self._target = target
        self._app = app
        self._profile = profile
        self._recorder = recorder
        self._log = log
        self._mutant = mutant
        self._seed = seed
        self._modules = modules
        self._surroundings = surroundings
        self._data = Data()
        self._gauge = Gauge(loop, network, app)
        self._life: Life | None = None
        self._lives: list[Life] = []
        self._living = False
        self._gone = asyncio.Event()
        network.port = FIRST_PORT

    @property
    def up(self) -> bool:
        """Whether a life was started and has not ended."""
        return self._life is not None and not self._life.over

    @property
    def data(self) -> Path:
        """The data folder of the running life."""
        return self._data.path

    async def start(self, *, other_port: bool = False, empty: bool = False) -> None:
        """Start a life and wait until it is ready; see `LiveServer.start`."""
        first = not self._lives
        if other_port:
            self._network.port += 1
        if empty or first:
            self._data.empty()
        life = self._life = self._new_life()
        self._record(LifePhase.STARTED, empty=empty or first)
        self._surroundings.renew(self._environment())
        self._loop.call_soon(self._main, life, context=life.context)
        trouble = await self._ready(life)
        if not trouble:
            self._record(LifePhase.READY)
            self._living = not life.over
            return
        life.end(KILLED)
        self._give_up(trouble, ours=first)

    async def stop(self, how: How) -> None:
        """End the life: SIGTERM is followed by SIGKILL after its time."""
        life = self._life
        if life is None or life.over:
            return
        self._living = False
        self._record(LifePhase.ENDING, how=how)
        if how is How.TERM:
            self._loop.call_soon(deliver, signal.SIGTERM, context=life.context)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._app.stop_within_s):
                    await self._gone.wait()
        life.end(KILLED)
        self._record(LifePhase.EXITED, how=how, status=life.status)

    async def pause(self) -> None:
        """Freeze it."""
        assert self._life is not None
        self._life.freeze()
        self._record(LifePhase.PAUSED)

    async def resume(self) -> None:
        """Let it run on."""
        if self._life is not None:
            self._life.thaw(self._loop)
        self._record(LifePhase.RESUMED)

    async def usage(self) -> Usage | None:
        """What it holds; a simulated process has no memory of its own."""
        if self._life is None or self._life.over:
            return None
        return self._gauge.usage(self._life)

    async def aclose(self) -> None:
        """End it; raises `CouldNotRun` when it did what cannot be simulated."""
        self._living = False
        self._data.remove()  # before the end, which would keep a copy
        if self._life is not None:
            self._life.end(KILLED)
        if self._loop.trouble:
            raise CouldNotRun(self._loop.trouble)

    def bury(self) -> None:
        """Throw away what the lives left; the history is closed to it."""
        self._living = False
        self._gauge.close()
        for life in self._lives:
            life.end(KILLED)
            life.bury()
        self._data.remove()

    def _new_life(self) -> Life:
        life = Life(len(self._lives) + 1, seed=self._seed)
        life.listen = self._listen
        life.write = self._log.write
        life.on_exit = lambda: self._on_exit(life)
        self._lives.append(life)
        self._gone.clear()
        return life

    def _listen(self, factory: Callable[[], Any], port: int) -> Listener:
        """Open the port that the life was given; there is no way to any other."""
        if port != self._network.port:
            refuse(f"listened on port {port}, besides its own")
        return self._network.listen(factory, port)

    def _main(self, life: Life) -> None:
        """The process's main program, as a step of its life."""
        seed_chance(life)
        try:
            asgi = load(self._app, life, self._modules)
        except AppTrouble as trouble:
            self._log.write(f"{trouble}\n")
            life.end(1)
            return
        server = server_for(asgi, self._app, port=self._network.port)
        self._loop.create_task(serve(server, life.end), name="server")

    def _environment(self) -> dict[str, str]:
        values = values_of(self._target, self._profile) | {
            "host": HOST,
            "port": self._network.port,
            "data": str(self._data.path),
            "mutant": self._mutant,
            "python": "python",
        }
        settings = self._app.env | (self._app.mutant if self._mutant else {})
        filled = fill(tuple(settings.values()), values, name=self._target.name)
        return dict(zip(settings, filled, strict=True))

    async def _ready(self, life: Life) -> str:
        """Ask until it answers 200; the trouble in words when it never does."""
        link = self._network.link(direct=True, close=Close.FIN)
        url = f"http://{HOST}:{self._network.port}{self._target.ready}"
        last = "no answer"
        until_s = self._loop.time() + self._app.ready_within_s
        async with httpx.AsyncClient(transport=BackendTransport(link.calls)) as http:
            while not life.over and self._loop.time() < until_s:
                last = await ask(http, url)
                if not last:
                    return ""
                await asyncio.sleep(POLL_S)
        if life.over:
            return f"exited with status {life.status}"
        return f"not ready within {self._app.ready_within_s:g} s: {last}"

    def _give_up(self, trouble: str, *, ours: bool) -> None:
        """Trouble of ours could not be run; otherwise the target has died."""
        output = self._log.tail()
        text = f"target {self._target.name!r} {trouble}"
        if output:
            text += f"; its last output:\n{output}"
        if ours:
            raise CouldNotRun(text)
        self._record(LifePhase.EXITED, output=output)
        raise Unreached(text)

    def _on_exit(self, life: Life) -> None:
        """The kernel's part of every end: connections, ports, files."""
        life.tasks = self._loop.tasks_of(life)
        self._network.end_of(life)
        self._data.freeze()
        self._gone.set()
        if self._living:
            self._living = False
            output = self._log.tail()
            self._record(LifePhase.EXITED, status=life.status, output=output)

    def _record(self, phase: LifePhase, **fields: object) -> None:
        self._recorder.add(LifeRecord, life=len(self._lives), phase=phase, **fields)
