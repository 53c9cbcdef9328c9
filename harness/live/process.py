"""Child processes that cannot outlive the harness: start, signal and end whole groups.

A run that is killed must leave nothing behind: an orphaned server keeps its port and
its database, and poisons the next run. Every child leads its own session and process
group, and one watchdog process a harness, in a session of its own, reads a pipe whose
other end only the harness keeps open: when it closes, however the harness died, the
watchdog kills every group that is still registered. PR_SET_PDEATHSIG was left out on
purpose: it reaches the direct child only, fires when the *thread* that forked ends, and
needs a `preexec_fn`, which may deadlock in a process with threads.

A process that leaves its group (`setsid`, a daemon) is beyond this file.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from harness.core.errors import HarnessError

POLL_S = 0.005
"""How often a group is looked at while it ends: the kernel has no event for it."""

KILL_S = 5.0
"""How long SIGKILL may take; longer means a process stuck in the kernel."""

_SHELL = "/bin/sh"
_SHELL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# The child's standard input is the lifeline. It registers its own group and gives the
# lifeline up in the same step as it becomes the target, so a harness that dies at any
# point leaves either nothing or a registered group.
_TRAMPOLINE = 'printf "+ %s\\n" "$$" >&0 && exec "$@" </dev/null'

_WATCHDOG = """
trap '' HUP INT QUIT TERM
groups=' '
while read -r sign group; do
    case $sign in
    +) groups="$groups$group " ;;
    -) case $groups in
        *" $group "*) groups="${groups%% $group *} ${groups#* $group }" ;;
        esac ;;
    esac
done
for group in $groups; do kill -s KILL -- "-$group"; done
"""


class _Watchdog:
    """The process that outlives the harness just long enough to kill its children."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._popen: subprocess.Popen[bytes] | None = None
        self._lifeline = -1
        self._groups: dict[int, None] = {}

    def lifeline(self) -> int:
        """Return the pipe to register on; a watchdog that died is replaced."""
        with self._lock:
            if self._popen is None:
                self._start()
                atexit.register(self._stop)
            elif self._popen.poll() is not None:
                os.close(self._lifeline)
                self._start()
            return self._lifeline

    def _start(self) -> None:
        read_end, self._lifeline = os.pipe()
        self._popen = subprocess.Popen(
            [_SHELL, "-c", _WATCHDOG, "unbroken-watchdog"],
            stdin=read_end,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
        os.close(read_end)
        for group in self._groups:
            self._say("+", group)

    def remember(self, group: int) -> None:
        """Keep `group` for a watchdog that may have to replace this one."""
        with self._lock:
            self._groups[group] = None

    def forget(self, group: int) -> None:
        """Take `group` off the list: its number may be another process's next."""
        with self._lock:
            if group in self._groups:
                del self._groups[group]
                self._say("-", group)

    def _say(self, sign: str, group: int) -> None:
        with suppress(BrokenPipeError):  # replaced at the next start
            os.write(self._lifeline, f"{sign} {group}\n".encode())

    def _stop(self) -> None:
        os.close(self._lifeline)
        if self._popen is not None:
            self._popen.wait()


_watchdog = _Watchdog()

lifeline = _watchdog.lifeline
"""Where a child that was not started here has to write "+ GROUP"."""

remember = _watchdog.remember
"""Tell of that group, too."""


class Child(Protocol):
    """What is asked of a child process, as `subprocess.Popen` has it."""

    @property
    def pid(self) -> int: ...
    @property
    def args(self) -> Any: ...
    @property
    def returncode(self) -> int | None: ...
    def poll(self) -> int | None: ...


def spawn(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str] | None,
    log: Path,
    user: str | None = None,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start `command` as the leader of a new group that dies with the harness.

    Standard input is empty, output and errors are appended to `log`; `env` None means
    the harness's own, and so does `user`; only root can name another. `pass_fds` are
    kept open for it. The pid is the group's number. Always hand the result to
    `end_group`, also when it has exited: something it started may still run.
    """
    environment = dict(os.environ if env is None else env)
    program = _executable(command, cwd=cwd, path=environment.get("PATH"))
    with log.open("ab") as output:
        popen = subprocess.Popen(
            [
                *(_SHELL, "-c", _TRAMPOLINE, _SHELL),
                *_beyond_shell(environment),
                *(program, *command[1:]),
            ],
            cwd=cwd,
            env=environment,
            stdin=lifeline(),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=pass_fds,
            user=user,
            group=None if user is None else _group_of(user),
            extra_groups=None if user is None else (),
        )
    remember(popen.pid)
    return popen


def _executable(command: Sequence[str], *, cwd: Path, path: str | None) -> str:
    """Find the program now: a shell that cannot would only leave a line in the log."""
    if not command:
        raise HarnessError("nothing to start: the command is empty")
    if not cwd.is_dir():
        raise HarnessError(f"cannot start {command[0]!r}: no such folder: {cwd}")
    inside = os.path.join(cwd, command[0]) if os.sep in command[0] else command[0]
    found = shutil.which(inside, path=path)
    if found is None:
        raise HarnessError(f"cannot start {command[0]!r}: no such program (in {cwd})")
    return os.path.abspath(found)


def _group_of(user: str) -> int:
    import pwd

    return pwd.getpwnam(user).pw_gid


def _beyond_shell(environment: Mapping[str, str]) -> list[str]:
    """Carry variables like `server.port` past the shell, which may drop such names."""
    odd = [f"{k}={v}" for k, v in environment.items() if not _SHELL_NAME.fullmatch(k)]
    return ["/usr/bin/env", *odd] if odd else []


def signal_group(popen: Child, number: signal.Signals) -> bool:
    """Send a signal to every process of the group; False when none could take it."""
    try:
        os.killpg(popen.pid, number)
    except (ProcessLookupError, PermissionError):  # the latter: zombies on macOS
        return False
    return True


async def end_group(
    popen: Child,
    *,
    grace_s: float,
    politely: signal.Signals = signal.SIGTERM,
) -> None:
    """End the whole group: TERM, `grace_s` seconds later KILL, then reap the leader.

    The grace is the group's, not the leader's: a wrapper may exit at once while the
    server behind it still drains. A stopped group is continued, or it could not obey;
    a grace of zero kills at once. Cancelled in between, it still kills.
    """
    try:
        if grace_s > 0 and signal_group(popen, politely):
            signal_group(popen, signal.SIGCONT)
            await _gone(popen, within_s=grace_s)
    finally:
        signal_group(popen, signal.SIGKILL)
        _watchdog.forget(popen.pid)
    if not await _gone(popen, within_s=KILL_S):
        raise HarnessError(f"group {popen.pid} survived SIGKILL: {popen.args!r}")


async def _gone(popen: Child, *, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while popen.poll() is None or _has_members(popen.pid):
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(POLL_S)
    return True


def _has_members(group: int) -> bool:
    """Tell whether a group has a living process, once its leader has been reaped.

    Zombies answer signals, and where process 1 reaps nobody they stay for ever, so
    on Linux the process table decides.
    """
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS: only zombies; Linux: somebody else's process
        return _on_linux()
    if not _on_linux():
        return True
    return any(_is_member(stat, group) for stat in Path("/proc").glob("[0-9]*/stat"))


def _on_linux() -> bool:
    # A function, since mypy takes a comparison with sys.platform for a constant.
    return sys.platform.startswith("linux")


def _is_member(stat: Path, group: int) -> bool:
    try:
        # "pid (name) state ppid pgrp ...": a name may hold spaces and parentheses.
        state, _, pgrp = stat.read_text().rpartition(")")[2].split()[:3]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return int(pgrp) == group and state not in "ZX"
