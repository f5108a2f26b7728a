"""Which faults a run asks for: read from DEVPHONE_FAULTS or from the control interface.

The names and their parameters stand in the room's docstring.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from nurseline.devphone.errors import BadInput


@dataclass(frozen=True, slots=True)
class _Number:
    """A parameter: its default and its limits."""

    default: float
    low: float
    high: float
    whole: bool = False
    truth: bool = False


def _seconds(default: float) -> dict[str, _Number]:
    return {"seconds": _Number(default, 0, 600)}


# Needs a port that may go away: the only fault with a condition.
UNREACHABLE = "unreachable"

KINDS: Mapping[str, Mapping[str, _Number]] = MappingProxyType(
    {
        UNREACHABLE: _seconds(1.0),
        "refuse": {},
        "too_many": {"in_a_row": _Number(5, 1, 1000, whole=True)},
        "error_before": {"status": _Number(503, 500, 599, whole=True)},
        "error_after": {"status": _Number(500, 500, 599, whole=True)},
        "drop_after": {},
        "slow": _seconds(3.0),
        "callback_lost": {},
        "callback_doubled": _seconds(0.2),
        "callback_reordered": _seconds(10.0),
        "callback_early": {},
        "callback_delayed": _seconds(3.0),
        "webhook_twice": {"at_once": _Number(0, 0, 1, truth=True)},
        "list_lag": _seconds(5.0),
    }
)


@dataclass(frozen=True, slots=True)
class Rule:
    """How likely one fault is (0 to 1), and its parameters."""

    p: float
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """The faults of a run. `latency`: seconds each answer of the REST interface takes at least."""

    seed: int = 0
    latency: float = 0.0
    rules: Mapping[str, Rule] = field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        """As it would be given, with every parameter; {} for no faults."""
        if not self.rules and not self.latency:
            return {}
        rules = {name: {"p": rule.p, **rule.values} for name, rule in self.rules.items()}
        return {"seed": self.seed, "latency": self.latency, **rules}


def read_plan(given: object) -> Plan:
    """A plan from JSON: {"seed": 7, "latency": s, NAME: p or {"p": p, PARAMETER: value}}.

    Raises:
        BadInput: with one sentence that names what is unknown or out of its limits.
    """
    if not isinstance(given, dict):
        raise BadInput("Faults must be a JSON object.")
    unknown = sorted(set(given) - set(KINDS) - {"seed", "latency"})
    if unknown:
        raise BadInput(f"{unknown[0]!r} is no fault; known are {', '.join(KINDS)}.")
    seed = given.get("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise BadInput("seed must be a whole number.")
    latency = _value("latency", given.get("latency", 0.0), _Number(0, 0, 60))
    return Plan(seed, latency, {name: _rule(name, given[name]) for name in KINDS if name in given})


def read_plan_text(text: str) -> Plan:
    """A plan from JSON text, none from an empty one.

    Raises:
        BadInput: as `read_plan`, and when it is not JSON.
    """
    try:
        return read_plan(json.loads(text or "{}"))
    except ValueError as error:
        raise error if isinstance(error, BadInput) else BadInput("Faults must be JSON.") from None


def _rule(name: str, given: object) -> Rule:
    parameters = KINDS[name]
    if not isinstance(given, dict):
        given = {"p": given}
    unknown = sorted(set(given) - {"p", *parameters})
    if unknown or "p" not in given:
        known = ", ".join(["p", *parameters])
        raise BadInput(f"{name} takes a probability, or an object with {known}.")
    values = {key: _value(f"{name} {key}", given.get(key, n.default), n) for key, n in parameters.items()}
    return Rule(_value(name, given["p"], _Number(0, 0, 1)), values)


def _value(name: str, given: Any, number: _Number) -> float:
    if number.truth:
        if not isinstance(given, bool) and given not in {0, 1}:
            raise BadInput(f"{name} must be true or false.")
        return bool(given)
    if (
        isinstance(given, bool)
        or not isinstance(given, int if number.whole else int | float)
        or not number.low <= given <= number.high
    ):
        raise BadInput(f"{name} must be a number from {number.low:g} to {number.high:g}.")
    return given
