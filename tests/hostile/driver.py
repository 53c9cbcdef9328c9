"""`unbroken` as its user has it: a process, what it says, and what it leaves behind."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
UNBROKEN = Path(sys.executable).with_name("unbroken")
TARGETS = Path(__file__).parent / "targets"
MARK = "UNBROKEN_HOSTILE_RUN"
"""In the environment of everything that a run starts, so that leftovers are found."""

LIMITS = (
    "--message-limit 20 --event-log-limit 50 --ping-interval-ms 1000 "
    "--ping-grace-ms 1000 --keepalive-ms 1000 --max-body-bytes 65536 "
    "--database sqlite:///{data}/chat.db"
)


def target_file(folder: Path, command: list[str], *, start: str = "") -> Path:
    """The reference target's file for broadcast, started by another command."""
    text = (ROOT / "targets" / "reference.toml").read_text()
    before = text.partition("[start]")[0].replace('"reference"', '"hostile"')
    broadcast = text.partition("[profiles.broadcast.limits]")[2]
    broadcast = "[profiles.broadcast.limits]" + broadcast.partition("[profiles.n")[0]
    tolerances = "[tolerances]" + text.partition("[tolerances]")[2]
    start = f"[start]\ncommand = {json.dumps(command)}\n{start}\n"
    path = folder / "hostile.toml"
    path.write_text(before + start + broadcast + tolerances)
    return path


def hostile(folder: Path, program: str, mode: str, *, start: str = "") -> Path:
    """The target file of one of the programs in `targets/`."""
    command = [sys.executable, str(TARGETS / f"{program}.py"), mode, "{port}"]
    if program == "lookalike":
        command += LIMITS.split()
    return target_file(folder, command, start=start)


@dataclass(frozen=True, slots=True)
class Done:
    """One run: its exit status, what it printed, its result and its peak memory."""

    status: int
    text: str
    out: Path
    megabytes: float
    seconds: float

    @property
    def cases(self) -> list[dict[str, Any]]:
        """The cases of result.json."""
        cases: list[dict[str, Any]] = self.result["cases"]
        return cases

    @property
    def result(self) -> dict[str, Any]:
        """result.json."""
        found: dict[str, Any] = json.loads((self.out / "result.json").read_bytes())
        return found

    def broken(self) -> set[str]:
        """The requirements that some case found broken."""
        return {
            judgement["requirement"]
            for case in self.cases
            for judgement in case["judgements"]
            if judgement["verdict"] == "fail"
        }


class Running:
    """A started `unbroken`, in a process group of its own."""

    def __init__(self, *arguments: object, cwd: Path, env: dict[str, str]) -> None:
        self.mark = secrets.token_hex(8)
        self.began = time.monotonic()
        self.log = cwd / f"unbroken-{self.mark}.txt"
        with self.log.open("wb") as log:
            self.popen = subprocess.Popen(
                [str(UNBROKEN), *map(str, arguments)],
                cwd=cwd,
                env=os.environ | {MARK: self.mark, "COLUMNS": "200"} | env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def done(self, out: Path, *, within_s: float = 90) -> Done:
        """Wait for its end; raises when it takes too long."""
        deadline = self.began + within_s
        while True:
            pid, status, used = os.wait4(self.popen.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > deadline:
                self.end()
                raise AssertionError(f"ran for {within_s} s:\n{self.log.read_text()}")
            time.sleep(0.02)
        self.popen.returncode = os.waitstatus_to_exitcode(status)
        return Done(
            status=self.popen.returncode,
            text=self.log.read_text(errors="backslashreplace"),
            out=out,
            megabytes=used.ru_maxrss / 1024,
            seconds=time.monotonic() - self.began,
        )

    def ours(self) -> dict[int, str]:
        """Processes that carry our mark and live: pid to command line."""
        return leftovers(self.mark)

    def end(self) -> None:
        """Kill everything of this run."""
        for pid in (*self.ours(), self.popen.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def leftovers(mark: str) -> dict[int, str]:
    """Living processes with this mark in their environment."""
    wanted = f"{MARK}={mark}".encode()
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                found[int(folder.name)] = line.decode(errors="replace")
    return found


def gone(mark: str, *, within_s: float = 2.0) -> dict[int, str]:
    """What still lives after that time; empty is good."""
    deadline = time.monotonic() + within_s
    while (found := leftovers(mark)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def unbroken(
    *arguments: object,
    cwd: Path,
    out: Path | None = None,
    within_s: float = 90,
    env: dict[str, str] | None = None,
) -> Done:
    """Run it to its end, and see that nothing of it lives on."""
    running = Running(*arguments, cwd=cwd, env=env or {})
    try:
        done = running.done(out or cwd / "unbroken-results", within_s=within_s)
        assert not gone(running.mark), "left running"
        return done
    finally:
        running.end()
