"""The short version of `make chaos`: 300 reminders through real processes that fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.run import Place, whole


@pytest.mark.slow
@pytest.mark.timeout(900)  # a minute on an idle machine; every wait is for a condition
def test_no_reminder_is_lost_or_sent_twice_while_everything_fails(tmp_path: Path) -> None:
    result, _ = whole(1, 300, Place(tmp_path, {}))
    assert result.good, f"{result.verdict()}\n{result.table()}"
    assert sum(result.facts["reminders due"].values()) == 300
    # The faults did strike.
    struck = result.facts["faults of the carrier"]
    assert all(struck[name] for name in ("refuse", "error_after", "drop_after", "too_many", "callback_lost"))
