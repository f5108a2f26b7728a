"""The clinic's own text, cut at its headings. It is the only source of answers."""

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

from nurseline.content.load import FOLDER

SOURCE_FILE: Final = "trigger-point-injections.txt"
"""How entries name the clinic's text; our copy of it is source.txt."""

_QUOTES = str.maketrans({"“": '"', "”": '"', "’": "'", "‘": "'"})


@cache
def source_sections() -> Mapping[str, str]:
    """Heading -> the text under it, on one line. A heading is a line that ends in a question mark."""
    sections: dict[str, list[str]] = {}
    heading = ""
    for line in (FOLDER / "source.txt").read_text("utf-8").splitlines():
        if line.endswith("?"):
            heading = line
        elif heading:
            sections.setdefault(heading, []).append(line)
    return MappingProxyType({name: one_line(" ".join(lines)) for name, lines in sections.items()})


def one_line(text: str) -> str:
    """The text with plain quotation marks and single blanks."""
    return re.sub(r"\s+", " ", text.translate(_QUOTES)).strip()
