"""Which words were released under which version, so that no words change behind a version's back.

The version of an entry is stored beside every message. It tells what a patient read only while the words
of a version stay the same. released.json holds, per language and entry, the released version and a
fingerprint of its words; it is empty until `python -m nurseline content release` records a release.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from nurseline.content.entries import Content, Entry
from nurseline.content.load import FOLDER

RELEASED: Final = FOLDER / "released.json"

Released = Mapping[str, Mapping[str, tuple[int, str]]]
"""Language -> entry id -> version and fingerprint."""


def fingerprint(entry: Entry) -> str:
    """A short digest of what is texted and said; label, quotes and signature are not part of it."""
    words = json.dumps([entry.text, entry.voice])
    return hashlib.sha256(words.encode()).hexdigest()[:16]


def read_released(path: Path = RELEASED) -> Released:
    """What the last release recorded."""
    raw = json.loads(path.read_text("utf-8"))
    return {
        code: {entry_id: (int(version), str(words)) for entry_id, (version, words) in entries.items()}
        for code, entries in raw.items()
    }


def write_released(content: Content, path: Path = RELEASED) -> None:
    """Record the words of all languages as released, each entry on a line of its own."""
    record = {
        code: {entry.id: [entry.version, fingerprint(entry)] for entry in language.entries.values()}
        for code, language in content.by_language.items()
    }
    lines = [
        f"{json.dumps(code)}: {{\n"
        + ",\n".join(
            f"  {json.dumps(entry_id)}: {json.dumps(entries[entry_id])}" for entry_id in sorted(entries)
        )
        + "\n}"
        for code, entries in record.items()
    ]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


def changed_unraised(content: Content, released: Released) -> Iterator[tuple[str, str, str]]:
    """Language, entry id and fault of each entry that differs from the release under the same version."""
    for code, language in content.by_language.items():
        for entry in language.entries.values():
            version, words = released.get(code, {}).get(entry.id, (0, ""))
            if entry.version < version:
                yield code, entry.id, f"version {entry.version} is below the released version {version}"
            elif entry.version == version and fingerprint(entry) != words:
                yield code, entry.id, f"the words differ from those released as version {version}: raise it"
