"""Commands of the line's Celery processes, for tests that start them."""

ALL_QUEUES = "urgent,reminders,housekeeping"
BEAT = ["celery", "-A", "workers.beat", "beat", "--scheduler", "celery.beat:Scheduler", "--loglevel", "info"]


def worker_command(
    node: str, queues: str = ALL_QUEUES, *, children: int = 2, app: str = "workers.app"
) -> list[str]:
    """A worker named ``node`` (unlike any other's name) that takes from these queues."""
    return [
        *["celery", "-A", app, "worker", "--hostname", f"{node}@%h", "--queues", queues],
        *["--pool", "prefork", "--concurrency", str(children)],
        *["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "info"],
    ]
