"""Rules that hold in every file: one way to change a status, one clock, quiet logs, empty wake-ups."""

import ast
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.settings import SECRETS

PROJECT = Path(__file__).parents[1]
APART = {"devphone", "local", "migrations"}  # the stand-in, and what runs on a developer's machine
FILES = sorted(
    path
    for folder in ("nurseline", "workers")
    for path in (PROJECT / folder).rglob("*.py")
    if not APART & set(path.relative_to(PROJECT).parts)
)
Places = Iterator[tuple[ast.AST, str]]

# Where a status is written without a move, and why that is right.
FIRST_STATUSES = {
    "nurseline/transitions.py move": "the one way",
    "nurseline/transitions.py _take": "the same for what a query picks",
    "nurseline/transitions.py _move_each": "the same for many rows, each with values of its own",
    "nurseline/transitions.py note": "a line of the history",
    "nurseline/messaging/outbox.py _row": "the first status of a planned message",
    "nurseline/webhooks/reception.py _write_replies": "the first status of a reply that goes with the answer",
    "nurseline/callbacks/service.py request": "the first status of an item",
    "nurseline/messaging/reports.py _keep": "a report as it came, not a message",
    "nurseline/consent/service.py opt_in": "the ledger follows from its events, it has no moves",
    "nurseline/consent/service.py opt_in_new": "the same for many numbers at once",
    "nurseline/consent/service.py opt_in_held": "the same for many numbers that are known",
    "nurseline/intake/answers.py response_bundle": "of an answer in FHIR, no column",
    "nurseline/consent/service.py opt_out": "the ledger follows from its events, it has no moves",
}
# Names of what may stand in a line of the log. Never a number, a name, a word of a patient or of the clinic.
LOGGED = {
    "message": "id of an outbound message",
    "recording": "id of a recorded message",
    "key": "id of a key to the intake",
    "outcome": "kind of outcome",
    "error": "class of an exception",
    "kind": "class of an exception",
    "where": "file and line",
    "left": "id of a contact or a call whose request was left in the middle",
    "step": "name of a step of a task",
    "status": "status word of the carrier",
    "count": "how many",
    "enrolled": "how many",
    "entries": "how many",
    "issues": "how many",
    "task": "name of a task",
    "queue": "name of a queue",
    "queues": "names of queues",
    "told": "names of the queues that people were told of",
    "looks": "how many",
    "alarm": "kind of an alarm",
    "known_status": "yes or no",
    "staff": "id of an account",
    "endpoint": "name of a view",
    "path": "path of a webhook",
    "field": "name of a form field",
}
CLOCKS = {
    "nurseline/clock.py now": "the one clock",
    "nurseline/staff/throttle.py _count": "windows of the limiter, which live in Redis by its own clock",
}
SECRET = re.compile(
    r"number|mail|e164|phone|body|words|text|name|note|sender|caller|heard|form|said|document"
)
MODELS = {"OutboundMessage", "CallbackItem"}


def places(path: Path) -> Places:
    """Each node of a file, with the file and the function it stands in."""
    name = path.relative_to(PROJECT).as_posix()

    def walk(node: ast.AST, inside: str) -> Places:
        for child in ast.iter_child_nodes(node):
            here = child.name if isinstance(child, ast.FunctionDef) else inside
            yield child, f"{name} {here}".strip()
            yield from walk(child, here)

    yield from walk(ast.parse(path.read_text(encoding="utf-8")), "")


def house() -> Places:
    for path in FILES:
        yield from places(path)


def writes_a_status(node: ast.AST) -> bool:
    """Whether a piece of code puts a value into something called status of a row."""
    match node:
        case ast.Attribute(attr="status", ctx=ast.Store()):
            return True
        case ast.Dict(keys=keys):
            return any(isinstance(k, ast.Constant) and k.value == "status" for k in keys)
        case ast.Call(func=ast.Name(id="setattr"), args=[_, ast.Constant(value="status"), *_]):
            return True
        case ast.Call(func=ast.Attribute(attr="values" | "update" | "dict"), keywords=keywords):
            return any(k.arg == "status" for k in keywords)
        case ast.Call(func=ast.Name(id=name), keywords=keywords) if name in MODELS:
            return any(k.arg == "status" for k in keywords)
        case ast.Constant(value=str(text)):
            return bool(re.search(r"\bSET\s+\"?status\b", text, re.IGNORECASE))
    return False


def test_a_status_is_written_by_the_moves_alone_and_first_statuses_are_known() -> None:
    found = {place for node, place in house() if writes_a_status(node)}
    assert found == set(FIRST_STATUSES)


@pytest.mark.parametrize(
    "code",
    [
        "row.status = 'sent'",
        "row.status: str = 'sent'",
        "row.status += 'x'",
        "setattr(row, 'status', 'sent')",
        "update(Row).values(status='sent')",
        "update(Row).values({'status': 'sent'})",
        "insert(Row).on_conflict_do_update(set_={'status': 'sent'})",
        "OutboundMessage(status='sent')",
        "session.execute('UPDATE outbound_messages SET status = 1')",
    ],
)
def test_the_check_would_see_each_way_to_write_a_status(code: str) -> None:
    assert any(writes_a_status(node) for node in ast.walk(ast.parse(code)))


def log_calls() -> Iterator[tuple[ast.Call, str]]:
    levels = {"debug", "info", "warning", "warn", "error", "critical", "exception", "log", "msg"}
    for node, place in house():
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="log" | "logger" | "logging"), attr=level)):
                if level in levels:
                    yield node, place


def test_lines_of_the_log_hold_only_what_the_list_of_names_allows() -> None:
    seen = 0
    for call, place in log_calls():
        seen += 1
        assert len(call.args) == 1, f"{place}: only a fixed event name may stand there"
        event = call.args[0]
        assert isinstance(event, ast.Constant), f"{place}: the event is not a fixed name"
        assert re.fullmatch(r"[a-z_]+\.[a-z_]+", str(event.value)), f"{place}: {event.value}"
        for keyword in call.keywords:
            assert keyword.arg in LOGGED, f"{place}: {keyword.arg} is not on the list"
    assert seen > 5


def test_values_in_the_log_are_not_taken_from_what_holds_words_or_numbers() -> None:
    for call, place in log_calls():
        for keyword in call.keywords:
            for node in ast.walk(keyword.value):
                named = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
                allowed = named == "__name__" or not SECRET.search(str(named))
                assert allowed, f"{place}: {ast.unparse(keyword.value)}"
            if keyword.arg == "error":
                assert re.fullmatch(r"type\(\w+\)\.__name__", ast.unparse(keyword.value)), place


def test_nothing_else_writes_to_the_log_or_the_screen() -> None:
    for node, place in house():
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="logging"), attr="getLogger")):
                assert place.startswith("nurseline/logs.py"), place
            case ast.Call(func=ast.Name(id="print")) | ast.Import(names=[ast.alias(name="warnings")]):
                pytest.fail(f"{place}: {ast.unparse(node)}")


def test_there_is_one_clock() -> None:
    asked = {
        place
        for node, place in house()
        if isinstance(node, ast.Attribute)
        and re.fullmatch(r"(datetime|date)\.(now|utcnow|today)|time\.time", ast.unparse(node))
    }
    assert asked == set(CLOCKS)


def test_no_task_waits_in_the_broker() -> None:
    for node, place in house():
        if isinstance(node, ast.keyword):
            assert node.arg not in {"countdown", "eta"}, place
        if isinstance(node, ast.Attribute):
            assert node.attr not in {"apply_async", "delay", "s", "si"}, f"{place}: {node.attr}"


@pytest.fixture
def celery_app(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """workers.app with its tasks, as a worker imports it."""
    needed = {
        **SECRETS,
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
        "PUBLIC_BASE_URL": "https://line.example.org",
        "TWILIO_FROM": "+15005550006",
        "CLINIC_PHONE": "+12025550100",
    }
    for name, value in needed.items():
        monkeypatch.setenv(name, value)
    before = {name for name in sys.modules if name.startswith("workers.")}
    made = importlib.import_module("workers.app")
    importlib.import_module("workers.tasks")
    yield made
    for name in [name for name in sys.modules if name.startswith("workers.") and name not in before]:
        del sys.modules[name]


def test_every_name_that_beat_asks_for_is_a_task(celery_app: ModuleType) -> None:
    app = celery_app.app
    asked = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert asked
    assert asked <= set(app.tasks)
    ours = {name for name in app.tasks if not name.startswith("celery.")}
    by_the_worker_itself = {"look_around"}  # so that it needs no beat
    assert ours == asked | by_the_worker_itself, "a task that nobody asks for"


def test_wake_ups_are_empty_expire_and_go_to_the_queue_that_the_worker_reads(celery_app: ModuleType) -> None:
    app = celery_app.app
    for entry in app.conf.beat_schedule.values():
        assert not entry.get("args")
        assert not entry.get("kwargs")
        options = entry["options"]
        assert options["expires"] >= entry["schedule"]
        assert set(options) == {"expires"}, "its queue is the one of the task, whoever sends it"
    procfile = (PROJECT / "Procfile").read_text(encoding="utf-8")
    read = {queue for named in re.findall(r"--queues (\S+)", procfile) for queue in named.split(",")}
    assert {route["queue"] for route in app.conf.task_routes.values()} <= read


def test_a_task_ends_long_before_its_message_would_come_again(celery_app: ModuleType) -> None:
    conf = celery_app.app.conf
    assert conf.task_soft_time_limit < conf.task_time_limit < conf.visibility_timeout
    assert conf.visibility_timeout == conf.broker_transport_options["visibility_timeout"]
    assert conf.accept_content == ["json"]
    assert conf.task_acks_late
    assert conf.worker_prefetch_multiplier == 1
