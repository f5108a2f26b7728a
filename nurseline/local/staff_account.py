"""The newcomer's staff account: made once, its password kept in a private file."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from nurseline.local.state import PROJECT, remember, remembered, write_private

EMAIL = "nurse@example.org"
PHONE = "+12025550188"  # another handset of the phone page: it rings when this account calls a patient back
# Whoever looks at the line for the first time wants to see every page with one sign-in.
ROLES = ("nurse", "admin")


def ensure(state: Path, environment: Mapping[str, str], password: str) -> str:
    """Make the account in this database unless it is there; return the line that tells how to sign in."""
    file = state / "staff-sign-in.txt"
    # Before the account: an account whose password nobody knows would be of no use.
    write_private(file, f"email: {EMAIL}\npassword: {password}\n")
    sign_in = f"staff sign-in: {EMAIL}  password: {password}  (kept in {file})"
    database = _name(environment["DATABASE_URL"])
    if remembered(state).get("staff_account_in") == database:
        return sign_in
    roles = [word for role in ROLES for word in ("--role", role)]
    command = [sys.executable, "-m", "nurseline", "staff", "add", "--email", EMAIL, "--phone", PHONE, *roles]
    done = subprocess.run(
        [*command, "--password-stdin", "--if-missing"],
        env=dict(environment),
        cwd=PROJECT,
        input=password + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        reason = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no reason given"]
        return f"no staff account was made: {reason[0]}"
    remember(state, staff_account_in=database)
    return sign_in


def _name(database_url: str) -> str:
    """Return which database this is, without its password; a server of our own changes its port."""
    parts = urlsplit(database_url)
    return f"{parts.hostname}{parts.path}"
