"""The workers' app with little patience, and a way to get stuck: `celery -A tests.workers.quick worker`."""

import time
from datetime import timedelta
from typing import Any

import structlog
from celery.worker.control import control_command

from nurseline.watch import service as watch
from workers import watchdog
from workers.app import app

__all__ = ["app"]
log = structlog.get_logger(__name__)

watch.LIMIT = timedelta(seconds=4)
watch.TOLD_AFTER = timedelta(seconds=4)
watchdog.EVERY_SECONDS = 0.5
watchdog.CALM_LOOKS = 8
watchdog.STUCK_LOOKS = 20


@control_command()
def get_stuck(state: Any) -> None:
    """The main process lives, and takes nothing from the broker ever again."""
    log.warning("stuck on purpose")
    while True:
        time.sleep(60)
