"""The line's processes from the Procfile, run by honcho in a process of its own.

Started by `run.py` as `python -m nurseline.local.services NAME=COMMAND…`. When one of them ends, honcho stops
the others: the line is whole or not there at all. The phone goes last, so that a message which the worker is
handing over still gets its answer.
"""

import contextlib
import os
import signal
import sys
import time
from multiprocessing import set_start_method

from honcho import manager
from honcho.printer import Printer

from nurseline.local.processes import command_line, kill_group
from nurseline.local.say import WholeLines, say

LAST = "phone"
# Seconds from the first end to SIGKILL for the rest: Celery needs 3 when idle, and thrice that on a busy
# machine. The database knows what was under way.
manager.KILL_WAIT = 12
# Seconds that the phone has for itself when the rest had to be killed.
LAST_SECONDS = 1.0


class Services(manager.Manager):  # type: ignore[misc]
    """Honcho's manager, which stops the phone last, and can be asked to stop while it is still starting."""

    def __init__(self) -> None:
        super().__init__(Printer(WholeLines()))
        self._procmgr = _Signals()
        self._stop_when_started = False
        self._last_told_at = 0.0
        self.first_to_end = ""

    def terminate(self) -> None:
        """Stop all, at once or as soon as all have started: honcho does not know their numbers before."""
        if not super()._all_started():
            self._stop_when_started = True
            return
        if not self._terminating:
            ended = (name for name, process in self._processes.items() if "returncode" in process)
            self.first_to_end = next(ended, "")
        super().terminate()

    def _all_started(self) -> bool:
        """Honcho asks this in every round, so what has to wait for something is done here."""
        started = bool(super()._all_started())
        if started and self._stop_when_started:
            self._stop_when_started = False
            super().terminate()
        if self._terminating and not self._last_told_at and set(self._running()) == {LAST}:
            self._killall()
        return started

    def _running(self) -> list[str]:
        return [name for name, process in self._processes.items() if "returncode" not in process]

    def _killall(self, force: bool = False) -> None:
        running = self._running()
        names = [name for name in running if name != LAST] or running
        if names == [LAST]:
            self._last_told_at = self._last_told_at or time.monotonic()
            force = force and time.monotonic() - self._last_told_at > LAST_SECONDS
        for name in names:
            pid = self._processes[name]["pid"]
            self._system_print(f"sending {'SIGKILL' if force else 'SIGTERM'} to {name} (pid {pid})\n")
            (self._procmgr.kill if force else self._procmgr.terminate)(pid)


class _Signals:
    """How a process is told to stop."""

    def terminate(self, pid: int) -> None:
        """SIGTERM to the program alone: Celery lets its children finish, who would die of it in mid-send.

        A command that is not `exec PROGRAM` leaves the shell in the program's place; then it goes to all.
        """
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if command_line(pid).startswith("/bin/sh "):
                os.killpg(pid, signal.SIGTERM)
            else:
                os.kill(pid, signal.SIGTERM)

    def kill(self, pid: int) -> None:
        """SIGKILL to the program and to all it has started."""
        kill_group(pid)


def main(arguments: list[str]) -> int:
    """Run the named commands until one ends or a signal comes."""
    set_start_method("fork")  # honcho hands open pipes to its children
    services = Services()
    for argument in arguments:
        name, _, command = argument.partition("=")
        services.add_process(name, command, env={**os.environ, "HONCHO_PROCESS_NAME": name})
    services.loop()
    if services.first_to_end:
        say(f"{services.first_to_end} ended by itself, so everything is stopped")
    return int(services.returncode or 0) & 0xFF


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
