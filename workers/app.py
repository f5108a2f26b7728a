"""The Celery app. Its messages are empty wake-ups: losing or doubling one changes nothing but time.

Values as measured: JSON only, no results, one task at a time per child, time limits far below the
visibility timeout, short socket timeouts so that a silent broker blocks nobody.
"""

from __future__ import annotations

import signal
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_process_init, worker_process_shutdown

from nurseline.app import build
from nurseline.config import load_settings
from nurseline.logs import configure_logging
from nurseline.parts import Parts

SOFT_SECONDS, HARD_SECONDS, VISIBILITY_SECONDS = 120, 180, 900

settings = load_settings()
app = Celery("nurseline", broker=settings.redis_url, include=["workers.tasks"])
app.conf.update(
    task_ignore_result=True,
    task_serializer="json",
    accept_content=["json"],
    task_acks_late=True,  # safe, since a task claims its rows in the database
    task_reject_on_worker_lost=True,
    task_soft_time_limit=SOFT_SECONDS,
    task_time_limit=HARD_SECONDS,
    visibility_timeout=VISIBILITY_SECONDS,
    broker_transport_options={
        "visibility_timeout": VISIBILITY_SECONDS,
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
        "socket_keepalive": True,
        "health_check_interval": 25,
        "max_connections": 64,
    },
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    task_publish_retry_policy={
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0.1,
        "interval_max": 0.1,
    },
    worker_prefetch_multiplier=1,
    worker_max_tasks_per_child=1000,
    worker_send_task_events=False,
    worker_soft_shutdown_timeout=25,
    task_default_queue="line",
    timezone="UTC",
    enable_utc=True,
    # One wake-up each. `expires` keeps a queue that nobody reads from filling with stale ones.
    beat_schedule={
        "send-urgent": {"task": "send_urgent", "schedule": 2.0, "options": {"expires": 10}},
        "send-reminders": {"task": "send_reminders", "schedule": 2.0, "options": {"expires": 10}},
        "tidy": {"task": "tidy", "schedule": 5.0, "options": {"expires": 10}},
        "look-up-unknown": {"task": "look_up_unknown", "schedule": 60.0, "options": {"expires": 120}},
    },
)

_parts: list[Parts] = []


def parts() -> Parts:
    """What this process works with, built at first use: connections must not cross a fork."""
    if not _parts:
        _parts.append(build(settings))
    return _parts[0]


@worker_process_init.connect
def _start_clean(**_: Any) -> None:
    # A supervisor signals the whole group. The main process then lets its children finish what they send;
    # a child that fell at once would leave messages of unknown outcome behind.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for inherited in _parts:
        inherited.db.after_fork()
    _parts.clear()


@worker_process_shutdown.connect
def _close(**_: Any) -> None:
    for mine in _parts:
        mine.db.engine.dispose()


@setup_logging.connect
def _logs(**_: Any) -> None:
    configure_logging(settings.log_level)
