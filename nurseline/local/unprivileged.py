"""How PostgreSQL, which refuses to run as root, runs here without changing anything of this machine."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nurseline.local.launch import NOBODY
from nurseline.local.processes import launch_command
from nurseline.local.state import LocalError

SHARED = Path("/var/tmp")  # noqa: S108 - a folder of ours inside it, made with a mode that keeps others out
MOVED = "moved-to"


@dataclass(frozen=True, slots=True)
class Way:
    """The word for launch.py, the folder with PostgreSQL's programs, and the folder for its data."""

    word: str
    programs: Path
    home: Path


def choose(programs: Path, home: Path) -> Way:
    """Return the first way that works: as we are, in a user namespace, as `nobody` here or elsewhere."""
    direct = Way("direct", programs, home)
    if os.geteuid() != 0:
        home.mkdir(mode=0o700, exist_ok=True)
        return direct
    for attempt in _attempts(programs, home):
        way = attempt()
        if _works(way):
            return way
    message = (
        "PostgreSQL does not run as root and no way round it works here: "
        "run as an ordinary user, or set DATABASE_URL to a PostgreSQL server of yours"
    )
    raise LocalError(message)


def _attempts(programs: Path, home: Path) -> list[Callable[[], Way]]:
    def in_namespace() -> Way:
        _own(home, 0)
        return Way("namespace", programs, home)

    def as_nobody_here() -> Way:
        # Our own folder: letting others pass through it, not look, shows them none of its private files.
        home.parent.chmod(0o711)
        _own(home, NOBODY)
        return Way(str(NOBODY), programs, home)

    def as_nobody_elsewhere() -> Way:
        folder = elsewhere(home)
        _own(folder / "postgres", NOBODY)
        (home.parent / MOVED).write_text(f"{folder}\n", encoding="utf-8")
        home.parent.chmod(0o700)
        return Way(str(NOBODY), _copy(programs, folder / "programs"), folder / "postgres")

    ways = [in_namespace, as_nobody_here, as_nobody_elsewhere]
    # Data that lives elsewhere stays there: an empty database here would look like a loss.
    return ways[2:] if (home.parent / MOVED).exists() else ways


def elsewhere(home: Path) -> Path:
    """Return the one folder outside the state folder that may hold the data, made if need be."""
    folder = SHARED / f"nurseline-{hashlib.sha256(str(home).encode()).hexdigest()[:16]}"
    folder.mkdir(mode=0o711, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != 0:
        message = f"{folder} was made by somebody else: remove it, or set DATABASE_URL"
        raise LocalError(message)
    folder.chmod(0o711)
    return folder


def _copy(programs: Path, to: Path) -> Path:
    """Copy the wheel's package and the libraries beside it; return the folder of the copied programs."""
    package = programs.parents[1]
    if not to.is_dir():
        fresh = to.with_name("copying")
        shutil.rmtree(fresh, ignore_errors=True)
        for part in (package, package.with_name(f"{package.name}.libs")):
            if part.is_dir():
                shutil.copytree(part, fresh / part.name, symlinks=True)
        fresh.rename(to)
    return to / programs.relative_to(package.parent)


def moved_folder(state: Path) -> Path | None:
    """Return the folder elsewhere that belongs to this state folder, if there is one."""
    try:
        folder = Path((state / MOVED).read_text(encoding="utf-8").strip())
    except FileNotFoundError:
        return None
    return folder if folder.parent == SHARED and folder.name.startswith("nurseline-") else None


def _own(home: Path, user: int) -> None:
    """Make the data folder, with everything in it, this user's."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if home.stat().st_uid == user:
        return
    for folder, names, files in os.walk(home):
        for path in (Path(folder), *(Path(folder) / name for name in names + files)):
            os.chown(path, user, user, follow_symlinks=False)


def _works(way: Way) -> bool:
    script = 'test -w "$1" && cd "$1" && "$2/initdb" --version && exec "$2/postgres" --version'
    command: list[str | Path] = ["/bin/sh", "-c", script, "sh", way.home, way.programs]
    tied = launch_command(command, way=way.word)
    done = subprocess.run(tied, capture_output=True, check=False, cwd="/", stdin=subprocess.DEVNULL)
    return done.returncode == 0
