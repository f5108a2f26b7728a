"""A picture with at most 256 colours: a third of the size that a browser gives it. Standard library only."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from functools import cache

_HEAD = b"\x89PNG\r\n\x1a\n"
_MOST = 256
Colour = tuple[int, int, int]


def with_few_colours(png: bytes) -> bytes:
    """The same picture (8 bits, RGB or RGBA, opaque, as browsers make it) with a palette.

    Colours that are too many take the nearest one that is kept.
    """
    chunks = list(_chunks(png))
    wide, high, depth, kind, *_ = struct.unpack(">IIBBBBB", dict(chunks)[b"IHDR"])
    if depth != 8 or kind not in {2, 6}:
        raise ValueError("only 8 bits of RGB or RGBA")
    step = 3 if kind == 2 else 4
    packed = zlib.decompress(b"".join(data for name, data in chunks if name == b"IDAT"))
    rows = [
        list(zip(row[0::step], row[1::step], row[2::step], strict=True))
        for row in _unfiltered(packed, wide * step, high, step)
    ]
    kept = [colour for colour, _ in Counter(one for row in rows for one in row).most_common(_MOST)]
    place = {colour: number for number, colour in enumerate(kept)}

    @cache
    def nearest(colour: Colour) -> int:
        exact = place.get(colour)
        if exact is not None:
            return exact
        return min(
            range(len(kept)), key=lambda n: sum((a - b) ** 2 for a, b in zip(kept[n], colour, strict=True))
        )

    body = b"".join(b"\0" + bytes(nearest(colour) for colour in row) for row in rows)
    made = (
        (b"IHDR", struct.pack(">IIBBBBB", wide, high, 8, 3, 0, 0, 0)),
        (b"PLTE", b"".join(map(bytes, kept))),
        (b"IDAT", zlib.compress(body, 9)),
        (b"IEND", b""),
    )
    return _HEAD + b"".join(_chunk(*one) for one in made)


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_HEAD)
    while at < len(png):
        (size,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        at += 12 + size


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _unfiltered(packed: bytes, size: int, high: int, step: int) -> Iterator[bytearray]:
    """Each row's bytes (PNG specification, clause 9: filter types)."""
    above = bytearray(size)
    for number in range(high):
        start = number * (size + 1)
        row = bytearray(packed[start + 1 : start + 1 + size])
        kind = packed[start]
        if kind == 2:
            row = bytearray((a + b) & 255 for a, b in zip(row, above, strict=True))
        elif kind:
            for at in range(size):
                left, corner = (row[at - step], above[at - step]) if at >= step else (0, 0)
                row[at] = (row[at] + _guess(kind, left, above[at], corner)) & 255
        yield row
        above = row


def _guess(kind: int, left: int, above: int, corner: int) -> int:
    if kind == 1:
        return left
    if kind == 3:
        return (left + above) // 2
    estimate = left + above - corner
    return min((left, above, corner), key=lambda one: abs(estimate - one))
