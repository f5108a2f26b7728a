"""Find Chromium for the browser tests, or install it: `python -m tests.support.chromium`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PROJECT = Path(__file__).resolve().parents[2]
# Playwright's own download goes here, so that nothing outside the project's folder is touched.
DOWNLOADS = PROJECT / ".venv" / "playwright-browsers"
USUAL_DOWNLOADS = (".cache/ms-playwright", "Library/Caches/ms-playwright")
DOWNLOADED = ("chromium-*/chrome-linux*/chrome", "chromium-*/chrome-mac*/*.app/Contents/MacOS/*Chrom*")
# Without these Chromium looks for hosts on the internet at every start, and does not start as root.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@cache
def find_chromium() -> str | None:
    """Return the path of a Chromium or Chrome: named in CHROMIUM, on the PATH, or Playwright's own."""
    if named := os.environ.get("CHROMIUM"):
        return named
    for name in NAMES:
        if found := shutil.which(name):
            return found
    for folder in (DOWNLOADS, *(Path.home() / name for name in USUAL_DOWNLOADS)):
        for pattern in DOWNLOADED:
            if downloaded := sorted(folder.glob(pattern)):
                return str(downloaded[-1])
    return None


def close_windows(browser: Browser) -> None:
    """Close whatever pages are open; what they asked for by themselves ends."""
    for context in browser.contexts:
        context.close()


def install() -> None:
    """Install Chromium: the Debian package as root, else Playwright's download into the project."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("installing Debian's chromium (about a minute, once)", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (
            ["apt-get", "update", "-qq"],
            ["apt-get", "install", "-qq", "-y", "--no-install-recommends", "chromium"],
        ):
            if not _quietly(command, environment):
                break
        else:
            return
    print("downloading Playwright's Chromium (once)", flush=True)
    environment = {**os.environ, "PLAYWRIGHT_BROWSERS_PATH": str(DOWNLOADS)}
    _quietly([sys.executable, "-m", "playwright", "install", "chromium"], environment)


def _quietly(command: list[str], environment: dict[str, str]) -> bool:
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"  that did not work: {error}", flush=True)
        return False
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).splitlines()
        reason = next(
            (line.strip() for line in lines if "error" in line.lower()), f"exit code {done.returncode}"
        )
        print(f"  that did not work: {reason}", flush=True)
    return done.returncode == 0


def main() -> None:
    """Make sure that there is a Chromium, or say which tests will be left out."""
    if find_chromium() is None:
        install()
        find_chromium.cache_clear()
    found = find_chromium()
    if found:
        print(f"browser tests use {found}", flush=True)
    else:
        print("NO CHROMIUM: tests marked `browser` are left out; install chromium to run them", flush=True)


if __name__ == "__main__":
    main()
