"""Text to meaning: emergency tier, opt-out and topic, with the evidence for each decision."""

from nurseline.language.meaning import Evidence, Meaning
from nurseline.language.understand import keyed, load, understand

__all__ = ["Evidence", "Meaning", "keyed", "load", "understand"]
