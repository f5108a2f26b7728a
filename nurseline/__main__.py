"""``python -m nurseline``."""

from nurseline.cli import main

main()
