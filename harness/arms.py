"""The arms by name; each is imported when it is first asked for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # heavy, and the command line needs the names only
    from harness.case import Arm

ARMS = ("live", "sim")


def make_arm(name: str, folder: Path, forks: str = "") -> Arm:
    """An arm; `folder` is for the logs of what it starts, `forks` as in `LiveArm`."""
    if name == "sim":
        from harness.sim.arm import SimArm

        return SimArm()
    from harness.live.arm import LiveArm
    from harness.live.toxiproxy_binary import find_or_build

    return LiveArm(binary=find_or_build(_say), folder=folder, forks=forks)


def versions_of(name: str) -> dict[str, str]:
    """What an arm runs on."""
    if name == "sim":
        from harness.sim.arm import SimArm

        return SimArm.versions
    from harness.live.arm import LiveArm

    return LiveArm.versions


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
