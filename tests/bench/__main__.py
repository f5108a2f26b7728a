"""`python -m tests.bench [PART …] [PART.SIZE=VALUE …]`: run benchmarks, print a table, keep the JSON.

`make bench` runs all eight, a to h, with the sizes of the issue; `make bench ARGS="a c"` only two. Sizes
are the fields of each module's `Sizes`: `make bench ARGS="c c.seconds=10 a.planned=10000,100000"`.
DATABASE_URL and REDIS_URL name servers to run on instead of our own; a run makes databases of its own there
and drops them, and uses Redis databases that are empty. Ends with 1 if a figure misses what it must be.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nurseline.local.state import PROJECT, LocalError
from tests.bench.report import Found, machine, table
from tests.bench.servers import Servers, Unusable
from tests.support.servers import forget_outer_settings

MODULES = {
    "a": "due",
    "b": "throughput",
    "c": "lateness",
    "d": "plan_cost",
    "e": "eta",
    "f": "claims",
    "g": "calls",
    "h": "desk",
}
RESULTS = PROJECT / "bench-results"


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None) -> int:
    """Run what was asked for; the exit code."""
    read = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    read.add_argument("parts", nargs="*", metavar="PART", help="a to h, and sizes such as c.seconds=10")
    read.add_argument(
        "--json", type=Path, help="where to keep the JSON [default: a new file in bench-results]"
    )
    given = read.parse_args(arguments)
    environment = dict(os.environ if environment is None else environment)
    try:
        sizes = chosen([word for words in given.parts for word in words.split()])
        result = run(sizes, environment)
    except (Unusable, LocalError, ValueError) as error:
        sys.stderr.write(f"bench: {error}\n")
        return 2
    path = _keep(result, given.json)
    sys.stdout.write(f"kept in {path}\n")
    return 0 if result["passed"] else 1


def chosen(words: Sequence[str]) -> dict[str, Any]:
    """The parts to run with their sizes. Raises ValueError for what there is not."""
    parts = sorted({word for word in words if "=" not in word}) or list(MODULES)
    if unknown := set(parts) - set(MODULES):
        raise ValueError(f"there is no part {min(unknown)!r}: choose from {' '.join(MODULES)}")
    sizes = {part: _module(part).Sizes() for part in parts}
    for word in words:
        name, equals, value = word.partition("=")
        part, _, size = name.partition(".")
        if equals and part in sizes:
            sizes[part] = replace(sizes[part], **{size: _value(sizes[part], size, value)})
        elif equals and part not in MODULES:
            raise ValueError(f"{word}: write it like c.seconds=10")
    return sizes


def run(sizes: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Run the parts one after another; everything that is to be kept."""
    began = machine()
    forget_outer_settings()
    folder = Path(tempfile.mkdtemp(prefix="nurseline-bench-"))
    servers = Servers(folder, environment)
    done: list[Found] = []
    try:
        kinds = servers.kinds()
        for part, chosen_sizes in sizes.items():
            done.append(_one(part, servers, chosen_sizes))
            sys.stdout.write(table(done[-1:]) + "\n")
            sys.stdout.flush()
    finally:
        servers.close()
        shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.write("\n" + table(done) + "\n")
    return {
        "passed": all(found.passed for found in done),
        "machine": began,
        "servers": kinds,
        "sizes": {part: asdict(chosen_sizes) for part, chosen_sizes in sizes.items()},
        "parts": {found.part: found.as_json() for found in done},
    }


def _one(part: str, servers: Servers, sizes: Any) -> Found:
    began = time.perf_counter()
    load = os.getloadavg()[0]
    found: Found = _module(part).measure(servers, sizes)
    found.seconds = time.perf_counter() - began
    found.details["load_before"] = round(load, 2)
    return found


def _module(part: str) -> Any:
    return importlib.import_module(f"tests.bench.{MODULES[part]}")


def _value(sizes: Any, name: str, text: str) -> Any:
    """The text as what this size is."""
    known = {field.name: getattr(sizes, field.name) for field in fields(sizes)}
    if name not in known:
        raise ValueError(f"{name} is no size here: there are {', '.join(known)}")
    try:
        if isinstance(known[name], tuple):
            return tuple(int(number) for number in text.split(","))
        return type(known[name])(text)
    except ValueError:
        raise ValueError(f"{name}={text}: a number is needed") from None


def _keep(result: Mapping[str, Any], path: Path | None) -> Path:
    path = path or RESULTS / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    sys.exit(main())
