"""Asking the carrier about many messages, a few at once and not for long."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TypeVar

import structlog

log = structlog.get_logger(__name__)

WIDTH = 4  # requests at once: sending comes first
SECONDS = 20.0  # of one call; what is left is taken by the next. A request under way may last as long again

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def ask_all(
    items: Sequence[Item], ask: Callable[[Item], Answer], *, until: float
) -> tuple[list[tuple[Item, Answer]], bool]:
    """What ``ask`` gave for each item, and whether all were asked.

    None is begun after the monotonic instant ``until``, or after the carrier could not be asked (OSError).
    """
    away = Event()

    def one(item: Item) -> tuple[Item, Answer] | None:
        if away.is_set() or time.monotonic() > until:
            return None
        try:
            return item, ask(item)
        except OSError:
            away.set()
            return None

    with ThreadPoolExecutor(WIDTH) as pool:
        answers = [answer for answer in pool.map(one, items) if answer is not None]
    if away.is_set():
        log.warning("carrier.unreachable")
    return answers, len(answers) == len(items)
