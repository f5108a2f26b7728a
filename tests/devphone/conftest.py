"""A running phone, and a tiny line behind it that answers what a test tells it to."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import requests
from twilio.request_validator import RequestValidator
from twilio.rest import Client
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from nurseline.devphone import app
from nurseline.devphone.delivery import Delivery
from nurseline.devphone.exchange import Exchange
from nurseline.devphone.settings import Settings
from tests.support.serving import serve

ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "a token of the tests"
NUMBER = "+12015550123"
HANDSET = "+12025550123"


@dataclass
class Asked:
    """One request that reached the line."""

    path: str
    method: str
    form: dict[str, str]
    args: dict[str, str]
    headers: dict[str, str]
    url: str
    signed: bool


Answer = str | Response | Callable[[Asked], "str | Response"]


@dataclass
class Line:
    """What the line answers at each path; everything asked is kept."""

    url: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def says(self, path: str, *answers: Answer) -> None:
        """Answers at this path: one for all, or one after the other with the last for the rest."""
        left = list(answers)
        self.answers[path] = lambda asked: _value(left.pop(0) if len(left) > 1 else left[0], asked)

    def at(self, path: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.path == path]

    def __call__(self, environ, start_response):
        request = Request(environ)
        asked = Asked(
            request.path,
            request.method,
            request.form.to_dict(),
            request.args.to_dict(),
            dict(request.headers),
            request.url,
            RequestValidator(TOKEN).validate(
                request.url, request.form, request.headers["X-Twilio-Signature"]
            ),
        )
        self.asked.append(asked)
        answer = _value(self.answers.get(request.path, Response(status=404)), asked)
        if isinstance(answer, str):
            answer = Response(answer, mimetype="text/xml")
        return answer(environ, start_response)


def _value(answer: Answer, asked: Asked) -> "str | Response":
    return answer(asked) if callable(answer) and not isinstance(answer, Response) else answer


@dataclass
class Phone:
    """The stand-in, and short ways to its control interface."""

    exchange: Exchange
    url: str
    client: Client
    stop: Callable[[], None]
    number: str = NUMBER
    handset: str = HANDSET

    def get(self, path: str, **params):
        return requests.get(f"{self.url}/phone/api{path}", params=params, timeout=30).json()

    def post(self, path: str, body=None, status: int | None = None):
        answer = requests.post(f"{self.url}/phone/api{path}", json=body or {}, timeout=30)
        if status is None:
            assert answer.ok, answer.text
        else:
            assert answer.status_code == status, answer.text
        return answer.json()

    def text(self, body: str, sender: str = HANDSET, **more):
        return self.post("/messages", {"from": sender, "body": body, **more})

    def call(self, sender: str = HANDSET, **more):
        return self.post("/calls", {"from": sender, **more})

    def send(self, body: str = "hello", **more):
        """The line texts the handset, through the SDK."""
        return self.client.messages.create(**{"to": HANDSET, "from_": NUMBER, "body": body, **more})

    def fails(self, **faults):
        """Switches faults on, as a run does."""
        answer = requests.put(f"{self.url}/phone/api/faults", json=faults, timeout=10)
        assert answer.ok, answer.text
        return answer.json()

    def struck(self) -> dict[str, int]:
        return self.get("/faults")["struck"]

    def ledger(self):
        """The counts of the ledger, and its messages."""
        answer = requests.get(f"{self.url}/phone/api/ledger", timeout=30)
        counts, *messages = [json.loads(line) for line in answer.text.splitlines()]
        return counts["counts"], messages

    def codes(self) -> list[int]:
        """The codes in the debugger."""
        return [entry["code"] for entry in self.get("/debugger")["entries"]]


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line()
    line.says("/sms", "<Response/>")
    line.says("/status", Response(status=204))
    line.says("/voice/status", Response(status=204))
    server = make_server("127.0.0.1", 0, line, threaded=True)
    line.url = f"http://127.0.0.1:{server.server_port}"
    stop = serve(server)
    yield line
    stop()


def settings(line: Line, folder: Path) -> Settings:
    return Settings(0, line.url, NUMBER, folder, ACCOUNT, TOKEN)


@pytest.fixture
def start(line: Line, tmp_path: Path) -> Iterator[Callable[..., Phone]]:
    """Starts a phone; again to start one on the same ledger, after `stop` of the first."""
    stops: list[Callable[[], None]] = []

    def begin(**more) -> Phone:
        exchange = Exchange(replace(settings(line, tmp_path), **more))
        exchange.texting.default_delivery = Delivery(sent_after=0.01, done_after=0.01)
        stop_server = serve(app.make(exchange, 0))
        exchange.start()

        def stop() -> None:
            if stop in stops:
                stops.remove(stop)
                stop_server()
                exchange.stop()

        stops.append(stop)
        client = Client(ACCOUNT, TOKEN)
        client.api.base_url = exchange.address()
        return Phone(exchange, exchange.address(), client, stop)

    yield begin
    for stop in stops:
        stop()


@pytest.fixture
def phone(start) -> Phone:
    return start()
