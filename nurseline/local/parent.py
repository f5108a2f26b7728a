"""`make` as the parent of a run: what it does not hand on by itself."""

import ctypes
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from nurseline.local.launch import PR_SET_PDEATHSIG

# A terminal sends these to everybody in the foreground; when make alone gets one, it only waits for us.
NOT_HANDED_ON = (signal.SIGINT, signal.SIGHUP)


class Make:
    """The make that started this process, if one did (Linux; elsewhere it is as if none had)."""

    def __init__(self, outer: Mapping[str, str]) -> None:
        self._pid = os.getppid() if "MAKELEVEL" in outer and sys.platform.startswith("linux") else 0
        self._caught = self._catches()
        if self._pid:
            # Should make be killed outright, the run is not left behind without a terminal.
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)

    def stopped_by(self) -> signal.Signals | None:
        """Return the signal that make got alone: while it waits for us, it no longer catches that one."""
        gone = self._caught - self._catches()
        return next(iter(sorted(gone)), None)

    def _catches(self) -> set[signal.Signals]:
        try:
            status = Path(f"/proc/{self._pid}/status").read_text(encoding="utf-8")
        except OSError:
            return set()
        fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        mask = int(fields["SigCgt"], 16)
        return {number for number in NOT_HANDED_ON if mask >> (number - 1) & 1}
