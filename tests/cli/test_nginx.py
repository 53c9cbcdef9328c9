"""The scenarios behind nginx as their user has them: chosen, missing, broken off."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.cli.test_pytest import run
from tests.hostile.driver import Running, gone, unbroken

QUIET = "test_quiet_stream_behind_nginx and gzip and broadcast"
LID = "test_closed_lid_before_nginx and broadcast"
MISSING = {"NGINX": "/nowhere/nginx"}
INSTALL = "apt-get install nginx-light"


def nginxes(folder: Path) -> dict[int, str]:
    """Living ones that work below a folder: nginx wipes the mark in its environment."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(folder):
                line = (process / "cmdline").read_bytes().replace(b"\0", b" ")
                if line.startswith(b"nginx: "):
                    found[int(process.name)] = line.decode()
    return found


def nothing_left(running: Running, folder: Path) -> None:
    assert not gone(running.mark)
    deadline = time.monotonic() + 2
    while nginxes(folder) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not nginxes(folder)


def behind(folder: Path) -> bool:
    """Whether the client of the case has come: nginx is ready then."""
    histories = (folder / "unbroken-results" / "histories").glob("*.jsonl")
    return any(b'"who":"alice"' in one.read_bytes() for one in histories)


@contextmanager
def mid_run(folder: Path) -> Iterator[Running]:
    """A run whose nginx has a worker, and a client."""
    running = Running("run", "-k", QUIET, "--jobs", 1, cwd=folder, env={})
    try:
        deadline = time.monotonic() + 60
        while len(nginxes(folder)) < 2 or not behind(folder):
            assert running.popen.poll() is None, running.log.read_text()
            assert time.monotonic() < deadline, running.log.read_text()
            time.sleep(0.02)
        yield running
    finally:
        running.end()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ended_politely(number: signal.Signals, tmp_path: Path) -> None:
    with mid_run(tmp_path) as running:
        os.killpg(running.popen.pid, number)
        done = running.done(tmp_path, within_s=60)
        assert done.status == 130, done.text
        assert "Traceback" not in done.text
        nothing_left(running, tmp_path)


def test_killed(tmp_path: Path) -> None:
    with mid_run(tmp_path) as running:
        os.kill(running.popen.pid, signal.SIGKILL)
        running.popen.wait()
        nothing_left(running, tmp_path)


def test_nginx_killed(tmp_path: Path) -> None:
    """Nobody's server is blamed for what our nginx does."""
    with mid_run(tmp_path) as running:
        for pid in nginxes(tmp_path):
            os.kill(pid, signal.SIGKILL)
        done = running.done(tmp_path / "unbroken-results")
    assert done.status == 3, done.text
    (case,) = done.cases
    assert case["outcome"] == "could not run"
    assert "nginx exited with -9" in case["reasons"][0]
    assert done.broken() == set()


def test_missing(tmp_path: Path) -> None:
    done = unbroken("run", "-k", LID, "--jobs", 1, cwd=tmp_path, env=MISSING)
    assert done.status == 3, done.text
    (case,) = done.cases
    assert case["outcome"] == "could not run"
    assert INSTALL in case["reasons"][0]


def test_missing_and_the_doctor_says_so(tmp_path: Path) -> None:
    done = unbroken("doctor", cwd=tmp_path, env=MISSING)
    assert done.status == 0, done.text
    (line,) = (one for one in done.text.splitlines() if one.startswith("warn"))
    assert INSTALL in line


def test_well_and_the_doctor_says_so(tmp_path: Path) -> None:
    done = unbroken("doctor", cwd=tmp_path)
    assert done.status == 0, done.text
    assert "ok      nginx: nginx/" in done.text


def test_not_applicable_in_virtual_time(tmp_path: Path) -> None:
    done = unbroken("run", "-k", LID, "--arm", "sim", "--jobs", 1, cwd=tmp_path)
    (case,) = done.cases
    assert case["outcome"] == "not applicable", done.text
    assert "--arm live" in case["reasons"][0]


def test_nightly_only_when_asked_for(tmp_path: Path) -> None:
    name = "test_quiet_minute_behind_nginx"
    status, text = run(tmp_path, "--collect-only", "-k", name)
    assert status == 5, text
    status, text = run(tmp_path, "--collect-only", "-k", name, "--unbroken-nightly")
    assert status == 0, text
    assert name in text
    done = unbroken("run", "-k", name, cwd=tmp_path)
    assert done.status == 2
    assert "need --nightly" in done.text
    assert f"{name} (nightly)" in unbroken("list", "-k", name, cwd=tmp_path).text
