"""What is urgent wakes a worker after its commit, and no request waits for Redis."""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import threading
from collections.abc import Iterable, Iterator

import pytest
import redis

from nurseline import wakeups
from nurseline.app import create_app
from nurseline.clock import SetClock
from nurseline.local.ports import free_port
from nurseline.parts import Parts
from nurseline.wakeups import Publisher, Wakeups
from tests.support.line import TUESDAY, make_contact, plan_one, settings_for
from tests.support.waiting import wait_for
from tests.webhooks.support import Carrier

ALERTED = "+12025550190"
DEADLOCK_SECONDS = 30


class Said:
    """What a publisher was asked to send; it waits for `go` when told so."""

    def __init__(self) -> None:
        self.tasks: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.go = threading.Event()
        self.go.set()

    def send(self, task: str) -> None:
        self.tasks.put(task)
        assert self.go.wait(DEADLOCK_SECONDS)

    def next(self) -> str:
        return self.tasks.get(timeout=DEADLOCK_SECONDS)


class Noted(Wakeups):
    """Notes at once what is asked for, and sends nothing."""

    def __init__(self) -> None:
        super().__init__(lambda _: None)
        self.asked: list[str] = []

    def ask(self, tasks: Iterable[str]) -> None:
        self.asked += tasks


@pytest.fixture
def asked(parts: Parts) -> list[str]:
    noted = Noted()
    noted.follow(parts.db)
    return noted.asked


@pytest.mark.parametrize("purpose", ["alert", "confirmation", "reply", "staff"])
def test_what_is_urgent_wakes_a_worker_once_it_is_committed(
    parts: Parts, asked: list[str], purpose: str
) -> None:
    plan_one(parts, make_contact(parts), purpose)
    assert asked == ["send_urgent"]


def test_a_reminder_waits_for_beat(parts: Parts, asked: list[str]) -> None:
    plan_one(parts, make_contact(parts), "reminder")
    assert asked == []


def test_nobody_is_woken_before_the_whole_transaction_is_committed(parts: Parts, asked: list[str]) -> None:
    with parts.db.begin() as session:
        with session.begin_nested():
            wakeups.wake_after_commit(session)
        session.flush()
        assert asked == []
    assert asked == ["send_urgent"]


def test_nobody_is_woken_by_what_was_rolled_back(parts: Parts, asked: list[str]) -> None:
    session = parts.db.session()
    wakeups.wake_after_commit(session)
    session.rollback()
    session.close()
    make_contact(parts)
    assert asked == []


@pytest.fixture
def said(parts: Parts) -> Iterator[Said]:
    said = Said()
    Wakeups(said.send).follow(parts.db)
    yield said
    said.go.set()


def test_wake_ups_asked_for_while_one_is_stuck_become_one(parts: Parts, said: Said) -> None:
    said.go.clear()
    contact = make_contact(parts)
    plan_one(parts, contact, "alert")
    assert said.next() == "send_urgent"  # and it is stuck in there
    for _ in range(5):
        plan_one(parts, contact, "alert")
    said.go.set()
    assert said.next() == "send_urgent"
    plan_one(parts, contact, "alert")
    assert said.next() == "send_urgent"
    assert said.tasks.empty()


def test_a_wake_up_that_cannot_be_sent_is_dropped_and_the_next_one_is_tried() -> None:
    tried: queue.SimpleQueue[str] = queue.SimpleQueue()

    def send(task: str) -> None:
        tried.put(task)
        raise OSError("no Redis")

    sending = Wakeups(send)
    for task in ("one", "two"):
        sending.ask([task])
        assert tried.get(timeout=DEADLOCK_SECONDS) == task


def test_a_wake_up_is_an_empty_celery_message_on_its_queue(redis_url: str) -> None:
    Publisher(redis_url).send("send_urgent", "urgent")
    with redis.Redis.from_url(redis_url) as client:
        (raw,) = client.lrange("urgent", 0, -1)
    message = json.loads(raw)
    assert message["headers"]["task"] == "send_urgent"
    assert message["headers"]["expires"]
    assert message["content-type"] == "application/json"
    assert message["headers"]["argsrepr"] == "()"
    assert message["headers"]["kwargsrepr"] == "{}"


class Silent:
    """A port that takes connections and never says a word."""

    def __init__(self) -> None:
        self.connected = threading.Event()
        self.left = threading.Event()  # whoever connected has given up
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._talks: list[socket.socket] = []
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                talk, _ = self._socket.accept()
                self._talks.append(talk)
                self.connected.set()
                threading.Thread(target=self._hear, args=(talk,), daemon=True).start()

    def _hear(self, talk: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while talk.recv(4096):
                pass
            self.left.set()

    def close(self) -> None:
        # First of all nobody may come any more: whoever is let in after this is never shown out.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._listening.join()
        for talk in self._talks:
            with contextlib.suppress(OSError):
                talk.shutdown(socket.SHUT_RDWR)
            talk.close()
        self._socket.close()


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Silent]:
    # So long that the publisher cannot give up before the request is answered, however slow the machine.
    monkeypatch.setitem(wakeups.TRANSPORT, "socket_timeout", 100)
    silent = Silent()
    yield silent
    silent.close()


def web(database_url: str, redis_url: str) -> Carrier:
    """The web app with this Redis, called as the carrier calls it."""
    settings = settings_for(database_url, redis_url=redis_url, alert_numbers=ALERTED)
    clock = SetClock(TUESDAY)
    app = create_app(settings, clock=clock)
    return Carrier(app.test_client(), app.extensions["nurseline"], clock)


def alarm(carrier: Carrier) -> None:
    """A text comes in that alerts staff, and is answered."""
    assert "911" in carrier.text("i cant breathe")[0]


def test_a_webhook_is_answered_while_redis_is_silent(own_database_url: str, silent: Silent) -> None:
    carrier = web(own_database_url, f"redis://127.0.0.1:{silent.port}/0")
    alarm(carrier)
    assert not silent.left.is_set(), "the answer came after the publisher had given up"
    assert silent.connected.wait(DEADLOCK_SECONDS), "nobody tried to wake a worker"
    alarm(carrier)
    assert not silent.left.is_set()
    carrier.parts.db.engine.dispose()


def test_a_webhook_is_answered_while_redis_refuses(
    own_database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    carrier = web(own_database_url, f"redis://127.0.0.1:{free_port()}/0")
    alarm(carrier)
    wait_for(lambda: "wakeup.dropped" in capsys.readouterr().err, DEADLOCK_SECONDS, "the end of the wake-up")
    alarm(carrier)
    carrier.parts.db.engine.dispose()


def test_a_webhook_that_alerts_staff_wakes_the_urgent_queue(own_database_url: str, redis_url: str) -> None:
    carrier = web(own_database_url, redis_url)
    alarm(carrier)
    with redis.Redis.from_url(redis_url) as client:
        wait_for(lambda: client.llen("urgent") == 1, DEADLOCK_SECONDS, "the wake-up")
    carrier.parts.db.engine.dispose()
