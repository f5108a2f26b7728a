"""Become one program that ends with the process which started it, and that is not root where it must not be.

Run by its path, before any other code: `python -S launch.py WAY PARENT_PID SIGNAL PROGRAM ARGUMENTS…`.
WAY is `direct`, `namespace` or a user's number. Only the standard library is used.
"""

import ctypes
import os
import signal
import sys

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
NOBODY = 65534
REFUSED = 125


def enter_namespace() -> None:
    """Appear as an ordinary user to the program, while the files on this machine stay as they are.

    PostgreSQL refuses to run as root. In a user namespace of its own, root is seen as user 65534: no user is
    added, no file changes owner, no folder changes its mode.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "user namespaces are refused")
    maps = {"setgroups": "deny", "uid_map": f"{NOBODY} {user} 1", "gid_map": f"{NOBODY} {group} 1"}
    for name, text in maps.items():
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def become(user: int) -> None:
    """Give up root for good."""
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)


def end_with(parent: int, number: int) -> None:
    """Ask the kernel for this signal when the parent ends, however it ends (Linux only)."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the kernel knew
        sys.exit(REFUSED)


def main(arguments: list[str]) -> None:
    """Apply the way, tie this process to its parent, and become the program."""
    way, parent, number, *program = arguments
    try:
        if way == "namespace":
            enter_namespace()
        elif way != "direct":
            become(int(way))
    except (OSError, AttributeError) as error:
        print(f"{program[0]}: {error}", file=sys.stderr)
        sys.exit(REFUSED)
    # After the change of user, which would clear it.
    end_with(int(parent), int(number))
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv(program[0], program)  # noqa: S606 - becoming the program is the point


if __name__ == "__main__":
    main(sys.argv[1:])
