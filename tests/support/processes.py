"""Start the line's own processes (web, worker, beat, devphone) in a test, and stop them by their pid."""

import contextlib
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nurseline.local.processes import end_all, launch_command, stop, with_setting
from nurseline.local.state import PROJECT
from tests.support.waiting import wait_for

MARK = "NURSELINE_TEST_PROCESSES"


@dataclass
class Process:
    """One running program: its name, where its output goes, and how it ends."""

    name: str
    child: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.child.pid

    @property
    def output(self) -> str:
        """Everything it has printed up to now."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    @property
    def running(self) -> bool:
        return self.child.poll() is None

    def stop(self, *signals: int, seconds_each: float = 10.0) -> int:
        """Stop it (SIGTERM unless told) and return its exit code."""
        stop(self.child, *(signals or (signal.SIGTERM,)), seconds_each=seconds_each)
        return int(self.child.returncode)

    def kill(self) -> None:
        """kill -9, its whole group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.child.wait()


class Processes:
    """Every program one test starts; all are gone after the test, and their output is kept in `logs`."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.started: list[Process] = []
        self.logs.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, command: Sequence[str | Path], env: Mapping[str, str]) -> Process:
        """Start a program in the project's folder with PATH, HOME and exactly these variables.

        `python`, `granian` and `celery` mean those of the environment that runs the tests. It is killed when
        the test run ends, however that ends.
        """
        log = self.logs / f"{name}-{len(self.started)}.log"
        with log.open("wb") as output:
            child = subprocess.Popen(
                launch_command([self._program(command[0]), *command[1:]], at_end=signal.SIGKILL),
                env={**basic_environment(), **env, MARK: str(self.logs)},
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        process = Process(name, child, log)
        self.started.append(process)
        return process

    def wait_until_answers(self, process: Process, url: str, limit_seconds: float = 30.0) -> None:
        """Wait until a GET of the address gives 200, and fail at once when the process ends instead."""

        def answers() -> bool:
            if not process.running:
                code = process.child.returncode
                raise EndedError(f"{process.name} ended with {code}:\n{process.output[-4000:]}")
            with urllib.request.urlopen(url, timeout=2) as response:
                return bool(response.status == 200)

        def answers_or_not_yet() -> bool:
            try:
                return answers()
            except (urllib.error.URLError, OSError):
                return False

        try:
            wait_for(answers_or_not_yet, limit_seconds, f"{process.name} at {url}")
        except AssertionError as error:
            message = f"{error}; its output ends with:\n{process.output[-4000:]}"
            raise AssertionError(message) from error

    def stop_all(self) -> None:
        """Stop them, last started first, and whatever they started themselves."""
        for process in reversed(self.started):
            if process.running:
                process.child.send_signal(signal.SIGTERM)
        for process in reversed(self.started):
            process.stop(seconds_each=5.0)
        end_all(lambda: with_setting(MARK, str(self.logs)), signal.SIGKILL, seconds_each=2.0)

    def report(self) -> str:
        """The end of every log, for a failed test."""
        return "\n".join(f"--- {process.name} ---\n{process.output[-3000:]}" for process in self.started)

    @staticmethod
    def _program(name: str | Path) -> str:
        if "/" in str(name):
            return str(name)
        beside = Path(sys.executable).with_name(str(name))
        return str(beside if beside.exists() else name)


class EndedError(BaseException):
    """A process ended while something waited for its answer; not an Exception, so that no wait goes on."""


def basic_environment() -> dict[str, str]:
    """Return what any program needs, and nothing that points it at somebody's real servers."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    return {**kept, "PATH": path, "PYTHONUNBUFFERED": "1"}
