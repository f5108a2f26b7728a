"""As root nothing on the machine changes but the state folder: no user, no owner, no mode."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from nurseline.local import postgres, state
from nurseline.local.clean import clean
from nurseline.local.ports import free_port
from nurseline.local.state import PROJECT
from tests.support.processes import basic_environment

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can show this")

ONE_START = """
import sys, pathlib
from nurseline.local import ports, postgres, state
folder = state.prepare(pathlib.Path(sys.argv[1]))
server = postgres.Postgres(folder, port=ports.free_port(), password="x", durable=False)
server.start()
server.create("kept")
print(server._way.word, server.data)
server.stop()
"""


def modes(*folders: Path) -> dict[str, tuple[int, int, int]]:
    """Return mode, owner and group of the folders and all their parents."""
    every = {parent for folder in folders for parent in (folder, *folder.parents)}
    return {str(path): (path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in every}


def users() -> str:
    return "".join(Path(name).read_text() for name in ("/etc/passwd", "/etc/group"))


@pytest.fixture
def closed() -> Iterator[Path]:
    """A folder that only root may enter, as root's home is."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that everybody may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_the_database_runs_in_a_folder_only_root_may_enter_and_changes_nothing_else(closed: Path) -> None:
    before = modes(closed, PROJECT, postgres.programs()), users()
    folder = state.prepare(closed / "state")
    server = postgres.Postgres(folder, port=free_port(), password="x", durable=False)
    server.start()
    try:
        with psycopg.connect(server.url("postgres").replace("+psycopg", "")) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        # To the rest of the machine its files and its process are root's.
        assert server.data.stat().st_uid == 0
        assert Path(f"/proc/{server.pid}").stat().st_uid == 0
    finally:
        server.stop()
    assert (modes(closed, PROJECT, postgres.programs()), users()) == before


def start_without_namespaces(folder: Path) -> list[str]:
    helper = [sys.executable, str(PROJECT / "tests/support/no_namespaces.py")]
    done = subprocess.run(
        [*helper, sys.executable, "-c", ONE_START, str(folder)],
        env=basic_environment(),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 77:
        pytest.skip("this machine refuses user namespaces, so the usual way here is the one tested")
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_where_namespaces_are_refused_it_runs_as_nobody_inside_the_state_folder(open_to_all: Path) -> None:
    before = modes(open_to_all, PROJECT, postgres.programs()), users()
    way, data = start_without_namespaces(open_to_all / "state")
    if not data.startswith(str(open_to_all)):
        clean(open_to_all / "state")
        pytest.skip("the programs themselves lie where `nobody` may not go")
    assert way == "65534"
    assert (open_to_all / "state" / "secrets.env").exists() is False
    assert (modes(open_to_all, PROJECT, postgres.programs()), users()) == before


def test_where_nobody_may_not_enter_either_it_uses_one_folder_elsewhere_and_clean_removes_it(
    closed: Path,
) -> None:
    before = modes(closed, PROJECT, postgres.programs()), users()
    way, data = start_without_namespaces(closed / "state")
    elsewhere = Path(data).parents[1]
    assert way == "65534"
    assert elsewhere.parent == Path("/var/tmp")
    # The data is found again there, not begun anew.
    assert start_without_namespaces(closed / "state") == [way, data]
    clean(closed / "state")
    assert not elsewhere.exists()
    assert (modes(closed, PROJECT, postgres.programs()), users()) == before
