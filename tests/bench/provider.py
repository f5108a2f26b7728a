"""The carrier of the benchmarks: takes messages as Twilio does, after a set latency, and remembers when.

`python -m tests.bench.provider --latency 0.05` prints its port. Its answers have the keys and lengths of
the phone's (`nurseline.devphone.rest_shapes`); one loop without threads takes some thousands a second, so
that it is not what a benchmark measures. GET /requests: JSON lines [our reference, instant it came];
DELETE: forget them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from email.utils import formatdate
from itertools import count
from urllib.parse import parse_qs, parse_qsl, urlsplit

LISTEN_BACKLOG = 1024


class Provider:
    """What was asked for, and the answers."""

    def __init__(self, latency: float) -> None:
        self.latency = latency
        self.requests: list[tuple[str, float]] = []
        self._numbers = count(1)

    def answer(self, method: str, path: str, body: bytes, came: float) -> tuple[int, bytes, float]:
        """Status, body and seconds to wait before it."""
        if method == "POST" and path.endswith("/Messages.json"):
            form = dict(parse_qsl(body.decode(), keep_blank_values=True))
            reference = parse_qs(urlsplit(form.get("StatusCallback", "")).query).get("ref", [""])[0]
            self.requests.append((reference, came))
            return 201, self._created(form, path.split("/")[3]), self.latency
        if path == "/requests":
            said = "".join(json.dumps(request) + "\n" for request in self.requests).encode()
            if method == "DELETE":
                self.requests.clear()
            return 200, said, 0.0
        if method == "GET" and "/Messages.json" in path:  # its list is not part of any benchmark
            return 200, b'{"messages": [], "next_page_uri": null, "page": 0, "page_size": 50}', 0.0
        return 404, b"{}", 0.0

    def _created(self, form: dict[str, str], account: str) -> bytes:
        sid = f"SM{next(self._numbers):032x}"
        uri = f"/2010-04-01/Accounts/{account}/Messages/{sid}"
        now = formatdate(usegmt=False)
        made = {
            "account_sid": account,
            "api_version": "2010-04-01",
            "body": form.get("Body", ""),
            "date_created": now,
            "date_sent": None,
            "date_updated": now,
            "direction": "outbound-api",
            "error_code": None,
            "error_message": None,
            "from": form.get("From"),
            "messaging_service_sid": form.get("MessagingServiceSid"),
            "num_media": "0",
            "num_segments": "2",
            "price": None,
            "price_unit": "USD",
            "sid": sid,
            "status": "queued",
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "to": form.get("To"),
            "uri": f"{uri}.json",
        }
        return json.dumps(made).encode()


class Connection(asyncio.Protocol):
    """One connection that stays open; requests come one after another."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, found, rest = self._got.partition(b"\r\n\r\n")
        if not found:
            return
        length = head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
        if len(rest) < int(length or 0):
            return
        self._got = b""
        method, path, *_ = head.split(b" ", 2)
        status, body, wait = self._provider.answer(method.decode(), path.decode(), rest, time.time())
        asyncio.get_running_loop().call_later(wait, self._say, status, body)

    def _say(self, status: int, body: bytes) -> None:
        if not self._transport.is_closing():
            head = f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
            self._transport.write(f"{head}\r\n\r\n".encode() + body)


async def serve(latency: float) -> None:
    """Run until killed."""
    provider = Provider(latency)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(provider), "127.0.0.1", 0, backlog=LISTEN_BACKLOG)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    read = argparse.ArgumentParser(description=__doc__)
    read.add_argument("--latency", type=float, default=0.0, help="seconds each answer takes at least")
    asyncio.run(serve(read.parse_args().latency))
