"""CSV that a spreadsheet opens as plain values: what would be taken for a formula is quoted away.

OWASP "CSV Injection": a cell that begins with = + - @, a tab or a line end can run as a formula. Such a cell
gets a single quote before it, and every cell stands in quotation marks. Our own import takes the quote away.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from flask import Response

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def safe(value: object) -> str:
    """The value as text that no spreadsheet runs; empty for None."""
    text = "" if value is None else str(value).replace("\0", "")
    return f"'{text}" if text.startswith(_DANGEROUS) or text.lstrip().startswith(_DANGEROUS[:4]) else text


def lines(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """The file, some rows at a time, with the mark by which Excel knows UTF-8."""
    buffer = io.StringIO()
    buffer.write("\ufeff")
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow([safe(cell) for cell in header])
    for number, row in enumerate(rows, 1):
        writer.writerow([safe(cell) for cell in row])
        if number % 500 == 0:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def download(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """An answer that browsers keep as a file called ``name``."""
    response = Response("".join(lines(header, rows)), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
