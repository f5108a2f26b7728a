"""Reading labelled examples: tab-separated text, lang, accept, tier, kind, note."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nurseline.language.meaning import TIERS, TOPICS

HEADER = ("text", "lang", "accept", "tier", "kind", "note")
EXAMPLES = Path(__file__).parent / "examples"


class MalformedFileError(ValueError):
    """A file of examples cannot be read; the message names the line."""


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled text. `accept` are the topics that are right answers."""

    text: str
    lang: str
    accept: tuple[str, ...]
    tier: str
    kind: str
    note: str


def read_examples(path: Path) -> list[Example]:
    """All examples of a file, in order; MalformedFileError names the first line that is wrong."""
    try:
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise MalformedFileError(f"{path}: {error}") from error
    lines = content.split("\n")
    if tuple(lines[0].rstrip("\r").split("\t")) != HEADER:
        raise MalformedFileError(f"{path}: line 1: the header must be {' '.join(HEADER)}, separated by tabs")
    return list(_rows(path, lines))


def _rows(path: Path, lines: list[str]) -> Iterator[Example]:
    for number, ended in enumerate(lines[1:], start=2):
        line = ended.rstrip("\r")
        if not line.strip():
            continue
        fields = line.split("\t")
        if len(fields) == len(HEADER) - 1:
            fields.append("")
        if len(fields) != len(HEADER):
            raise MalformedFileError(f"{path}: line {number}: {len(fields)} columns, expected {len(HEADER)}")
        text, lang, accept, tier, kind, note = fields
        topics = tuple(part.strip() for part in accept.split("|") if part.strip())
        if lang not in ("en", "es"):
            raise MalformedFileError(f"{path}: line {number}: unknown language {lang!r}")
        if tier not in TIERS:
            raise MalformedFileError(f"{path}: line {number}: unknown tier {tier!r}")
        wrong = [topic for topic in topics if topic not in TOPICS]
        if wrong or not topics:
            raise MalformedFileError(f"{path}: line {number}: unknown topic {', '.join(wrong) or '(none)'}")
        if not kind.strip():
            raise MalformedFileError(f"{path}: line {number}: no kind")
        yield Example(text, lang, topics, tier, kind.strip(), note)
