"""The whole line as processes: the phone, the web server, a Celery worker and beat, on real servers."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from nurseline.app import build
from nurseline.config import load_settings
from nurseline.local.ports import free_port
from nurseline.parts import Parts
from tests.support.processes import Process, Processes
from tests.support.settings import settings_for_tests
from tests.support.waiting import wait_for
from tests.support.workers import BEAT, worker_command

WEB = [
    *["granian", "--interface", "wsgi", "--factory", "nurseline.app:create_app", "--host", "127.0.0.1"],
    *["--workers", "1", "--blocking-threads", "2", "--no-ws", "--port"],
]


@dataclass
class Phone:
    """The control side of the stand-in carrier."""

    url: str

    def ask(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        """One request to the control API; its JSON. Raises AssertionError with the phone's sentence."""
        data = json.dumps(body).encode() if body or method == "POST" else None
        request = urllib.request.Request(
            f"{self.url}/phone/api{path}",
            data=data,
            method=method,
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from error

    def text(self, sender: str, body: str, **more: Any) -> list[str]:
        """Send a text to the line; the bodies it answered with."""
        answer = self.ask("POST", "/messages", **{"from": sender, "body": body, **more})
        assert answer["answered"], "the line did not answer in time"
        return [reply["body"] for reply in answer["replies"]]

    def thread(self, number: str) -> list[dict[str, Any]]:
        """Every message of a handset, oldest first."""
        messages: list[dict[str, Any]] = self.ask("GET", f"/handsets/{number}/messages")["messages"]
        return messages

    def sent_by_line(self, number: str) -> list[dict[str, Any]]:
        """What the line sent to a handset by itself, not as an answer."""
        return [m for m in self.thread(number) if m["direction"] == "outbound-api"]

    def errors(self) -> list[dict[str, Any]]:
        """What the carrier's debugger shows."""
        entries: list[dict[str, Any]] = self.ask("GET", "/debugger")["entries"]
        return entries


@dataclass
class Line:
    """The running line."""

    env: dict[str, str]
    phone: Phone
    url: str
    parts: Parts
    processes: Processes
    workers: list[Process] = field(default_factory=list)

    def start_worker(self) -> Process:
        """One more Celery worker for every queue, waited for until it takes tasks."""
        command = worker_command(f"worker-{len(self.workers)}")
        worker = self.processes.start("worker", command, self.env)
        wait_for(lambda: "ready." in worker.output, 120, "the worker to be ready")
        self.workers.append(worker)
        return worker

    def start_beat(self) -> Process:
        """Celery beat."""
        return self.processes.start("beat", BEAT, self.env)


@pytest.fixture
def line(
    request: pytest.FixtureRequest,
    own_database_url: str,
    redis_url: str,
    processes: Processes,
    tmp_path: Path,
) -> Iterator[Line]:
    """The phone and the web server are up; worker and beat are started by the tests that need them.

    Other settings of the line may be given by indirect parametrisation.
    """
    port, phone_port = free_port(), free_port()
    env = settings_for_tests(
        database_url=own_database_url, redis_url=redis_url, port=port, phone_port=phone_port, state=tmp_path
    )
    env |= getattr(request, "param", {})
    phone = processes.start("phone", ["python", "-m", "nurseline.devphone"], env)
    web = processes.start("web", [*WEB, str(port)], env)
    processes.wait_until_answers(phone, f"http://127.0.0.1:{phone_port}/healthz")
    processes.wait_until_answers(web, f"http://127.0.0.1:{port}/healthz")
    parts = build(_settings(env))
    yield Line(env, Phone(f"http://127.0.0.1:{phone_port}"), f"http://127.0.0.1:{port}", parts, processes)
    parts.db.engine.dispose()


def handset(browser: Browser, line: Line, number: str) -> Page:
    """The phone page of this number."""
    page = browser.new_page(viewport={"width": 1100, "height": 820})
    page.goto(line.phone.url)
    page.get_by_label("Your number").fill(number)
    page.get_by_label("Your number").press("Tab")
    expect(page.get_by_role("button", name="Call", exact=True)).to_be_enabled()
    return page


def _settings(env: dict[str, str]) -> Any:
    kept = dict(os.environ)
    os.environ.update(env)
    try:
        return load_settings()
    finally:
        os.environ.clear()
        os.environ.update(kept)
