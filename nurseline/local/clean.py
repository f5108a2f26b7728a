"""`python -m nurseline.local.clean`: remove what runs have kept. Needs nothing but Python itself."""

import shutil
import sys
from pathlib import Path

from nurseline.local.lock import RunLock
from nurseline.local.state import MARKER, LocalError, state_folder
from nurseline.local.unprivileged import moved_folder


def clean(folder: Path) -> str:
    """Remove the state folder, and the one elsewhere that belongs to it; refuse while a run uses it."""
    if not folder.exists():
        return f"{folder} is not there: nothing to remove"
    if not (folder / MARKER).exists():
        message = f"{folder} was not made by `make run`: remove it yourself if you mean it"
        raise LocalError(message)
    with RunLock(folder):
        if elsewhere := moved_folder(folder):
            shutil.rmtree(elsewhere, ignore_errors=True)
        shutil.rmtree(folder)
    return f"{folder} is removed"


def main() -> int:
    """Remove the state folder; a refusal is one line."""
    try:
        print(clean(state_folder()))
    except (LocalError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
