"""`make run`: everything the line needs on this machine, from nothing to an address, and away again."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from honcho.environ import parse_procfile

from nurseline.local import ports, processes, ready, staff_account, state
from nurseline.local.lock import RunLock
from nurseline.local.parent import Make
from nurseline.local.postgres import Postgres
from nurseline.local.redis import Redis
from nurseline.local.say import say
from nurseline.local.settings import line_settings, process_environment
from nurseline.local.state import PROJECT, LocalError

DATABASE = "nurseline"
MARK = "NURSELINE_RUN"
FIRST_PORT, FIRST_PHONE_PORT = 8000, 8010
READY_SECONDS = 120.0
HONCHO_SECONDS = 15.0  # above what services.py gives its processes
STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PHONE = "exec python -m nurseline.devphone"
CELERY_WORKER = re.compile(r"\bcelery\b.*\bworker\b")


class StopRequestedError(BaseException):
    """Ctrl-C or the like; not an Exception, so that nothing on the way swallows it."""


@dataclass(frozen=True)
class Options:
    """What may be chosen on the command line; ports as typed."""

    port: str = ""
    phone_port: str = ""
    procfile: Path = PROJECT / "Procfile"
    staff_account: bool = True


@dataclass
class Line:
    """What runs, in the order it was started."""

    options: Options
    folder: Path
    outer: Mapping[str, str]
    make: Make
    servers: dict[str, Postgres | Redis] = field(default_factory=dict)
    services: subprocess.Popen[bytes] | None = None


def run(options: Options, outer: Mapping[str, str] = os.environ) -> int:
    """Run the line until a signal comes or one of its processes ends; return the exit code."""
    folder = state.prepare(state.state_folder(outer))
    line = Line(options, folder, outer, Make(outer))
    with RunLock(folder) as lock, _signals() as stopping:
        try:
            return _whole(line, lock)
        except StopRequestedError as request:
            say(f"{request} received, stopping")
            return 128 + int(getattr(signal, str(request)))
        finally:
            stopping()
            _stop(line)


def _whole(line: Line, lock: RunLock) -> int:
    _end_leftovers(line.folder, signal.SIGTERM)
    port, phone_port = _choose_ports(line)
    commands = _commands(line.options.procfile)
    if any(name.startswith("TWILIO_") for name in line.outer):
        say("the phone in the browser stands in for Twilio here: TWILIO_* of the environment are not used")
    secrets = state.generated(line.folder)
    database_url, redis_url = _start_servers(line, secrets)
    settings = line_settings(
        line.outer,
        secrets,
        database_url=database_url,
        redis_url=redis_url,
        port=port,
        phone_port=phone_port,
        state=line.folder,
    )
    state.write_env(line.folder, settings)
    environment = process_environment(line.outer, settings, port=port)
    _release(commands.pop("release", ""), environment)
    sign_in = ""
    if line.options.staff_account:
        sign_in = staff_account.ensure(line.folder, environment, secrets["STAFF_PASSWORD"])
    web, phone = (f"http://{ports.LOOPBACK}:{number}" for number in (port, phone_port))
    _start_services(line, {**commands, "phone": commands.get("phone", PHONE)}, environment)
    workers = sum(1 for command in commands.values() if CELERY_WORKER.search(command))
    _wait_ready(line, web, phone, lambda: not workers or ready.workers_answer(redis_url, workers))
    addresses = f"line={web} staff={web}/staff phone={phone}"
    lock.note(addresses)
    if sign_in:
        say(sign_in)
    say(f"ready {addresses}")
    return _watch(line)


def _choose_ports(line: Line) -> tuple[int, int]:
    notes = state.remembered(line.folder)
    options = line.options
    if options.port and options.port == options.phone_port:
        message = f"PORT and PHONE_PORT are both {options.port}: they must differ"
        raise LocalError(message)
    taken = frozenset(int(text) for text in (options.port, options.phone_port) if text.isdigit())
    web = (
        ports.wanted_port(options.port, "PORT")
        if options.port
        else ports.free_port(notes.get("port", FIRST_PORT), avoid=taken)
    )
    phone = (
        ports.wanted_port(options.phone_port, "PHONE_PORT")
        if options.phone_port
        else ports.free_port(notes.get("phone_port", FIRST_PHONE_PORT), avoid=taken | {web})
    )
    state.remember(line.folder, port=web, phone_port=phone)
    return web, phone


def _commands(procfile: Path) -> dict[str, str]:
    try:
        return dict(parse_procfile(procfile.read_text(encoding="utf-8")).processes)
    except OSError as error:
        message = f"{procfile} cannot be read: {error.strerror}"
        raise LocalError(message) from error


def _start_servers(line: Line, secrets: Mapping[str, str]) -> tuple[str, str]:
    """Start what the environment does not name, both at once; return the addresses."""
    database_url, redis_url = line.outer.get("DATABASE_URL", ""), line.outer.get("REDIS_URL", "")
    notes, folder = state.remembered(line.folder), line.folder
    postgres_port = ports.free_port(notes.get("postgres_port"))
    redis_port = ports.free_port(notes.get("redis_port"), avoid=frozenset({postgres_port}))
    postgres = Postgres(folder, port=postgres_port, password=secrets["POSTGRES_PASSWORD"])
    redis = Redis(folder, port=redis_port, password=secrets["REDIS_PASSWORD"])
    own = {
        name: server
        for name, server, given in (("redis", redis, redis_url), ("postgres", postgres, database_url))
        if not given
    }
    for name, server in own.items():
        line.servers[name] = server
        server.launch()
    for server in own.values():
        server.wait()
    if not database_url:
        postgres.create(DATABASE)
    state.remember(folder, postgres_port=postgres_port, redis_port=redis_port)
    return database_url or postgres.url(DATABASE), redis_url or redis.url()


def _release(command: str, environment: Mapping[str, str]) -> None:
    if not command:
        return
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env=dict(environment),
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        message = f"the release command failed ({command}):\n{done.stdout.rstrip()}"
        raise LocalError(message)


def _start_services(line: Line, commands: Mapping[str, str], environment: Mapping[str, str]) -> None:
    program = [sys.executable, "-m", "nurseline.local.services"]
    arguments = [f"{name}={command}" for name, command in commands.items()]
    line.services = processes.start(
        [*program, *arguments], environment={**environment, MARK: str(line.folder)}, folder=PROJECT
    )


def _wait_ready(line: Line, web: str, phone: str, workers: Callable[[], bool]) -> None:
    waiting: dict[str, Callable[[], bool]] = {
        "web": lambda: ready.web_answers(f"{web}/healthz"),
        "phone": lambda: ready.web_answers(f"{phone}/healthz"),
        "workers": workers,
    }
    deadline = time.monotonic() + READY_SECONDS
    while waiting:
        waiting = {name: answers for name, answers in waiting.items() if not answers()}
        if waiting and (gone := _gone(line)):
            message = f"not ready, because {gone} ended: see above, or {line.folder / 'logs'}"
            raise LocalError(message)
        if waiting and time.monotonic() > deadline:
            message = f"no answer from {', '.join(waiting)} within {READY_SECONDS:g} s"
            raise LocalError(message)
        time.sleep(0.1 if waiting else 0)


def _watch(line: Line) -> int:
    while not (gone := _gone(line)):
        time.sleep(0.3)
    if line.services is not None and line.services.returncode is not None:
        return abs(line.services.returncode) or 1  # which one it was, services.py has said
    say(f"{gone} ended by itself, so everything is stopped; see {line.folder / 'logs'}")
    return 1


def _gone(line: Line) -> str:
    """Return what has ended of that which should run; a stop that only make was told is one for us too."""
    if told := line.make.stopped_by():
        raise StopRequestedError(told.name)
    if line.services is not None and line.services.poll() is not None:
        return "one of its processes"
    return next((name for name, server in line.servers.items() if server.ended()), "")


def _end_leftovers(folder: Path, *signals: int) -> None:
    """End processes that a run on this state folder left behind; they carry its mark in their environment."""
    processes.end_all(lambda: processes.with_setting(MARK, str(folder)), *signals, seconds_each=3.0)


def _stop(line: Line) -> None:
    if line.services is not None:
        processes.stop(line.services, signal.SIGTERM, seconds_each=HONCHO_SECONDS)
        _end_leftovers(line.folder)
    for server in reversed(line.servers.values()):
        server.stop()
    if line.servers or line.services:
        say("stopped")


@contextlib.contextmanager
def _signals() -> Iterator[Callable[[], None]]:
    """Turn the first stopping signal into StopRequestedError; after it, or the yielded call, ignore them."""
    stopping = False

    def on_signal(number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        if not stopping:
            stopping = True
            raise StopRequestedError(signal.Signals(number).name)

    def from_now_on_ignored() -> None:
        nonlocal stopping
        stopping = True

    before = {number: signal.getsignal(number) for number in STOPPING_SIGNALS}
    for number, handler in before.items():
        if (
            number is not signal.SIGHUP or handler is not signal.SIG_IGN
        ):  # `nohup make run` outlives its terminal
            signal.signal(number, on_signal)
    try:
        yield from_now_on_ignored
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
