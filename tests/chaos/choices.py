"""Every choice of a run, made from one seed before it begins."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nurseline.devphone.fault_plan import KINDS

SMALL = 1000  # runs below this are the short version: fewer and shorter faults
PER_SECOND, PER_SECOND_SMALL = 40, 20  # reminders that fall due in each second, about
# What the sender may send in a second: not much more, so that a backlog is not gone before the next fault.
SEGMENTS, SEGMENTS_SMALL = 60, 25
EACH, BURST = 0.05, 5
# Area codes and the zones of their patients; 555 numbers belong to nobody.
AREAS = (
    ("202", "America/New_York"),
    ("312", "America/Chicago"),
    ("303", "America/Denver"),
    ("602", "America/Phoenix"),
    ("213", "America/Los_Angeles"),
    ("907", "America/Anchorage"),
    ("808", "Pacific/Honolulu"),
)
MOST_PATIENTS = 9000 * len(AREAS)
ALERTED = "+12025550199"
STOPS = ("STOP", "please stop texting me", "do not send me any more messages")
EMERGENCIES = ("I can't breathe", "my lips are swelling and I can not breathe", "I have crushing chest pain")
Text = Literal["", "stop", "emergency"]

LANDLINE, FULL = 30006, 30001
# What a landline does when it is called, since it cannot be texted; in a short run what takes no time.
ANSWERS, QUICK_ANSWERS = ("busy", "no-answer", "machine", "human"), ("busy",)
# What a handset or its network does with a text: share of the patients, and the carrier's words for it.
HANDSETS: tuple[tuple[float, dict[str, Any]], ...] = (
    (0.02, {"outcome": "fail", "code": 30003}),  # switched off
    (0.01, {"outcome": "fail", "code": FULL}),  # the carrier's queue is full; an hour later it is not
    (0.01, {"outcome": "fail", "code": 30005}),  # nobody has that number
    (0.01, {"outcome": "fail", "code": LANDLINE}),  # a landline
    (0.01, {"outcome": "sent"}),  # no network ever says what became of it
)
BLOCKED = 0.01  # ended messages at the carrier before, which the line was never told
STOPPING = 0.02
FRIGHTENED = 0.01


@dataclass(frozen=True, slots=True)
class Patient:
    """One number: its zone, when its reminder falls due (seconds after the start), and what else happens."""

    number: str
    zone: str
    due: float
    delivery: dict[str, Any] | None = None
    call: str = ""
    blocked: bool = False
    text: Text = ""
    words: str = ""


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault of processes or servers: when this share of the reminders has gone.

    ``which`` chooses among the processes; ``seconds``: how long it lasts before it is mended.
    """

    at: float
    kind: str
    which: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Choices:
    """All of a run. ``texts``: (share of reminders gone, patient) in order."""

    seed: int
    patients: tuple[Patient, ...]
    strikes: tuple[Strike, ...]
    texts: tuple[tuple[float, Patient], ...]
    carrier: dict[str, Any]

    @property
    def small(self) -> bool:
        """Whether this is the short version."""
        return len(self.patients) < SMALL


# kind -> (times in a full run, times in a short one, seconds from, to)
STRIKES: dict[str, tuple[int, int, float, float]] = {
    "kill worker": (5, 2, 0.5, 3.0),
    "kill child": (2, 0, 0.0, 0.0),
    "kill urgent": (1, 0, 0.5, 3.0),
    "kill beat": (2, 1, 0.5, 3.0),
    "kill web": (1, 0, 0.5, 1.5),
    "stop worker": (1, 0, 0.0, 0.0),
    "freeze worker": (1, 0, 18.0, 22.0),
    "redis flushed": (2, 1, 0.0, 0.0),
    "redis killed": (1, 1, 1.0, 4.0),
    "redis refusing": (1, 0, 4.0, 8.0),
    "redis silent": (1, 0, 6.0, 12.0),
    "postgres restarted": (1, 0, 0.3, 1.5),
    "postgres crashed": (1, 1, 0.3, 2.0),
    "postgres cut": (2, 1, 0.0, 0.0),
    "postgres silent": (1, 0, 4.0, 7.0),
}


def choose(seed: int, reminders: int) -> Choices:
    """All choices of the run with this seed and so many reminders."""
    dice = random.Random(seed)
    small = reminders < SMALL
    window = reminders / (PER_SECOND_SMALL if small else PER_SECOND)
    patients = _patients(dice, reminders, window)
    return Choices(
        seed,
        patients,
        _strikes(dice, small=small),
        _texts(dice, patients),
        _carrier(seed, small=small),
    )


def _patients(dice: random.Random, count: int, window: float) -> tuple[Patient, ...]:
    made = []
    for n in range(count):
        area, zone = AREAS[n % len(AREAS)]
        number, due = f"+1{area}555{1000 + n // len(AREAS):04d}", dice.uniform(0, window)
        kind = dice.random()
        if kind < STOPPING:
            made.append(Patient(number, zone, due, text="stop", words=dice.choice(STOPS)))
        elif kind < STOPPING + FRIGHTENED:
            made.append(Patient(number, zone, due, text="emergency", words=dice.choice(EMERGENCIES)))
        elif kind < STOPPING + FRIGHTENED + BLOCKED:
            made.append(Patient(number, zone, due, blocked=True))
        else:
            made.append(_usual(dice, number, zone, due, small=count < SMALL))
    return tuple(made)


def _usual(dice: random.Random, number: str, zone: str, due: float, *, small: bool) -> Patient:
    """Somebody who does nothing but have a telephone."""
    delivery, answer = _handset(dice), dice.choice(QUICK_ANSWERS if small else ANSWERS)
    landline = delivery is not None and delivery.get("code") == LANDLINE
    return Patient(number, zone, due, delivery, answer if landline else "")


def _handset(dice: random.Random) -> dict[str, Any] | None:
    left = dice.random()
    for share, model in HANDSETS:
        if (left := left - share) < 0:
            return model
    return None


def _texts(dice: random.Random, patients: Sequence[Patient]) -> tuple[tuple[float, Patient], ...]:
    """Anybody may text at any moment, before their reminder or after it."""
    return tuple(sorted(((dice.uniform(0.0, 0.95), p) for p in patients if p.text), key=lambda one: one[0]))


def _strikes(dice: random.Random, *, small: bool) -> tuple[Strike, ...]:
    kinds = [kind for kind, (full, short, *_) in STRIKES.items() for _ in range(short if small else full)]
    dice.shuffle(kinds)
    made = []
    for place, kind in enumerate(kinds):
        at = 0.04 + 0.86 * (place + dice.uniform(0.1, 0.9)) / len(kinds)
        made.append(Strike(at, kind, dice.random(), dice.uniform(*STRIKES[kind][2:])))
    return tuple(made)


def _carrier(seed: int, *, small: bool) -> dict[str, Any]:
    """The faults of the carrier; each strikes one in twenty."""
    mix: dict[str, Any] = {name: {"p": EACH} for name in KINDS}
    mix["webhook_twice"]["at_once"] = True
    # These strike the account and not a message: five in a row of every hundred, and rare outages.
    mix["too_many"] = {"p": EACH / BURST, "in_a_row": BURST}
    mix["unreachable"] = {"p": 0.002, "seconds": 1.0}
    if small:
        mix["slow"]["seconds"] = mix["callback_delayed"]["seconds"] = 1.0
        mix["callback_reordered"]["seconds"] = 3.0
        mix["list_lag"]["seconds"] = 2.0
    return {"seed": seed, **mix}
