"""Whether the line's processes answer."""

import urllib.error
import urllib.request

import celery
import kombu.exceptions
import redis

PATIENCE_SECONDS = 2.0


def web_answers(address: str) -> bool:
    """Say whether a GET of this address gives 200."""
    try:
        # Always one of our own loopback addresses.
        with urllib.request.urlopen(address, timeout=PATIENCE_SECONDS) as response:  # noqa: S310
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def workers_answer(redis_url: str, count: int) -> bool:
    """Say whether so many Celery workers on this broker answer a ping."""
    with celery.Celery(broker=redis_url, set_as_current=False) as asker:
        asker.conf.broker_transport_options = {"socket_timeout": PATIENCE_SECONDS}
        try:
            return len(asker.control.ping(timeout=0.5, limit=count)) >= count
        except (kombu.exceptions.OperationalError, redis.RedisError, OSError):
            return False
