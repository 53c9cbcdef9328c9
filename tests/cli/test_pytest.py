"""`pytest scenarios --unbroken-target ...` without the command line, from anywhere."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from harness.core.profile import Profile
from tests.cli.test_bad_input import url
from tests.hostile.driver import ROOT, hostile
from tests.reference_server.process import Process


def run(folder: Path, *arguments: object) -> tuple[int, str]:
    """Run pytest in `folder`; its status and what it said."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", str(ROOT / "scenarios"), "-q"),
            *("--junitxml=junit.xml", "-p", "no:cacheprovider"),
            *map(str, arguments),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def junit(folder: Path) -> dict[str, tuple[str, str]]:
    """Each case's element and its outcome property."""
    found = {}
    for case in ET.parse(folder / "junit.xml").iter("testcase"):
        kinds = [one.tag for one in case if one.tag != "properties"]
        told = [one.get("value", "") for one in case.iter("property")]
        found[case.get("name", "")] = ("".join(kinds), "".join(told))
    return found


@pytest.mark.parametrize("workers", ["0", "2"])
def test_passed(workers: str, tmp_path: Path) -> None:
    status, text = run(tmp_path, "-k", "test_first_frame", "-n", workers)
    assert status == 0, text
    assert junit(tmp_path) == {
        f"test_first_frame_and_headers[{profile}]": ("", "passed")
        for profile in Profile
    }


def test_one_profile(tmp_path: Path) -> None:
    status, text = run(tmp_path, "-k", "test_first_frame", "--unbroken-profile", "log")
    assert status == 0, text
    assert list(junit(tmp_path)) == ["test_first_frame_and_headers[log]"]


def test_failed(tmp_path: Path) -> None:
    file = hostile(tmp_path, "lookalike", "interval-soon")
    name = "test_connection_ids_are_unique"
    status, text = run(tmp_path, "-k", name, "--unbroken-target", file)
    assert status == 1, text
    assert junit(tmp_path) == {f"{name}[broadcast]": ("failure", "failed")}
    assert "stream/first-frame-ping" in text


def test_could_not_run(tmp_path: Path) -> None:
    file = hostile(tmp_path, "raw", "exits")
    status, text = run(tmp_path, "-k", "test_idle", "--unbroken-target", file)
    assert status == 1, text
    assert junit(tmp_path) == {
        "test_idle_stream_is_kept_alive[broadcast]": ("error", "could not run")
    }
    assert "Traceback" not in text


def test_not_applicable(tmp_path: Path) -> None:
    server = Process(tmp_path, "--message-limit", "20", env={})
    try:
        (tmp_path / "running.toml").write_text(url(server.url))
        target = ("--unbroken-target", "running.toml")
        status, text = run(
            tmp_path,
            *("-k", "test_slow_close", *target, "--unbroken-profile", "broadcast"),
        )
    finally:
        server.http.close()
        server.child.kill()
        server.child.communicate()
    assert status == 0, text
    assert junit(tmp_path) == {
        "test_slow_close[broadcast]": ("skipped", "not applicable")
    }


@pytest.mark.parametrize("workers", ["0", "2"])
def test_refused(workers: str, tmp_path: Path) -> None:
    status, text = run(tmp_path, "--unbroken-target", "nope", "-n", workers)
    assert status == 4, text
    assert "unknown target 'nope'" in text
    assert "Traceback" not in text
