"""`python -m nurseline.devphone`: runs the stand-in until it is told to stop."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import threading
from types import FrameType

from nurseline.devphone import app
from nurseline.devphone.exchange import Exchange
from nurseline.devphone.settings import HOST, SettingsError, from_environment


def main() -> int:
    try:
        settings = from_environment(os.environ)
        exchange = Exchange(settings)
        server = app.make(exchange, settings.port)
    except SettingsError as error:
        return _refused(str(error))
    except (OSError, sqlite3.Error) as error:
        return _refused(f"cannot start: {error}")

    def stop(_signum: int, _frame: FrameType | None) -> None:
        # shutdown() waits for the loop, which runs on this thread.
        threading.Thread(target=server.shutdown, daemon=True).start()

    # Many short answers at once: a waiting thread should not wait out the usual 5 ms of another.
    sys.setswitchinterval(0.0005)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    exchange.start()
    _say(
        f"phone at http://{HOST}:{exchange.port}/ for {settings.number}, line at {settings.line_url}",
    )
    try:
        server.serve_forever(poll_interval=0.2)
    finally:
        server.server_close()
        exchange.stop()
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _refused(reason: str) -> int:
    sys.stderr.write(f"devphone: {reason}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
