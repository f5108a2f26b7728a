"""`python -m nurseline.local {run,stop}`: what the Makefile calls."""

import argparse
import sys
from pathlib import Path

from nurseline.local.lock import RunLock
from nurseline.local.run import Options, run
from nurseline.local.state import PROJECT, LocalError, state_folder


def main() -> int:
    """Do what was asked; what a person can mend is one line on the error output."""
    parser = argparse.ArgumentParser(prog="python -m nurseline.local")
    commands = parser.add_subparsers(dest="command", required=True)
    run_parser = commands.add_parser("run", help="run everything on this machine")
    run_parser.add_argument("--port", default="", help="port of the line's pages and webhooks")
    run_parser.add_argument("--phone-port", default="", help="port of the phone")
    run_parser.add_argument("--procfile", type=Path, default=PROJECT / "Procfile", help="another Procfile")
    run_parser.add_argument(
        "--no-staff-account", action="store_true", help="make no account for the staff pages"
    )
    commands.add_parser("stop", help="stop a running one")
    chosen = parser.parse_args()
    try:
        if chosen.command == "run":
            return run(Options(chosen.port, chosen.phone_port, chosen.procfile, not chosen.no_staff_account))
        print("stopped" if RunLock(state_folder()).stop_holder() else "nothing is running", flush=True)
    except LocalError as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
