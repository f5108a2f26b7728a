"""A run of the whole set-up with stand-ins for the line's processes, as small as they can be."""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nurseline.local import processes, redis
from nurseline.local.ports import free_port
from nurseline.local.processes import PROC
from nurseline.local.run import MARK
from nurseline.local.state import PROJECT, read_env
from tests.support.processes import EndedError, basic_environment
from tests.support.waiting import wait_for

SERVER = "exec python -m http.server --bind 127.0.0.1 --directory {pages}"
STAND_INS = f"web: {SERVER} $PORT\nphone: {SERVER} $DEVPHONE_PORT\nbeat: exec sleep 600\n"


def _as_at_a_terminal() -> None:
    """Tests that run in the background, or under nohup, hand on that signals are not heard."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@dataclass
class Run:
    """One `make run`, without make."""

    child: subprocess.Popen[bytes]
    state: Path
    log: Path
    port: int
    phone_port: int
    seen: set[int] = field(default_factory=set)

    @property
    def output(self) -> str:
        return self.log.read_text(encoding="utf-8")

    @property
    def settings(self) -> dict[str, str]:
        return read_env(self.state)

    def ready(self) -> "Run":
        """Wait for the ready line."""

        def said() -> bool:
            if self.child.poll() is not None:
                raise EndedError(f"it ended with {self.child.returncode}:\n{self.output}")
            return "\nready " in f"\n{self.output}"

        wait_for(said, 150, "the ready line")
        self.seen = descendants(self.child.pid)
        return self

    def left(self) -> set[int]:
        """Return what still runs of all that this run has started."""
        servers = [*processes.with_working_folder(self.state / "redis", redis.NAMES)]
        servers += processes.with_working_folder(self.state / "postgres" / "data", ["postgres"])
        return alive(self.seen) | {*servers, *processes.with_setting(MARK, str(self.state))}

    def end(self, number: int = signal.SIGINT, limit_seconds: float = 15) -> int:
        """Send a signal to the run, as a terminal would to its group, and return the exit code."""
        self.seen |= descendants(self.child.pid)
        os.killpg(self.child.pid, number)
        return self.child.wait(limit_seconds)


def descendants(pid: int) -> set[int]:
    """Return every living process below this one."""
    parents = {}
    for process in PROC.iterdir():
        if process.name.isdigit():
            try:
                fields = (
                    (process / "stat")
                    .read_text(encoding="ascii", errors="replace")
                    .rpartition(")")[2]
                    .split()
                )
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(process.name)] = int(fields[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found and child not in found}:
        found |= more
    return found - {pid}


def alive(pids: set[int]) -> set[int]:
    """Return those of the processes that still run."""
    living = set()
    for pid in pids:
        try:
            state = (
                (PROC / str(pid) / "stat")
                .read_text(encoding="ascii", errors="replace")
                .rpartition(")")[2]
                .split()[0]
            )
        except OSError:
            continue
        if state != "Z":
            living.add(pid)
    return living


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the stand-ins serve: a /healthz."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "healthz").write_text("ok")
    return folder


Starter = Callable[..., Run]


@pytest.fixture
def start_run(tmp_path: Path, pages: Path) -> Iterator[Starter]:
    """Start a run; `whole` with the line's own processes, else with stand-ins, which `extra` adds to."""
    started: list[Run] = []

    def start(
        *,
        state: Path = tmp_path / "state",
        extra: str = "",
        procfile: str = STAND_INS,
        env: dict[str, str] | None = None,
        through: Sequence[str] = (),
        whole: bool = False,
    ) -> Run:
        file = tmp_path / f"Procfile-{len(started)}"
        file.write_text((procfile + extra).replace("{pages}", str(pages)))
        port = free_port()
        phone_port = free_port(avoid=frozenset({port}))
        log = tmp_path / f"run-{len(started)}.log"
        command = [sys.executable, "-m", "nurseline.local", "run"]
        if not whole:
            command += ["--no-staff-account", "--procfile", str(file)]
        command += ["--port", str(port), "--phone-port", str(phone_port)]
        if through:  # another program that is given the command, as make is
            command = [*through, f"COMMAND={shlex.join(command)}"]
        with log.open("wb") as output:
            child = subprocess.Popen(
                command,
                env={**basic_environment(), "NURSELINE_STATE": str(state), **(env or {})},
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_as_at_a_terminal,  # noqa: PLW1509 - these tests run no threads
            )
        started.append(Run(child, state, log, port, phone_port))
        return started[-1]

    yield start
    for run in started:
        if run.child.poll() is None:
            run.end(signal.SIGTERM)
        for pid in run.left():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
