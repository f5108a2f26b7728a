"""How many messages a second the phone takes: `python -m tests.devphone.creates_per_second [--latency 0.05]`.

The same bare client (64 threads, keep-alive, prepared bytes) asks a bare server in the same run, so that the
figures can be read as a ratio on any machine.
"""

import argparse
import base64
import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
ACCOUNT, TOKEN, NUMBER = "AC" + "0" * 32, "secret", "+12015550123"
ANSWER = b"HTTP/1.1 201 CREATED\r\nContent-Type: application/json\r\nContent-Length: 700\r\n\r\n" + b" " * 700


def request_bytes(port: int, n: int) -> bytes:
    body = f"To=%2B1202{5550000 + n % 10000:07d}&From=%2B12015550123&Body=reminder+{n}"
    login = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
    return (
        f"POST /2010-04-01/Accounts/{ACCOUNT}/Messages.json HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Authorization: Basic {login}\r\nAccept: application/json\r\nConnection: keep-alive\r\n"
        f"User-Agent: bench\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


class Client:
    """One connection that stays open, or is opened again when the server closes it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.socket: socket.socket | None = None
        self.connections = 0

    def ask(self, data: bytes) -> int:
        if self.socket is None:
            self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=60)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
        self.socket.sendall(data)
        got = b""
        while b"\r\n\r\n" not in got:
            got += self._more()
        head, _, rest = got.partition(b"\r\n\r\n")
        headers = head.lower()
        length = int(headers.partition(b"content-length:")[2].partition(b"\r\n")[0])
        while len(rest) < length:
            rest += self._more()
        if b"connection: close" in headers or headers.startswith(b"http/1.0"):
            self.close()
        return int(head.split(b" ", 2)[1])

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def _more(self) -> bytes:
        assert self.socket is not None
        got = self.socket.recv(65536)
        if not got:
            raise ConnectionError
        return got


def run(port: int, threads: int, requests: int) -> dict[str, float]:
    """Requests over the threads; what came of them."""
    taken: list[float] = []
    wrong: list[object] = []
    clients = [Client(port) for _ in range(threads)]

    def work(which: int) -> None:
        for n in range(which, requests, threads):
            began = time.perf_counter()
            try:
                status = clients[which].ask(request_bytes(port, n))
            except (OSError, ValueError) as error:
                wrong.append(error)
                clients[which].close()
                continue
            taken.append(time.perf_counter() - began)
            if status != 201:
                wrong.append(status)

    workers = [threading.Thread(target=work, args=[n]) for n in range(threads)]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    seconds = time.perf_counter() - began
    for client in clients:
        client.close()
    taken.sort()
    return {
        "per_second": round(len(taken) / seconds, 1),
        "p50_ms": round(1000 * taken[len(taken) // 2], 1) if taken else 0.0,
        "p99_ms": round(1000 * taken[int(len(taken) * 0.99)], 1) if taken else 0.0,
        "wrong": len(wrong),
        "connections": sum(client.connections for client in clients),
    }


class Bare(socketserver.BaseRequestHandler):
    """Reads a request of the bench and answers with fixed bytes."""

    def handle(self) -> None:
        got = b""
        while True:
            more = self.request.recv(65536)
            if not more:
                return
            got += more
            head, found, rest = got.partition(b"\r\n\r\n")
            if found and len(rest) >= int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0]):
                self.request.sendall(ANSWER)
                got = b""


class BareServer(socketserver.ThreadingTCPServer):
    request_queue_size = 256
    daemon_threads = True


def bare_server() -> None:
    with BareServer(("127.0.0.1", 0), Bare) as server:
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        server.serve_forever()


def begin_phone(folder: str, more: dict[str, str]) -> tuple[subprocess.Popen[str], int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PROJECT),
        "DEVPHONE_PORT": str(port),
        "DEVPHONE_LINE_URL": "http://127.0.0.1:9",
        "DEVPHONE_NUMBER": NUMBER,
        "DEVPHONE_STATE": folder,
        "TWILIO_ACCOUNT_SID": ACCOUNT,
        "TWILIO_AUTH_TOKEN": TOKEN,
        **more,
    }
    phone = subprocess.Popen(
        [sys.executable, "-m", "nurseline.devphone"], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert phone.stdout is not None
    phone.stdout.readline()
    return phone, port


def measure_phone(threads: int, requests: int, more: dict[str, str]) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        phone, port = begin_phone(folder, more)
        try:
            quiet = json.dumps({"delivery": {"sent_after": 3600}}).encode()
            asked = urllib.request.Request(
                f"http://127.0.0.1:{port}/phone/api/carrier",
                quiet,
                {"Content-Type": "application/json"},
                method="PUT",
            )
            # What becomes of the messages afterwards is not measured.
            urllib.request.urlopen(asked, timeout=10).close()
            run(port, threads, threads * 2)
            return run(port, threads, requests)
        finally:
            phone.send_signal(signal.SIGTERM)
            phone.wait(20)


def measure_bare(threads: int, requests: int) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.devphone.creates_per_second", "--serve"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT)
    try:
        assert server.stdout is not None
        return run(int(server.stdout.readline()), threads, requests)
    finally:
        server.kill()
        server.wait()


def main() -> None:
    read = argparse.ArgumentParser(description=__doc__)
    read.add_argument("--threads", type=int, default=64)
    read.add_argument("--requests", type=int, default=3000)
    read.add_argument("--latency", type=float, default=0.0, help="seconds each answer takes at least")
    read.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = read.parse_args()
    if given.serve:
        bare_server()
        return
    faults = {"DEVPHONE_FAULTS": json.dumps({"latency": given.latency})} if given.latency else {}
    found = {
        "bare server": measure_bare(given.threads, given.requests),
        "file": measure_phone(given.threads, given.requests, faults),
        "memory": measure_phone(given.threads, given.requests, {**faults, "DEVPHONE_LEDGER": "memory"}),
    }
    for name, figures in found.items():
        figures["of_bare"] = round(figures["per_second"] / found["bare server"]["per_second"], 3)
        sys.stdout.write(f"{name:12} {json.dumps(figures)}\n")


if __name__ == "__main__":
    main()
