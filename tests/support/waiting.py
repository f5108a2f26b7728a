"""Waiting for something to become true, instead of sleeping and hoping."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def wait_for(
    condition: Callable[[], Found], limit_seconds: float = 10.0, what: str = "the condition"
) -> Found:
    """Return the first true value of `condition`; fail, naming `what`, when the limit passes.

    An exception of the last try is shown as the reason.
    """
    deadline = time.monotonic() + limit_seconds
    pause = 0.01
    while True:
        reason: BaseException | None = None
        try:
            if found := condition():
                return found
        except Exception as error:  # noqa: BLE001, RUF100 - "not yet" often shows as an error
            reason = error
        if time.monotonic() >= deadline:
            message = f"{what}: not within {limit_seconds:g} s"
            raise AssertionError(message) from reason
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)
