"""The conversation: a pure state machine from (place, meaning) to words, effects and the next place."""

from nurseline.dialogue.compose import Message, compose, fill, promises_needed
from nurseline.dialogue.machine import IDLE_SECONDS, begin, respond, silence
from nurseline.dialogue.places import hints
from nurseline.dialogue.state import (
    PLACES,
    AnswerReminder,
    Effect,
    FlagReview,
    OptIn,
    OptOut,
    Promise,
    Reason,
    RequestCallback,
    Say,
    SetLanguage,
    State,
    Turn,
    WrongNumber,
    abandoned,
    asks_yes_no,
    reminded,
)

__all__ = [
    "IDLE_SECONDS",
    "PLACES",
    "AnswerReminder",
    "Effect",
    "FlagReview",
    "Message",
    "OptIn",
    "OptOut",
    "Promise",
    "Reason",
    "RequestCallback",
    "Say",
    "SetLanguage",
    "State",
    "Turn",
    "WrongNumber",
    "abandoned",
    "asks_yes_no",
    "begin",
    "compose",
    "fill",
    "hints",
    "promises_needed",
    "reminded",
    "respond",
    "silence",
]
