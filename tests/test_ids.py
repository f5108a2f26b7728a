"""Ids of rows."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from nurseline.ids import new_id


def test_an_id_is_a_uuid_of_version_7() -> None:
    made = new_id()
    assert (made.version, made.variant) == (7, uuid.RFC_4122)


def test_a_younger_id_sorts_behind_an_older_one(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for milliseconds in (1_700_000_000_000, 1_700_000_000_001, 1_800_000_000_000):
        monkeypatch.setattr("nurseline.ids.time.time_ns", lambda now=milliseconds: now * 1_000_000)
        made.append(new_id())
    assert made == sorted(made)


def test_no_two_ids_are_the_same_however_many_make_them_at_once() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = [one for some in pool.map(lambda _: [new_id() for _ in range(500)], range(8)) for one in some]
    assert len(set(made)) == 4000
