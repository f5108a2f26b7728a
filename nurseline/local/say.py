"""Words for whoever looks at the run: whole lines, though two processes write to one terminal."""

import contextlib
import sys


def say(text: str) -> None:
    """Print one line, at once and in one write; where nobody reads any more, that is no reason to fail.

    `print` hands over the text and the end of the line separately, and where output is not buffered
    (`PYTHONUNBUFFERED`) another process can write between the two.
    """
    with contextlib.suppress(OSError):
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


class WholeLines:
    """An output for `print(…, flush=True)` that passes on what was written between two flushes in one go."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def write(self, text: str) -> None:
        """Keep a part of a line."""
        self._parts.append(text)

    def flush(self) -> None:
        """Say what was kept."""
        text, self._parts = "".join(self._parts), []
        if text:
            say(text.removesuffix("\n"))

    def isatty(self) -> bool:
        """Say whether colours are seen at the other end."""
        return sys.stdout.isatty()
