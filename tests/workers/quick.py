"""The workers' app with little patience, and a way to get stuck: `celery -A tests.workers.quick worker`."""

import time
from datetime import timedelta
from typing import Any

from celery.worker.control import control_command

from nurseline.watch import service as watch
from workers import watchdog
from workers.app import app

__all__ = ["app"]

watch.LIMIT = timedelta(seconds=4)
watch.TOLD_AFTER = timedelta(seconds=4)
watchdog.EVERY_SECONDS = 0.5
watchdog.CALM_LOOKS = 8
watchdog.STUCK_LOOKS = 12


@control_command()
def get_stuck(state: Any) -> None:
    """The main process lives, and takes nothing from the broker ever again."""
    while True:
        time.sleep(60)
