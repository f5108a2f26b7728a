"""What `make run`, `make test` and `make clean` stand on: servers of our own on loopback, inside one folder.

Imports nothing of the other rooms, and no other room but the command line imports it.
"""
