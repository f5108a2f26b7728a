"""Faults on purpose against the whole line, then the carrier's ledger compared with the database.

`make chaos` runs it: `python -m tests.chaos --reminders 3000 --seed 1`. Every choice comes from the seed: who
is enrolled, who texts what, which fault strikes where and when. A part that fails is in one of three places:

* the carrier (`nurseline.devphone` with faults at 5 % each),
* the processes (kill -9, a stopped process that goes on later, an orderly end),
* the servers (Redis flushed, killed, silent; PostgreSQL restarted, crashed, cut off).

Faults strike by progress and not by the clock, so that they meet work in flight on a slow machine, too.
"""
