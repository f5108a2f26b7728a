"""Which elements, attributes and nestings TwiML has, found out from the installed SDK's builder classes.

The SDK's builders accept anything; what they name is the grammar. Each builder method is called once with
every named parameter filled, and the element it nests shows the tag, the attributes and text.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from twilio.twiml import TwiML
from twilio.twiml.messaging_response import MessagingResponse
from twilio.twiml.voice_response import VoiceResponse

from nurseline.devphone.signing import Channel

_FILLED = "x"
_OWN = {name for name, _ in inspect.getmembers(TwiML)}


@dataclass(frozen=True, slots=True)
class Rule:
    """One element in one place: its attributes, whether it holds text, and what may stand in it."""

    name: str
    attributes: frozenset[str]
    text: bool
    children: Mapping[str, Rule]


@functools.cache
def root(channel: Channel) -> Rule:
    """The rule of <Response> for texts or for calls."""
    builder: Any = MessagingResponse if channel == "text" else VoiceResponse
    return Rule("Response", frozenset(), False, _Reader().children(builder))


class _Reader:
    """Reads builder classes; each class once, because SSML elements contain each other."""

    def __init__(self) -> None:
        self._read: dict[Any, dict[str, Rule]] = {}

    def children(self, builder: Any) -> Mapping[str, Rule]:
        if builder not in self._read:
            # Registered before it is filled, so that a class inside itself finds the same mapping.
            found = self._read[builder] = {}
            for element in _elements(builder):
                rule = Rule(
                    element.name,
                    frozenset(element.attrs),
                    element.value is not None,
                    self.children(type(element)),
                )
                found[rule.name] = rule
        return self._read[builder]


def _elements(builder: Any) -> Iterator[Any]:
    """What the methods of a builder nest, each with every named parameter filled."""
    for name, method in inspect.getmembers(builder, inspect.isfunction):
        if name in _OWN or name.startswith("_"):
            continue
        named = [
            parameter.name
            for parameter in list(inspect.signature(method).parameters.values())[1:]
            if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        ]
        parent = builder.__new__(builder)
        TwiML.__init__(parent)
        yield method(parent, **dict.fromkeys(named, _FILLED))
