"""``python -m tests.walk``: walk every kind of call and write docs/calls.md with its picture."""

import sys
import tempfile
from pathlib import Path

from nurseline.db import upgrade
from nurseline.local import ports, state
from nurseline.local.postgres import Postgres
from tests.walk.conftest import WAYS, walk
from tests.walk.picture import page, picture

DOCS = Path(__file__).resolve().parents[2] / "docs"


def main() -> int:
    """Walk on a database of its own; exit code 0."""
    with tempfile.TemporaryDirectory(prefix="nurseline-walk-") as folder:
        server = Postgres(
            state.prepare(Path(folder) / "state"), port=ports.free_port(), password="walk" * 4, durable=False
        )
        server.start()
        try:
            graphs = {}
            for number, (kind, way) in enumerate(WAYS.items()):
                server.create(f"walk_{number}")
                upgrade(server.url(f"walk_{number}"))
                graphs[kind] = walk(server.url(f"walk_{number}"), *way)
                print(f"{kind}: {len(graphs[kind].points)} points", file=sys.stderr)
        finally:
            server.stop()
    (DOCS / "calls.md").write_text(page(graphs), encoding="utf-8")
    (DOCS / "pictures" / "calls.svg").write_text(picture(graphs["in hours"]), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
