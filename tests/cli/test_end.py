"""However a run is ended, it says so, and nothing of it lives two seconds later."""

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.hostile.driver import UNBROKEN, Running, gone, unbroken

LONG = "test_pinged_connection or test_idle_stream"
ONE = ("--profile", "broadcast")


TWICE = 2
"""As coreutils' timeout does it: to its child, and at once to the group as well."""


@contextmanager
def mid_run(folder: Path, jobs: int) -> Iterator[Running]:
    """A run whose clients are connected."""
    running = Running("run", "-k", LONG, *ONE, "--jobs", jobs, cwd=folder, env={})
    try:
        deadline = time.monotonic() + 60
        while opened(folder) < jobs:
            assert running.popen.poll() is None, running.log.read_text()
            assert time.monotonic() < deadline, running.log.read_text()
            time.sleep(0.02)
        yield running
    finally:
        running.end()


def opened(folder: Path) -> int:
    """In how many cases a stream was opened."""
    histories = (folder / "unbroken-results" / "histories").glob("*.jsonl")
    return sum(b'"type":"opened"' in path.read_bytes() for path in histories)


@pytest.mark.parametrize(
    ("number", "jobs", "times"),
    [
        (signal.SIGINT, 1, 1),
        (signal.SIGINT, 2, 1),
        (signal.SIGTERM, 1, 1),
        (signal.SIGTERM, 2, TWICE),
    ],
)
def test_ended_politely(
    number: signal.Signals, jobs: int, times: int, tmp_path: Path
) -> None:
    with mid_run(tmp_path, jobs) as running:
        for _ in range(times):
            os.killpg(running.popen.pid, number)
        done = running.done(tmp_path, within_s=60)
        assert done.status == 130, done.text
        assert "interrupted after" in done.text
        assert "Traceback" not in done.text
        assert not gone(running.mark)


def test_ended_alone(tmp_path: Path) -> None:
    """As a supervisor ends it: the workers are not told, and end all the same."""
    with mid_run(tmp_path, 2) as running:
        began = time.monotonic()
        os.kill(running.popen.pid, signal.SIGTERM)
        done = running.done(tmp_path, within_s=60)
        assert done.status == 130, done.text
        assert "Traceback" not in done.text
        assert not gone(running.mark)
    took_s = time.monotonic() - began
    unfinished = (tmp_path / "unbroken-results" / "histories").glob("*.jsonl")
    assert any(b'"type":"end"' not in path.read_bytes() for path in unfinished), took_s


def test_interrupted_though_started_to_ignore_it(tmp_path: Path) -> None:
    """As a script's background job is: Ctrl-C still ends us and all that we started."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with mid_run(tmp_path, 1) as running:
            os.killpg(running.popen.pid, signal.SIGINT)
            done = running.done(tmp_path, within_s=60)
    finally:
        signal.signal(signal.SIGINT, before)
    assert done.status == 130, done.text
    assert not gone(running.mark)


def test_interrupted_at_once(tmp_path: Path) -> None:
    """While it still imports: nothing but that it was interrupted."""
    running = Running("list", cwd=tmp_path, env={})
    try:
        deadline = time.monotonic() + 60
        while not _handles(running.popen.pid, signal.SIGTERM):
            assert time.monotonic() < deadline
            time.sleep(0.001)
        os.kill(running.popen.pid, signal.SIGTERM)
        done = running.done(tmp_path, within_s=60)
    finally:
        running.end()
    assert (done.status, done.text) == (130, "unbroken: interrupted\n")


def _handles(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler of its own for a signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    (caught,) = (line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def test_who_stops_reading_does_not_stop_it(tmp_path: Path) -> None:
    command = [str(UNBROKEN), "run", "-k", "test_first_frame", *ONE, "--arm", "sim"]
    popen = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert popen.stdout is not None
    popen.stdout.close()
    _, said = popen.communicate(timeout=60)
    assert (popen.returncode, said) == (0, b"")
    assert (tmp_path / "unbroken-results" / "result.json").exists()


def test_output_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """And nothing is lost but that."""
    command = [str(UNBROKEN), "run", "-k", "test_first_frame", *ONE, "--arm", "sim"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True
        )
    why = "not all could be written to standard output: No space left on device"
    assert (done.returncode, done.stderr) == (3, f"unbroken: {why}\n")
    assert (tmp_path / "unbroken-results" / "result.json").exists()


def test_what_does_not_come_to_its_end_leaves_no_verdict(tmp_path: Path) -> None:
    choice = ("run", "--arm", "sim", *ONE, "--out", tmp_path / "out", "-k")
    assert unbroken(*choice, "test_first_frame", cwd=tmp_path).status == 0
    kept = sorted((tmp_path / "out" / "histories").iterdir())
    assert unbroken(*choice, "no_such_thing", cwd=tmp_path).status == 2
    assert sorted((tmp_path / "out" / "histories").iterdir()) == kept
    assert not (tmp_path / "out" / "result.json").exists()
    assert not (tmp_path / "out" / "report.html").exists()


@pytest.mark.parametrize("jobs", [1, 2])
def test_started_without_standard_input(jobs: int, tmp_path: Path) -> None:
    """Nothing that it gives to its children has the number that became free."""
    names = ["-k", "test_header_against_query", *ONE, "--jobs", str(jobs)]
    line = shlex.join([str(UNBROKEN), "run", *names]) + " <&-"
    done = subprocess.run(
        ["sh", "-c", line], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("jobs", [1, 2])
def test_killed(jobs: int, tmp_path: Path) -> None:
    with mid_run(tmp_path, jobs) as running:
        os.kill(running.popen.pid, signal.SIGKILL)
        running.popen.wait()
        assert not gone(running.mark)


def test_toxiproxy_killed(tmp_path: Path) -> None:
    names = "test_cut_in_mid_stream or test_stall or test_latency"
    running = Running("run", "-k", names, *ONE, "--jobs", 1, cwd=tmp_path, env={})
    try:
        deadline = time.monotonic() + 60
        while not opened(tmp_path):
            assert time.monotonic() < deadline, running.log.read_text()
            time.sleep(0.02)
        (pid,) = (p for p, line in running.ours().items() if "toxiproxy-s" in line)
        os.kill(pid, signal.SIGKILL)
        done = running.done(tmp_path / "unbroken-results")
        assert done.status == 3, done.text
        outcomes = [case["outcome"] for case in done.cases]
        assert outcomes.count("could not run") == 1, done.text
        assert outcomes.count("passed") == 3, done.text
        assert not gone(running.mark)
    finally:
        running.end()
