"""`make run`: ready, one at a time, whole or not at all, and gone without a trace when asked."""

import os
import signal
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path

import psycopg
import pytest
import redis

from nurseline.local.ports import is_free
from nurseline.local.state import PROJECT
from tests.local.conftest import STAND_INS, Starter, alive
from tests.support.processes import basic_environment
from tests.support.waiting import wait_for


def local_command(*arguments: str, state: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        env={**basic_environment(), "NURSELINE_STATE": str(state)},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_ready_line_comes_once_when_all_answer(start_run: Starter) -> None:
    run = start_run().ready()
    line, phone = f"http://127.0.0.1:{run.port}", f"http://127.0.0.1:{run.phone_port}"
    lines = [text for text in run.output.splitlines() if text.startswith("ready ")]
    assert lines == [f"ready line={line} staff={line}/staff phone={phone}"]
    for address in (line, phone):
        with urllib.request.urlopen(f"{address}/healthz") as answer:
            assert answer.status == 200


def test_settings_are_left_for_other_commands_and_only_for_their_owner(start_run: Starter) -> None:
    run = start_run().ready()
    settings = run.settings
    assert settings["PUBLIC_BASE_URL"] == f"http://127.0.0.1:{run.port}"
    assert settings["TWILIO_API_BASE_URL"] == f"http://127.0.0.1:{run.phone_port}"
    with psycopg.connect(settings["DATABASE_URL"].replace("+psycopg", "")) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("nurseline",)
    for name in ("run.env", "secrets.env"):
        assert stat.S_IMODE((run.state / name).stat().st_mode) == 0o600


def test_a_second_run_says_where_the_first_one_is_and_ends(start_run: Starter) -> None:
    first = start_run().ready()
    second = start_run(state=first.state)
    assert second.child.wait(10) == 1
    assert second.output.count("\n") == 1
    assert (
        f"already running (process {first.child.pid}): line=http://127.0.0.1:{first.port} " in second.output
    )
    assert first.child.poll() is None


def test_what_was_stored_and_every_secret_survive_a_restart(start_run: Starter) -> None:
    first = start_run().ready()
    with psycopg.connect(first.settings["DATABASE_URL"].replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 'still here' AS words")
    with redis.Redis.from_url(first.settings["REDIS_URL"]) as client:
        client.set("kept", "still here")
    assert first.end() == 130
    second = start_run(state=first.state).ready()
    with psycopg.connect(second.settings["DATABASE_URL"].replace("+psycopg", "")) as connection:
        assert connection.execute("SELECT words FROM kept").fetchone() == ("still here",)
    with redis.Redis.from_url(second.settings["REDIS_URL"]) as client:
        assert client.get("kept") == b"still here"
    same = {
        "SECRET_KEY",
        "NURSELINE_KEYS",
        "TWILIO_ACCOUNT_SID",
        "TWILIO_AUTH_TOKEN",
        "DATABASE_URL",
        "REDIS_URL",
    }
    assert {name: second.settings[name] for name in same} == {name: first.settings[name] for name in same}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_every_process_it_started(start_run: Starter, number: signal.Signals) -> None:
    run = start_run().ready()
    assert len(run.seen) > 10  # servers with their helpers, honcho, the stand-ins
    assert run.end(number) == 128 + number
    assert run.left() == set()
    assert is_free(run.port)


# A worker whose child hands a message to the phone while everything is told to stop.
SENDING = """
import os, pathlib, signal, subprocess, sys, time, urllib.request
here = pathlib.Path(sys.argv[1])
if len(sys.argv) == 2:
    signal.signal(signal.SIGTERM, lambda *_: (here / "stopping").touch())
    (here / "listening").touch()
    sys.exit(subprocess.run([sys.executable, __file__, here, "child"]).returncode)
while not (here / "stopping").exists():
    time.sleep(0.02)
time.sleep(0.5)
with urllib.request.urlopen(f"http://127.0.0.1:{os.environ['DEVPHONE_PORT']}/healthz") as answer:
    (here / "answer").write_bytes(answer.read())
"""


def test_a_message_that_the_worker_is_handing_over_gets_its_answer_before_the_phone_stops(
    tmp_path: Path, start_run: Starter
) -> None:
    script = tmp_path / "sending.py"
    script.write_text(SENDING)
    run = start_run(extra=f"worker: exec python {script} {tmp_path}\n").ready()
    wait_for((tmp_path / "listening").exists, 20, "the worker")
    assert run.end() == 130
    assert (tmp_path / "answer").read_text() == "ok"
    stops = [line for line in run.output.splitlines() if " stopped (rc=" in line]
    assert [line.split("| ")[-1].split()[0] for line in stops][-2:] == ["worker", "phone"]
    assert run.left() == set()


def test_a_process_that_does_not_listen_is_stopped_all_the_same_after_a_while(
    start_run: Starter,
) -> None:
    run = start_run(extra="stubborn: trap '' TERM; while true; do sleep 1; done\n").ready()
    run.end(limit_seconds=25)
    assert run.left() == set()


def test_ctrl_c_while_starting_leaves_nothing_behind(start_run: Starter) -> None:
    run = start_run(procfile="release: exec sleep 600\n" + STAND_INS)
    wait_for((run.state / "run.env").exists, 20, "the servers")
    assert run.end() == 130
    assert run.left() == set()


def test_when_one_process_ends_the_rest_is_stopped_and_its_name_is_said(start_run: Starter) -> None:
    run = start_run(extra="worker: sleep 2; exit 3\n")
    assert run.child.wait(30) == 3
    assert "worker ended by itself, so everything is stopped" in run.output
    assert run.left() == set()


def test_when_a_server_ends_the_rest_is_stopped_and_its_name_is_said(start_run: Starter) -> None:
    run = start_run().ready()
    postmaster = int((run.state / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGKILL)
    assert run.child.wait(20) == 1
    assert "postgres ended by itself, so everything is stopped" in run.output
    assert run.left() == set()


def test_a_run_killed_outright_takes_its_processes_along_and_the_next_one_starts(start_run: Starter) -> None:
    first = start_run().ready()
    with psycopg.connect(first.settings["DATABASE_URL"].replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
    os.kill(first.child.pid, signal.SIGKILL)
    first.child.wait()
    wait_for(lambda: not first.left(), 15, "the end of everything the killed run had started")
    second = start_run(state=first.state).ready()
    with psycopg.connect(second.settings["DATABASE_URL"].replace("+psycopg", "")) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (1,)


def test_processes_left_by_a_run_and_its_manager_killed_together_are_stopped_first(
    start_run: Starter,
) -> None:
    first = start_run().ready()
    manager = next(
        pid for pid in first.seen if b"nurseline.local.services" in Path(f"/proc/{pid}/cmdline").read_bytes()
    )
    # Frozen first, so that neither sees the other end and stops the rest.
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in (first.child.pid, manager):
            os.kill(pid, number)
    first.child.wait()
    assert not is_free(first.port)
    second = start_run(state=first.state).ready()
    assert alive(first.seen - second.seen) == set()


def test_a_failing_release_says_why_and_starts_nothing(start_run: Starter) -> None:
    run = start_run(procfile="release: echo the schema is broken; exit 4\n" + STAND_INS)
    assert run.child.wait(20) == 1
    assert "the schema is broken" in run.output
    assert "Traceback" not in run.output
    assert "web" not in run.output
    assert run.left() == set()


def test_servers_named_in_the_environment_are_used_and_none_are_started(
    start_run: Starter, empty_database_url: str, redis_url: str
) -> None:
    run = start_run(env={"DATABASE_URL": empty_database_url, "REDIS_URL": redis_url}).ready()
    assert run.settings["DATABASE_URL"] == empty_database_url
    assert run.settings["REDIS_URL"] == redis_url
    assert not (run.state / "postgres").exists()
    assert not (run.state / "redis").exists()


def test_a_real_account_in_the_environment_is_never_used(start_run: Starter) -> None:
    procfile = "release: env > {pages}/environment\n" + STAND_INS
    account = "AC" + "f" * 32
    run = start_run(
        procfile=procfile, env={"TWILIO_ACCOUNT_SID": account, "TWILIO_FROM": "+12025550177"}
    ).ready()
    with urllib.request.urlopen(f"http://127.0.0.1:{run.port}/environment") as answer:
        environment = answer.read().decode()
    assert account not in environment
    assert "+12025550177" not in environment
    assert "stands in for Twilio" in run.output


def test_stop_ends_a_running_one_and_clean_waits_for_that(start_run: Starter) -> None:
    run = start_run().ready()
    refused = local_command("nurseline.local.clean", state=run.state)
    assert refused.returncode == 1
    assert "already running" in refused.stderr
    stopped = local_command("nurseline.local", "stop", state=run.state)
    assert (stopped.returncode, stopped.stdout) == (0, "stopped\n")
    assert run.child.wait(5) == 143
    assert local_command("nurseline.local.clean", state=run.state).returncode == 0
    assert not run.state.exists()


def test_a_stop_that_comes_before_all_have_started_is_not_lost() -> None:
    script = (
        "from nurseline.local.services import Services; services = Services();"
        "services.add_process('sleeper', 'exec sleep 600'); services.terminate(); services.loop()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, timeout=20, check=True
    )
    assert "sending SIGTERM to sleeper" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_signal_that_only_make_gets_stops_the_run_too(
    tmp_path: Path, start_run: Starter, number: signal.Signals
) -> None:
    makefile = tmp_path / "Makefile"
    makefile.write_text("run:\n\t@exec $(COMMAND)\n")
    run = start_run(through=["make", "--no-print-directory", "-f", str(makefile), "run"]).ready()
    run.child.send_signal(number)
    run.child.wait(15)
    wait_for(lambda: not run.left(), 15, "the end of everything")
