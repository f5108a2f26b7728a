"""One run at a time on one state folder."""

import fcntl
import os
import signal
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from nurseline.local.state import LocalError

STOP_SECONDS = 30.0


class AlreadyRunningError(LocalError):
    """Another run holds the state folder."""


class RunLock:
    """Held as long as the run's process lives; the kernel lets go of it however that ends."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._note = folder / "running"
        self._descriptor = -1

    def __enter__(self) -> Self:
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._descriptor)
            raise AlreadyRunningError(self._who()) from error
        self.note("starting")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._note.unlink(missing_ok=True)
        os.close(self._descriptor)

    def note(self, addresses: str) -> None:
        """Leave word for whoever tries to start another."""
        self._note.write_text(f"{os.getpid()}\n{addresses}\n", encoding="utf-8")

    def holder(self) -> int:
        """Return the process number of the run that holds the folder, or 0."""
        try:
            with self:
                return 0
        except FileNotFoundError:
            return 0
        except AlreadyRunningError:
            return self._read()[0]

    def stop_holder(self) -> bool:
        """Ask a running one to stop and wait for it; say whether there was one."""
        pid = self.holder()
        if not pid:
            return False
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            if not self.holder():
                return True
            time.sleep(0.1)
        message = f"the running line (process {pid}) does not stop"
        raise LocalError(message)

    def _read(self) -> tuple[int, str]:
        try:
            pid, addresses = self._note.read_text(encoding="utf-8").splitlines()[:2]
            return int(pid), addresses
        except (OSError, ValueError):
            return 0, ""

    def _who(self) -> str:
        pid, addresses = self._read()
        return f"already running (process {pid}): {addresses} - stop it with Ctrl-C there, or `make stop`"
