"""What a run and its processes say on one terminal: whole lines, each in one write."""

import socket
import subprocess
import sys

from nurseline.local.state import PROJECT
from tests.support.processes import basic_environment


def writes_of(script: str) -> list[bytes]:
    """Return what each single write of a Python without buffers held, in order."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            child = subprocess.Popen(
                [sys.executable, "-c", script],
                env={**basic_environment(), "PYTHONUNBUFFERED": "1"},
                cwd=PROJECT,
                stdout=theirs.fileno(),
            )
        ours.settimeout(30)
        writes = []
        while packet := ours.recv(65536):
            writes.append(packet)
        assert child.wait(30) == 0
    return writes


def test_a_line_is_written_whole_so_that_nobody_can_write_into_it() -> None:
    assert writes_of("from nurseline.local.say import say; say('ready line=x'); say('stopped')") == [
        b"ready line=x\n",
        b"stopped\n",
    ]


def test_every_line_of_a_process_is_written_whole() -> None:
    writes = writes_of(
        "from nurseline.local.services import Services; services = Services();"
        "services.add_process('talker', \"printf 'one\\ntwo\\n'\"); services.loop()"
    )
    assert [write.count(b"\n") for write in writes] == [1] * len(writes)
    assert all(write.endswith(b"\n") for write in writes)
    said = [write.decode().partition("| ")[2].strip() for write in writes]
    assert [words for words in said if words in {"one", "two"}] == ["one", "two"]


def test_where_nobody_reads_any_more_saying_something_is_no_error() -> None:
    script = (
        "import sys; from nurseline.local.say import say; sys.stdin.read();"
        "say('one'); say('two'); sys.stderr.write('went on')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env={**basic_environment(), "PYTHONUNBUFFERED": "1"},
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdin
        assert child.stdout
        assert child.stderr
        child.stdout.close()
        child.stdin.close()
        assert child.stderr.read() == b"went on"
        assert child.wait(30) == 0
