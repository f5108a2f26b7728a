"""The state folder: everything a local run keeps, in one git-ignored place."""

import base64
import json
import os
import secrets
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
MARKER = "this-folder-belongs-to-nurseline"


class LocalError(Exception):
    """Something a person can mend; the message is one line that says how."""


def state_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the state folder: NURSELINE_STATE, else `.state` in the project. It need not exist yet."""
    named = environ.get("NURSELINE_STATE", "").strip()
    return Path(named).expanduser().absolute() if named else PROJECT / ".state"


def prepare(folder: Path) -> Path:
    """Make the state folder, private to its owner and marked as ours; refuse one with other things in it."""
    try:
        if folder.is_dir() and not (folder / MARKER).exists() and any(folder.iterdir()):
            message = f"{folder} holds other files: name an empty or new folder in NURSELINE_STATE"
            raise LocalError(message)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.geteuid():
            message = f"{folder} belongs to another user: be that user, or name another in NURSELINE_STATE"
            raise LocalError(message)
        (folder / MARKER).touch(mode=0o600)
        (folder / "logs").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        message = f"the folder {folder} cannot be used ({error.strerror}): name another in NURSELINE_STATE"
        raise LocalError(message) from error
    return folder


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    opened = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(opened, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def read_env(folder: Path | None = None) -> dict[str, str]:
    """Return the settings the last `make run` left in run.env; empty when there was none."""
    return _read_assignments((folder or state_folder()) / "run.env")


def write_env(folder: Path, settings: Mapping[str, str]) -> None:
    """Write run.env, in a form that both read_env and a shell's `.` understand."""
    write_private(folder / "run.env", _assignments(settings))


def generated(folder: Path) -> dict[str, str]:
    """Return the secrets of this state folder, made on the first run and the same ever after."""
    path = folder / "secrets.env"
    known = _read_assignments(path)
    complete = {name: known.get(name) or make() for name, make in _GENERATORS.items()}
    if complete != known:
        write_private(path, _assignments(complete))
    return complete


def remembered(folder: Path) -> dict[str, Any]:
    """Return what earlier runs noted: ports, and which database has the staff account."""
    try:
        notes = json.loads((folder / "remembered.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return notes if isinstance(notes, dict) else {}


def remember(folder: Path, **notes: Any) -> None:
    """Add notes for the next run."""
    write_private(folder / "remembered.json", json.dumps(remembered(folder) | notes, indent=1) + "\n")


def _read_assignments(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    settings = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            settings[name] = "".join(shlex.split(value))
    return settings


def _assignments(settings: Mapping[str, str]) -> str:
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in sorted(settings.items()))


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


_GENERATORS: dict[str, Callable[[], str]] = {
    "POSTGRES_PASSWORD": lambda: secrets.token_hex(24),
    "REDIS_PASSWORD": lambda: secrets.token_hex(24),
    "SECRET_KEY": lambda: secrets.token_urlsafe(48),
    "NURSELINE_KEYS": _key,
    "TWILIO_ACCOUNT_SID": lambda: "AC" + secrets.token_hex(16),
    "TWILIO_AUTH_TOKEN": lambda: secrets.token_hex(16),
    "STAFF_PASSWORD": lambda: secrets.token_urlsafe(15),
}
