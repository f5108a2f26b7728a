"""How the line uses Celery: which wake-up goes where and how often, and how everybody talks to Redis.

Apart from the tasks, so that beat, which only sends, needs a third less memory.
"""

from __future__ import annotations

from celery import Celery
from celery.signals import setup_logging

from nurseline.config import load_settings
from nurseline.logs import configure_logging
from nurseline.wakeups import (
    EXPIRES_SECONDS,
    HOUSEKEEPING,
    PUBLISH_RETRY,
    REMINDERS,
    SEND_URGENT,
    TRANSPORT,
    URGENT,
)

# Sending begins nothing new after 20 s; one request may then take another half minute.
SOFT_SECONDS, HARD_SECONDS = 75, 90

# The queue of each task.
ROUTES = {
    SEND_URGENT: URGENT,
    "escalate": URGENT,
    "send_reminders": REMINDERS,
    "tidy": HOUSEKEEPING,
    "look_up_unknown": HOUSEKEEPING,
    "poll_sent": HOUSEKEEPING,
    "fetch_voicemail": HOUSEKEEPING,
}
# Seconds from one wake-up of a task to the next.
EVERY = {
    SEND_URGENT: 1.0,
    "send_reminders": 1.0,
    "tidy": 5.0,
    "escalate": 20.0,
    "fetch_voicemail": 10.0,
    "look_up_unknown": 20.0,
    "poll_sent": 20.0,
}

settings = load_settings()


def celery_app(*tasks: str) -> Celery:
    """A Celery app on the line's broker that knows the tasks of these modules."""
    app = Celery("nurseline", broker=settings.redis_url, include=tasks)
    app.conf.update(
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        task_acks_late=True,  # safe, since a task claims its rows in the database
        task_reject_on_worker_lost=True,
        task_soft_time_limit=SOFT_SECONDS,
        task_time_limit=HARD_SECONDS,
        visibility_timeout=TRANSPORT["visibility_timeout"],  # Celery wants it in all places
        broker_transport_options=TRANSPORT,
        broker_connection_timeout=2,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # Redis may be away for as long as it likes
        task_publish_retry_policy=PUBLISH_RETRY,
        # What was under way when Redis went is finished: it is claimed, whatever becomes of the message.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        # And then a worker takes as much as before: a wake-up too many is nothing, a child left idle is slow.
        worker_enable_prefetch_count_reduction=False,
        worker_prefetch_multiplier=1,
        worker_max_tasks_per_child=10_000,  # some hours; a new child takes a second to get ready
        # For SIGQUIT. SIGTERM lets tasks end, too, and they begin nothing more: with requests of 3 s on their
        # way a worker ended after 7 s; the same by soft shutdown (REMAP_SIGTERM) took its whole 25 s.
        worker_soft_shutdown_timeout=25,
        worker_send_task_events=False,
        worker_direct=True,  # a queue of each worker's own, by which it finds out whether it still works
        task_default_queue=HOUSEKEEPING,
        task_routes={task: {"queue": queue} for task, queue in ROUTES.items()},
        timezone="UTC",
        enable_utc=True,
        beat_schedule={
            task: {"task": task, "schedule": seconds, "options": {"expires": EXPIRES_SECONDS}}
            for task, seconds in EVERY.items()
        },
    )
    return app


@setup_logging.connect
def _logs(**_: object) -> None:
    configure_logging(settings.log_level)
