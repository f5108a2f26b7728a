"""The line's processes, started by the Procfile's own commands, killed and started again."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nurseline.local.state import PROJECT
from tests.support.processes import Process, Processes

PHONE = "exec python -m nurseline.devphone"
PROC = Path("/proc")
QUEUES = re.compile(r"(?:-Q|--queues)[ =]\"?([\w,]+)")


@dataclass
class Post:
    """A place in the crew: one command, and the process that fills it now."""

    name: str
    command: str
    process: Process | None = None
    frozen: bool = False
    leaving: bool = False  # was asked to end
    hurt: bool = False  # lost a child: while it starts Celery then ends and leaves the rest to its supervisor
    ended: list[int] = field(default_factory=list)  # exit codes of those that ended by themselves

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.running


class Crew:
    """Everybody who works for the line. Not for several threads: the kernel ends what a dead thread began."""

    def __init__(self, processes: Processes, env: Mapping[str, str], *, workers: int, beats: int) -> None:
        self._processes = processes
        self._env = dict(env)
        self.posts: dict[str, Post] = {"phone": Post("phone", PHONE)}
        for name, command in procfile().items():
            times = {"worker": workers, "beat": beats}.get(role_of(name, command), 1)
            for n in range(1, times + 1):
                full = f"{name} {n}" if times > 1 else name
                self.posts[full] = Post(full, command)

    def start(self, name: str) -> Process:
        """Fill a place."""
        post = self.posts[name]
        command = ["/bin/sh", "-c", post.command]
        post.process = self._processes.start(name.replace(" ", "-"), command, self._env)
        post.frozen = post.leaving = post.hurt = False
        return post.process

    def start_missing(self) -> None:
        """Fill every empty place."""
        for post in self.posts.values():
            if not post.running:
                self.start(post.name)

    def of(self, role: str) -> list[Post]:
        """Those who do one kind of work: worker, urgent, beat, web, in order."""
        return [post for post in self.posts.values() if role_of(post.name, post.command) == role]

    def kill(self, post: Post) -> int:
        """kill -9 of a process and its children; its number."""
        assert post.process is not None
        pid = post.process.pid
        post.process.kill()
        post.process = None
        return pid

    def kill_child(self, post: Post, which: float) -> int | None:
        """kill -9 of one child of a worker; its number, None if it has none."""
        children = sorted(_children(post.process.pid)) if post.process else []
        if not children:
            return None
        child = children[int(which * len(children))]
        os.kill(child, signal.SIGKILL)
        post.hurt = True
        return child

    def ask_to_end(self, post: Post) -> None:
        """Ask it to finish what it does, as a new version does; `look_after` fills the place again."""
        assert post.process is not None
        post.process.child.terminate()
        post.leaving = True

    def freeze(self, post: Post) -> None:
        """Stop it in mid-step, as a host out of breath does: it knows nothing of the time that passes."""
        assert post.process is not None
        os.killpg(post.process.pid, signal.SIGSTOP)
        post.frozen = True

    def thaw(self, post: Post) -> None:
        """Let it go on."""
        if post.process is not None and post.frozen:
            os.killpg(post.process.pid, signal.SIGCONT)
        post.frozen = False

    def look_after(self) -> list[tuple[str, int]]:
        """Start again who ended, as a supervisor does; who had not been told to, and the exit code."""
        found = []
        for post in self.posts.values():
            if post.process is not None and not post.process.running:
                code = int(post.process.child.returncode)
                if not post.leaving:
                    found.append((post.name, code))
                if not (post.leaving or post.hurt):
                    post.ended.append(code)
                self.start(post.name)
        return found


def procfile() -> dict[str, str]:
    """The commands of the Procfile that run for good."""
    lines = (PROJECT / "Procfile").read_text(encoding="utf-8").splitlines()
    pairs = (line.partition(":") for line in lines if line.strip() and not line.startswith("#"))
    return {name: command.strip() for name, _, command in pairs if name != "release"}


def role_of(name: str, command: str) -> str:
    """What a line of the Procfile does: worker (of reminders), urgent, beat, web, else its name."""
    if " beat " in f"{command} ":
        return "beat"
    if " worker " in command:
        named = QUEUES.search(command)
        queues = named[1].split(",") if named else []
        return "worker" if "reminders" in queues or not queues else "urgent" if "urgent" in queues else name
    return "web" if "granian" in command else name


def _children(pid: int) -> list[int]:
    try:
        text = (PROC / str(pid) / "task" / str(pid) / "children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(word) for word in text.split()]
