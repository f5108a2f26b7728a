"""What beat asks for exists, and somebody takes it."""

from __future__ import annotations

import re
import shlex

from honcho.environ import parse_procfile

from nurseline.local.state import PROJECT
from nurseline.messaging.run import WIND_DOWN_SECONDS
from nurseline.messaging.sending import RUN_SECONDS
from nurseline.wakeups import QUEUES, SEND_URGENT, TRANSPORT, URGENT
from tests.workers.in_process import imported

app = imported("workers.app").app
beat = imported("workers.beat").app
broker = imported("workers.broker")
watchdog = imported("workers.watchdog")
app.loader.import_default_modules()
PROCESSES = parse_procfile((PROJECT / "Procfile").read_text(encoding="utf-8")).processes


def option(command: str, name: str) -> str:
    words = shlex.split(command)
    return words[words.index(name) + 1]


def consumers() -> dict[str, list[str]]:
    """The queues that each worker of the Procfile takes from."""
    workers = {name: text for name, text in PROCESSES.items() if re.search(r"\bcelery\b.* worker ", text)}
    return {name: option(text, "--queues").split(",") for name, text in workers.items()}


def test_each_scheduled_name_is_a_task() -> None:
    for entry in beat.conf.beat_schedule.values():
        assert entry["task"] in app.tasks, entry


def test_beat_and_workers_have_the_same_settings() -> None:
    assert beat.conf.beat_schedule == app.conf.beat_schedule
    assert beat.conf.task_routes == app.conf.task_routes
    assert beat.conf.broker_transport_options == app.conf.broker_transport_options


def test_each_scheduled_task_has_a_queue_and_each_queue_a_consumer() -> None:
    taken = {queue for queues in consumers().values() for queue in queues}
    for entry in beat.conf.beat_schedule.values():
        queue = beat.amqp.router.route({}, entry["task"])["queue"].name
        assert queue in taken, entry
        assert queue in QUEUES, f"nobody watches over {queue}"
    assert set(QUEUES) == taken


def test_each_task_that_beat_does_not_know_is_sent_by_somebody() -> None:
    ours = {name for name in app.tasks if not name.startswith("celery.")}
    assert ours - {entry["task"] for entry in beat.conf.beat_schedule.values()} == {"look_around"}


def test_the_web_process_wakes_a_task_that_takes_from_the_urgent_queue() -> None:
    assert app.amqp.router.route({}, SEND_URGENT)["queue"].name == URGENT


def test_what_is_urgent_has_a_worker_of_its_own() -> None:
    assert [URGENT] in consumers().values()


def test_workers_on_one_host_have_different_names() -> None:
    names = [option(PROCESSES[name], "--hostname") for name in consumers()]
    assert len(set(names)) == len(names)


def test_a_task_ends_by_itself_before_its_limits_and_these_before_anybody_thinks_it_lost() -> None:
    assert app.conf.task_soft_time_limit > RUN_SECONDS + WIND_DOWN_SECONDS
    assert app.conf.task_soft_time_limit < app.conf.task_time_limit
    assert app.conf.task_time_limit < watchdog.STUCK_LOOKS * watchdog.EVERY_SECONDS
    assert app.conf.task_time_limit * 2 < TRANSPORT["visibility_timeout"]


def test_wake_ups_are_json_and_nothing_is_kept_of_them() -> None:
    assert app.conf.task_serializer == "json"
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_ignore_result
    assert app.conf.result_backend is None
    for entry in beat.conf.beat_schedule.values():
        assert entry["options"]["expires"]
        assert not entry.get("args")
        assert not entry.get("kwargs")
