"""Where PostgreSQL's programs are; Debian keeps them off the PATH."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import CouldNotRun

PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
"""Debian's and Red Hat's; the highest version there wins."""

INSTALL = "install PostgreSQL (Debian, Ubuntu: apt-get install postgresql)"
UNPRIVILEGED = ("postgres", "nobody")
"""PostgreSQL refuses to be root: the first of these users that there is runs it."""

VERSION_S = 10.0


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs of one version."""

    folder: Path
    version: str

    def path(self, name: str) -> str:
        """One of them."""
        return str(self.folder / name)


def find_programs() -> Programs:
    """Raises `CouldNotRun`, which says how to install them, when there are none."""
    for folder in _folders():
        if all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres")):
            return Programs(folder, _version(folder))
    raise CouldNotRun(f"initdb and postgres were not found: {INSTALL}")


def _folders() -> Iterator[Path]:
    found = shutil.which("initdb")
    if found is not None:
        yield Path(found).resolve().parent
    for place in PLACES:
        bins = Path("/").glob(place.removeprefix("/"))
        yield from sorted(bins, key=_number, reverse=True)


def _number(folder: Path) -> int:
    found = re.search(r"(\d+)", folder.parent.name)
    return int(found[1]) if found else 0


def _version(folder: Path) -> str:
    command = [str(folder / "postgres"), "--version"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=VERSION_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise CouldNotRun(f"{command[0]} does not run: {error}; {INSTALL}") from error
    return done.stdout.split()[2] if len(done.stdout.split()) > 2 else "unknown"


def unprivileged_user() -> str | None:
    """Who is to run it; None when we may ourselves."""
    if os.geteuid() != 0:
        return None
    import pwd

    known = {one.pw_name for one in pwd.getpwall()}
    user = next((name for name in UNPRIVILEGED if name in known), None)
    if user is None:
        raise CouldNotRun(
            f"PostgreSQL refuses to run as root, and there is no user "
            f"{' or '.join(UNPRIVILEGED)}"
        )
    return user
