"""Start, recognise and stop processes of our own; a process is stopped only when it is provably ours."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO

LAUNCH = Path(__file__).with_name("launch.py")
PROC = Path("/proc")


def launch_command(
    program: Sequence[str | Path], *, way: str = "direct", at_end: int = signal.SIGTERM
) -> list[str]:
    """Return the command for a program tied to this process: it gets `at_end` when this process ends."""
    wrapper = [sys.executable, "-S", str(LAUNCH), way, str(os.getpid()), str(int(at_end))]
    return [*wrapper, *(str(part) for part in program)]


def start(
    program: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    folder: Path,
    output: IO[bytes] | int | None = None,
    way: str = "direct",
    at_end: int = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a program tied to this process, in a session of its own that Ctrl-C does not reach."""
    return subprocess.Popen(
        launch_command(program, way=way, at_end=at_end),
        env=dict(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        start_new_session=True,
    )


def stop(child: subprocess.Popen[bytes], *signals: int, seconds_each: float = 5.0) -> None:
    """Send the signals in turn, waiting after each, and at last SIGKILL to the whole group."""
    for number in signals:
        if child.poll() is not None:
            return
        child.send_signal(number)
        try:
            child.wait(seconds_each)
        except subprocess.TimeoutExpired:
            continue
    if child.poll() is None:
        kill_group(child.pid)
        child.wait()


def kill_group(pid: int) -> None:
    """End a process and all of its group at once."""
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


def with_working_folder(folder: Path, names: Iterable[str]) -> list[int]:
    """Return the processes of these program names that work in exactly this folder (Linux; elsewhere none).

    Servers change into their data folder, so this holds also for one whose parent has long gone.
    """
    wanted, home = tuple(names), str(folder)

    def ours(process: Path) -> bool:
        if str((process / "cwd").readlink()) != home:
            return False
        return (process / "exe").readlink().name.removesuffix(" (deleted)") in wanted

    return _matching(ours)


def command_line(pid: int) -> str:
    """Return the words of a process's command line, each followed by a blank; empty when there is none."""
    if PROC.is_dir():
        try:
            return (PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
        except OSError:
            return ""
    listed = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, check=False)
    return listed.stdout.decode(errors="replace").strip() + " "


def with_setting(name: str, value: str) -> list[int]:
    """Return the processes that were started with this environment variable (Linux; elsewhere none)."""
    entry = f"{name}={value}".encode()
    return _matching(lambda process: entry in (process / "environ").read_bytes().split(b"\0"))


def end_all(find: Callable[[], list[int]], *signals: int, seconds_each: float = 5.0) -> bool:
    """Send the signals in turn to whatever `find` finds; say whether nothing is left."""
    for number in (*signals, signal.SIGKILL):
        for pid in find():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        deadline = time.monotonic() + seconds_each
        while time.monotonic() < deadline:
            if not find():
                return True
            time.sleep(0.05)
    return not find()


def _matching(ours: Callable[[Path], bool]) -> list[int]:
    found = []
    for process in PROC.iterdir() if PROC.is_dir() else ():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        try:
            if ours(process) and not _is_zombie(process):
                found.append(int(process.name))
        except OSError:  # it ended meanwhile, or belongs to somebody else
            continue
    return found


def _is_zombie(process: Path) -> bool:
    fields = (process / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2]
    return fields.split()[0] == "Z"
