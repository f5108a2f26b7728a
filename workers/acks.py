"""A message whose acknowledgement fails must not keep its place.

kombu 5.6.2 counts it as under way for ever. A worker of one child takes one message at a time, so after a
single time-out of Redis it would never take another (seen with Redis silent for six seconds). Acknowledged or
not is all the same to us: after the visibility timeout Redis hands it out again, one wake-up too many.
"""

from __future__ import annotations

from typing import Any

import redis
import structlog
from kombu.transport import redis as transport
from kombu.transport.virtual import QoS as Places

log = structlog.get_logger(__name__)


class QoS(transport.QoS):  # type: ignore[misc]
    """Gives the place of a message free, whether Redis heard of it or not."""

    def ack(self, delivery_tag: Any) -> None:
        try:
            super().ack(delivery_tag)
        except (redis.RedisError, OSError) as error:
            self._let_go(delivery_tag, error)

    def reject(self, delivery_tag: Any, requeue: bool = False) -> None:
        try:
            super().reject(delivery_tag, requeue=requeue)
        except (redis.RedisError, OSError) as error:
            self._let_go(delivery_tag, error)

    def _let_go(self, delivery_tag: Any, error: Exception) -> None:
        Places.ack(self, delivery_tag)
        log.warning("wakeup.not_acknowledged", error=type(error).__name__)


def install() -> None:
    """Let every connection of this process use it."""
    transport.Channel.QoS = QoS
