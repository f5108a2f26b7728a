"""``python -m nurseline``."""

from nurseline.commands import main

main()
