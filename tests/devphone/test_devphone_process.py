"""The stand-in as a process of its own."""

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.support.waiting import wait_for

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def environment(tmp_path, free_port):
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PROJECT),
        "DEVPHONE_PORT": str(free_port),
        "DEVPHONE_LINE_URL": "http://127.0.0.1:9/",
        "DEVPHONE_NUMBER": "+12015550123",
        "DEVPHONE_STATE": str(tmp_path / "state"),
        "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "TWILIO_AUTH_TOKEN": "secret",
    }


def begin(environment):
    return subprocess.Popen(
        [sys.executable, "-m", "nurseline.devphone"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_keeps_quiet_and_stops_when_told(environment, tmp_path, stop):
    running = begin(environment)
    url = f"http://127.0.0.1:{environment['DEVPHONE_PORT']}/healthz"

    def answers():
        with urllib.request.urlopen(url, timeout=1) as answer:
            return answer.status == 200

    try:
        wait_for(answers, 20)
        running.send_signal(stop)
        out, err = running.communicate(timeout=10)
    finally:
        running.kill()
        running.wait()
    assert running.returncode == 0
    assert out.splitlines() == [
        f"phone at http://127.0.0.1:{environment['DEVPHONE_PORT']}/ for +12015550123, line at http://127.0.0.1:9"
    ]
    assert err == ""
    assert (tmp_path / "state" / "devphone.sqlite").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEVPHONE_PORT", None),
        ("DEVPHONE_PORT", "eighty"),
        ("DEVPHONE_PORT", "0"),
        ("DEVPHONE_PORT", "65536"),
        ("DEVPHONE_LINE_URL", None),
        ("DEVPHONE_LINE_URL", "line.example.org"),
        ("DEVPHONE_LINE_URL", "http://127.0.0.1:99999"),
        ("DEVPHONE_LINE_URL", "http://127.0.0.1/?a=1"),
        ("DEVPHONE_NUMBER", None),
        ("DEVPHONE_NUMBER", "the clinic"),
        ("DEVPHONE_STATE", None),
        ("TWILIO_ACCOUNT_SID", None),
        ("TWILIO_ACCOUNT_SID", "AC123"),
        ("TWILIO_AUTH_TOKEN", None),
    ],
)
def test_a_missing_or_wrong_setting_is_one_line_with_its_name(environment, name, value):
    environment.pop(name)
    if value is not None:
        environment[name] = value
    done = subprocess.run(
        [sys.executable, "-c", "from nurseline.devphone import __main__ as m; raise SystemExit(m.main())"],
        env=environment, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert name in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "secret" not in done.stderr


def test_a_port_that_is_taken_is_said_in_one_line(environment):
    first = begin(environment)
    try:
        first.stdout.readline()
        second = begin(environment)
        _, err = second.communicate(timeout=20)
        assert second.returncode == 2
        assert len(err.splitlines()) == 1
    finally:
        first.terminate()
        first.communicate(timeout=10)
