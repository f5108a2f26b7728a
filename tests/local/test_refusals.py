"""What cannot be done is said in one line that tells what to do instead."""

import importlib.util
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from nurseline.local import redis, state
from nurseline.local.clean import clean
from nurseline.local.postgres import Postgres, end_leftovers
from nurseline.local.processes import launch_command
from nurseline.local.state import PROJECT, LocalError
from tests.support.processes import basic_environment


def refused(tmp_path: Path, *arguments: str, **env: str) -> str:
    """Run with these arguments and return the one line it ends with."""
    done = subprocess.run(
        [sys.executable, "-m", "nurseline.local", "run", *arguments],
        env={**basic_environment(), "NURSELINE_STATE": str(tmp_path / "state"), **env},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize("name", ["PORT", "PHONE_PORT"])
def test_a_taken_port_is_named(tmp_path: Path, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        line = refused(tmp_path, f"--{name.lower().replace('_', '-')}", str(port))
    assert line.startswith(f"port {port} ({name}) is taken by another program")
    assert f"make run {name}=" in line


@pytest.mark.parametrize("text", ["abc", "0", "80", "65536", "-1", "8000.5", "٨٠٠٠"])
def test_what_is_no_port_is_named(tmp_path: Path, text: str) -> None:
    assert f"PORT={text} is not a port" in refused(tmp_path, f"--port={text}")


def test_one_port_for_both_is_refused(tmp_path: Path) -> None:
    assert "they must differ" in refused(tmp_path, "--port", "18080", "--phone-port", "18080")


def test_a_missing_procfile_is_named(tmp_path: Path) -> None:
    assert "cannot be read" in refused(tmp_path, "--procfile", str(tmp_path / "none"))


def test_a_state_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "letter.txt").write_text("mine")
    assert "holds other files" in refused(tmp_path)
    with pytest.raises(LocalError, match="was not made by"):
        clean(tmp_path / "state")
    assert (tmp_path / "state" / "letter.txt").read_text() == "mine"


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be used" in refused(tmp_path, NURSELINE_STATE=str(tmp_path / "file" / "state"))


def test_a_missing_redis_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(LocalError, match="apt-get install redis-server") as refusal:
        redis.program()
    assert "\n" not in str(refusal.value)


def test_a_redis_on_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "redis-server"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert redis.program() == own


def test_data_of_another_postgresql_version_is_not_touched(tmp_path: Path) -> None:
    folder = state.prepare(tmp_path / "state")
    data = folder / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("9\n")
    with pytest.raises(LocalError, match="PostgreSQL 9"):
        Postgres(folder, port=1, password="x").start()
    assert [file.name for file in data.iterdir()] == ["PG_VERSION"]


def test_a_process_that_only_has_the_number_of_an_old_server_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        (tmp_path / "postmaster.pid").write_text(f"{stranger.pid}\n{tmp_path}\n")
        end_leftovers(tmp_path)
        assert stranger.poll() is None
        stranger.kill()
    assert not (tmp_path / "postmaster.pid").exists()


def test_a_program_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys; from nurseline.local.processes import launch_command;"
        "child = subprocess.Popen(launch_command(['/bin/sleep', '60']));"
        "print(child.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        descriptor = os.pidfd_open(pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        ended, _, _ = select.select([descriptor], [], [], 10)
        os.close(descriptor)
    assert ended


def test_a_program_whose_starter_is_gone_already_does_not_start() -> None:
    command = launch_command(["/bin/echo", "started"])
    command[4] = "1"
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 125
    assert done.stdout == b""
