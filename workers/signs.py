"""What the processes of one worker tell each other across the fork: a page of shared memory, without a lock.

A lock would stay taken by a child that is killed while it holds it.
"""

from __future__ import annotations

import mmap
import struct
import time

_TIME = struct.Struct("d")


class Signs:
    """Made before the fork, shared by the main process and its children."""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, mmap.PAGESIZE)

    def work(self) -> None:
        """A child is at work: called at the beginning and the end of each task."""
        _TIME.pack_into(self._page, 0, time.monotonic())

    @property
    def last_work(self) -> float:
        """When a child was last at work: only good for telling whether it changes."""
        return float(_TIME.unpack_from(self._page, 0)[0])

    def stop(self) -> None:
        """The worker was told to stop: long tasks come to their end."""
        self._page[_TIME.size] = 1

    @property
    def stopping(self) -> bool:
        """Whether the worker was told to stop."""
        return bool(self._page[_TIME.size])


signs = Signs()
