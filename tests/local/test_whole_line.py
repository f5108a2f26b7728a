"""`make run` as a newcomer has it: the line's own processes, the phone, a staff account."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import urllib.request

import pytest

from nurseline.local.processes import command_line
from nurseline.local.state import PROJECT
from tests.local.conftest import STAND_INS, Run, Starter, descendants
from tests.support.processes import basic_environment
from tests.support.waiting import wait_for


def accounts(run: Run) -> list[dict[str, object]]:
    """Ask the command line, which finds the running line by its state folder alone."""
    done = subprocess.run(
        [sys.executable, "-m", "nurseline", "staff", "list", "--json"],
        env={**basic_environment(), "NURSELINE_STATE": str(run.state)},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    return list(found if isinstance(found, list) else next(iter(found.values())))


def sign_in_lines(run: Run) -> list[str]:
    return [line for line in run.output.splitlines() if line.startswith("staff sign-in: ")]


@pytest.mark.slow
def test_the_whole_line_gets_ready_with_one_staff_account_and_stops_whole(start_run: Starter) -> None:
    first = start_run(whole=True).ready()
    for address in (f"http://127.0.0.1:{first.port}/staff", f"http://127.0.0.1:{first.phone_port}/"):
        with urllib.request.urlopen(address) as answer:
            assert answer.status == 200
            assert "text/html" in answer.headers["Content-Type"]
    assert [account["email"] for account in accounts(first)] == ["nurse@example.org"]
    kept = first.state / "staff-sign-in.txt"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    password = re.search(r"^password: (.+)$", kept.read_text(), re.MULTILINE)
    assert password
    assert f"password: {password[1]}  " in sign_in_lines(first)[0]
    assert first.end(limit_seconds=30) == 130
    assert first.left() == set()
    for name in ("urgent", "worker"):
        assert f"{name} stopped (rc=0)" in first.output, "it was not left the time to end by itself"
    assert "Traceback" not in first.output

    second = start_run(state=first.state, whole=True).ready()
    assert sign_in_lines(second) == sign_in_lines(first)
    assert len(accounts(second)) == 1
    second.end(limit_seconds=30)
    assert second.left() == set()


def web_workers(run: Run) -> set[int]:
    """Return what the web server itself has started."""
    servers = [pid for pid in descendants(run.child.pid) if "/granian --interface" in command_line(pid)]
    return set().union(*(descendants(pid) for pid in servers))


def test_a_web_process_that_is_killed_comes_back(start_run: Starter) -> None:
    ours = [
        line for line in (PROJECT / "Procfile").read_text().splitlines() if line.startswith(("rel", "web"))
    ]
    others = [line for line in STAND_INS.splitlines() if not line.startswith("web")]
    run = start_run(procfile="\n".join([*ours, *others, ""]), env={"WEB_PROCESSES": "2"}).ready()
    before = wait_for(lambda: len(web_workers(run)) == 2 and web_workers(run), 10, "two web processes")
    killed = min(before)
    os.kill(killed, signal.SIGKILL)
    after = wait_for(lambda: len(web_workers(run) - {killed}) == 2 and web_workers(run), 30, "a new one")
    assert before - {killed} < after

    def answers() -> bool:  # a process exists for a moment before it listens, and the other may be as young
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{run.port}/healthz") as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    wait_for(answers, 30, "the web to answer again")
    assert run.child.poll() is None
