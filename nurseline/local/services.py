"""The line's processes from the Procfile, run by honcho in a process of its own.

Started by `run.py` as `python -m nurseline.local.services NAME=COMMAND…`. When one of them ends, honcho stops
the others: the line is whole or not there at all.
"""

import contextlib
import os
import sys
from multiprocessing import set_start_method
from typing import Any

from honcho import manager
from honcho.printer import Printer


class Services(manager.Manager):  # type: ignore[misc]
    """Honcho's manager, which can also be asked to stop while it is still starting."""

    def __init__(self) -> None:
        super().__init__(_Output(sys.stdout))
        self._stop_when_started = False
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
        started = bool(super()._all_started())
        if started and self._stop_when_started:
            self._stop_when_started = False
            super().terminate()
        return started


class _Output(Printer):  # type: ignore[misc]
    """Honcho's printer; where nobody reads any more (`make run | head`) it keeps quiet instead of failing."""

    def write(self, message: Any) -> None:
        with contextlib.suppress(OSError):
            super().write(message)


# Seconds from the first end to SIGKILL for the rest; the database knows what was under way.
manager.KILL_WAIT = 4


def main(arguments: list[str]) -> int:
    """Run the named commands until one ends or a signal comes."""
    set_start_method("fork")  # honcho hands open pipes to its children
    services = Services()
    for argument in arguments:
        name, _, command = argument.partition("=")
        services.add_process(name, command, env={**os.environ, "HONCHO_PROCESS_NAME": name})
    services.loop()
    if services.first_to_end:
        print(f"{services.first_to_end} ended by itself, so everything is stopped", flush=True)
    return int(services.returncode or 0) & 0xFF


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
