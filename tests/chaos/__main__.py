"""`python -m tests.chaos --reminders 3000 --seed 1`: exit status 1 when anything was lost or sent twice."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from nurseline.local.state import PROJECT, LocalError
from tests.chaos.choices import MOST_PATIENTS
from tests.chaos.run import Place, whole
from tests.chaos.servers import Unusable

RESULTS = PROJECT / "chaos-results"
SERVERS = ("DATABASE_URL", "REDIS_URL")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, store."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--reminders", type=_count, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    environment = {name: os.environ[name] for name in SERVERS if os.environ.get(name)}
    servers = " and ".join(environment) or "own servers"
    print(f"chaos: {given.reminders} reminders, seed {given.seed}, {servers}", flush=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # given servers are left as they were
    folder = Path(tempfile.mkdtemp(prefix="nurseline-chaos-"))
    try:
        result, diary = whole(given.seed, given.reminders, Place(folder, environment))
    except (Unusable, LocalError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        shutil.rmtree(folder, ignore_errors=True)
        return 130
    print(f"\n{result.table()}\n\n{result.verdict()}")
    print(f"stored in {result.write(RESULTS, diary.lines)}")
    if result.good:
        shutil.rmtree(folder, ignore_errors=True)
        return 0
    print(f"logs of the processes are in {folder / 'logs'}")
    return 1


def _count(text: str) -> int:
    count = int(text)
    if not 20 <= count <= MOST_PATIENTS:
        raise argparse.ArgumentTypeError(f"from 20 to {MOST_PATIENTS}")
    return count


if __name__ == "__main__":
    sys.exit(main())
