"""A PostgreSQL server of the tests' own: a cluster in a temporary folder."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WAIT_S = 30
INSTALL = "no PostgreSQL server here: apt-get install -y postgresql"
USER = "postgres"


def programs() -> Path | None:
    """The folder of initdb and pg_ctl; Debian keeps it off the PATH."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return debian[-1].parent if debian else None


class Cluster:
    """Started and stopped at will; only its own user may run it, which is never root.

    It listens on a socket in its folder and on a port of 127.0.0.1.
    """

    def __init__(self, folder: Path, bin_folder: Path, port: int) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.bin_folder = bin_folder
        self.port = port

    @property
    def url(self) -> str:
        """For SQLAlchemy."""
        return self.url_at(self.port)

    def url_at(self, port: int) -> str:
        """The same behind a proxy."""
        return f"postgresql+psycopg://{USER}@127.0.0.1:{port}/postgres"

    def make(self) -> None:
        """Nothing in it outlives the test, so nothing is synced."""
        self.run("initdb", "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync")
        settings = {
            "port": self.port,
            "listen_addresses": "'127.0.0.1'",
            "unix_socket_directories": f"'{self.folder}'",
            "fsync": "off",
        }
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in settings.items())

    def start(self) -> None:
        """Until it takes connections."""
        self.run("pg_ctl", "start", "-w", "-l", str(self.folder / "log"))

    def stop(self) -> None:
        """At once, as if the machine had died."""
        self.run("pg_ctl", "stop", "-m", "immediate")

    def is_running(self) -> bool:
        """By its own word."""
        return self.run("pg_ctl", "status", check=False) == 0

    def empty(self) -> None:
        """Drop every table, for the next test."""
        sql = "DROP SCHEMA public CASCADE; CREATE SCHEMA public"
        self.run("psql", "-h", str(self.folder), "-U", USER, "-q", "-c", sql)

    def run(self, program: str, *arguments: str, check: bool = True) -> int:
        """One of PostgreSQL's programs, as a user who may; its exit status."""
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"}
        environment |= {"PGDATA": str(self.data), "PGPORT": str(self.port)}
        done = subprocess.run(
            [str(self.bin_folder / program), *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=WAIT_S,
            check=check,
            user=USER if os.geteuid() == 0 else None,
            group=USER if os.geteuid() == 0 else None,
            extra_groups=[] if os.geteuid() == 0 else None,
        )
        return done.returncode


@contextmanager
def cluster(bin_folder: Path) -> Iterator[Cluster]:
    """A running one; nothing of it is left afterwards.

    Below /tmp by name: pytest's own folders are closed to other users.
    """
    folder = Path(tempfile.mkdtemp(prefix="unbroken-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(folder, USER, USER)
    made = Cluster(folder, bin_folder, free_port())
    try:
        made.make()
        made.start()
        yield made
    finally:
        if made.is_running():
            made.stop()
        shutil.rmtree(folder)


def free_port() -> int:
    """One that nobody has right now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
