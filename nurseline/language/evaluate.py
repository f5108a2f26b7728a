"""Measure understanding on labelled examples: the numbers that a release is judged by, and every miss."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from nurseline.language.examples_file import Example
from nurseline.language.meaning import Meaning

Action = Literal["answered", "offered", "staff", "silent", "emergency"]
_STAFF = frozenset(("clinical", "nurse", "admin", "schedule", "wrong_number", "urgent"))
_FALSE_ALARM_KINDS = ("decoy", "optout_decoy")


@dataclass(frozen=True, slots=True)
class Judged:
    """An example with what was understood and what would be done."""

    example: Example
    meaning: Meaning
    action: Action


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its 95 % Wilson interval."""

    name: str
    count: int
    of: int

    @property
    def value(self) -> float:
        """The share, 0 when there is nothing to measure."""
        return self.count / self.of if self.of else 0.0

    def interval(self) -> tuple[float, float]:
        """Wilson score interval, 95 %."""
        if not self.of:
            return 0.0, 1.0
        z = 1.959964
        centre = self.value + z * z / (2 * self.of)
        spread = z * math.sqrt(self.value * (1 - self.value) / self.of + z * z / (4 * self.of * self.of))
        scale = 1 + z * z / self.of
        return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


@dataclass(frozen=True, slots=True)
class Miss:
    """An example that was not understood as labelled, and in what way."""

    what: str
    judged: Judged


def action(meaning: Meaning) -> Action:
    """What the line does with a meaning: 911 words, hand to staff, ask back, stay silent, or answer."""
    if meaning.tier == "emergency":
        return "emergency"
    if meaning.tier == "urgent" or meaning.topic in _STAFF:
        return "staff"
    if meaning.topic == "unknown":
        return "answered" if meaning.command or meaning.choice is not None else "offered"
    return "silent" if meaning.topic == "thanks" else "answered"


def judge(examples: Sequence[Example], understand: Callable[..., Meaning]) -> list[Judged]:
    """Understand every example in its language."""
    judged: list[Judged] = []
    for example in examples:
        meaning = understand(example.text, language=example.lang)
        judged.append(Judged(example, meaning, action(meaning)))
    return judged


def right_topic(item: Judged) -> bool:
    """Whether the topic, or the second one, is among the acceptable ones."""
    accepted = item.example.accept
    return item.meaning.topic in accepted or (
        item.meaning.second_topic is not None and item.meaning.second_topic in accepted
    )


@dataclass(frozen=True, slots=True)
class _Measure:
    """Of the examples that ``counts`` takes, the share that is ``good``; ``miss_when`` picks the misses."""

    name: str
    counts: Callable[[Judged], bool]
    good: Callable[[Judged], bool]
    miss_when: bool


def measures(judged: Sequence[Judged]) -> tuple[list[Share], list[Miss]]:
    """All shares of a set of examples, and every miss."""
    shares: list[Share] = []
    misses: list[Miss] = []
    for measure in _MEASURES:
        items = [item for item in judged if measure.counts(item)]
        hits = sum(measure.good(item) for item in items)
        shares.append(Share(measure.name, hits, len(items)))
        misses += [Miss(measure.name, item) for item in items if measure.good(item) == measure.miss_when]
    ordinary = [item for item in judged if _is_ordinary(item)]
    named = [item for item in judged if _is_optout(item)]
    shares.append(Share("opt-out precision", sum(_wants_out(item) for item in named), len(named)))
    shares += [
        Share(f"ordinary: {name}", sum(item.action == name for item in ordinary), len(ordinary))
        for name in get_args(Action)
    ]
    return shares, misses


def _is_quiet(item: Judged) -> bool:
    return item.example.tier in ("none", "review")


def _is_ordinary(item: Judged) -> bool:
    return item.example.kind == "ordinary" and _is_quiet(item)


def _wants_out(item: Judged) -> bool:
    return "stop" in item.example.accept


def _is_emergency(item: Judged) -> bool:
    return item.meaning.tier == "emergency"


def _is_urgent(item: Judged) -> bool:
    return item.meaning.tier == "urgent"


def _is_alarm(item: Judged) -> bool:
    return item.meaning.tier in ("emergency", "urgent")


def _is_optout(item: Judged) -> bool:
    return "stop" in (item.meaning.topic, item.meaning.second_topic)


def _is_offered(item: Judged) -> bool:
    return _is_ordinary(item) and item.action == "offered"


def _right_offer(item: Judged) -> bool:
    """Whether a right topic is among those that the patient is offered."""
    return not {*item.meaning.candidates, item.meaning.topic}.isdisjoint(item.example.accept)


def _wrong_as_if_sure(item: Judged) -> bool:
    return item.meaning.topic != "unknown" and not right_topic(item)


_MEASURES = (
    _Measure("emergency recognised", lambda i: i.example.tier == "emergency", _is_emergency, miss_when=False),
    _Measure("urgent recognised", lambda i: i.example.tier == "urgent", _is_alarm, miss_when=False),
    _Measure("ordinary with 911 words", _is_ordinary, _is_emergency, miss_when=True),
    _Measure(
        "ordinary as urgent",
        lambda i: _is_ordinary(i) and "urgent" not in i.example.accept,
        _is_urgent,
        miss_when=True,
    ),
    _Measure(
        "decoys with 911 words",
        lambda i: _is_quiet(i) and i.example.kind in _FALSE_ALARM_KINDS,
        _is_emergency,
        miss_when=True,
    ),
    _Measure("opt-outs honoured", _wants_out, _is_optout, miss_when=False),
    _Measure(
        "opt-out decoys opted out",
        lambda i: not _wants_out(i) and i.example.kind == "optout_decoy",
        _is_optout,
        miss_when=True,
    ),
    _Measure(
        "others opted out",
        lambda i: not _wants_out(i) and i.example.kind != "optout_decoy",
        _is_optout,
        miss_when=True,
    ),
    _Measure("ordinary: right topic", _is_ordinary, right_topic, miss_when=False),
    _Measure("ordinary: offers with a right one", _is_offered, _right_offer, miss_when=False),
    _Measure("ordinary: wrong topic as if sure", _is_ordinary, _wrong_as_if_sure, miss_when=True),
)


def by_kind(judged: Sequence[Judged]) -> dict[str, dict[str, int]]:
    """For each kind of example: how many, how many with the right topic, and what was done."""
    table: dict[str, Counter[str]] = {}
    for item in judged:
        row = table.setdefault(item.example.kind, Counter())
        row["texts"] += 1
        row["right topic"] += right_topic(item)
        row[item.action] += 1
    return {kind: dict(row) for kind, row in sorted(table.items())}


def report(judged: Sequence[Judged]) -> dict[str, Any]:
    """Everything `evaluate` prints, as plain data: per language, shares, kinds, misses."""
    result: dict[str, Any] = {}
    for language in sorted({item.example.lang for item in judged}):
        own = [item for item in judged if item.example.lang == language]
        shares, misses = measures(own)
        result[language] = {
            "texts": len(own),
            "shares": [
                {
                    "name": share.name,
                    "count": share.count,
                    "of": share.of,
                    "share": round(share.value, 4),
                    "interval": [round(bound, 4) for bound in share.interval()],
                }
                for share in shares
            ],
            "kinds": by_kind(own),
            "misses": [
                {
                    "what": miss.what,
                    "text": miss.judged.example.text,
                    "accept": "|".join(miss.judged.example.accept),
                    "tier": miss.judged.example.tier,
                    "got_tier": miss.judged.meaning.tier,
                    "got_topic": miss.judged.meaning.topic,
                    "confidence": miss.judged.meaning.confidence,
                    "evidence": [f"{item.rule}: {item.words}" for item in miss.judged.meaning.evidence],
                }
                for miss in misses
            ],
        }
    return result


def predictions(judged: Sequence[Judged]) -> str:
    """One tab-separated row per input, in order: text tier topic second_topic action.

    Where the action is `offered` the topics are those that the patient is offered, likeliest first; `unknown`
    where none is.
    """
    rows = ["text\ttier\ttopic\tsecond_topic\taction"]
    rows += ["\t".join((i.example.text, i.meaning.tier, *_topics(i), i.action)) for i in judged]
    return "\n".join(rows) + "\n"


def _topics(item: Judged) -> tuple[str, str]:
    meaning = item.meaning
    if item.action == "offered" and meaning.candidates:
        return meaning.candidates[0], meaning.candidates[1] if len(meaning.candidates) > 1 else ""
    return meaning.topic, meaning.second_topic or ""
