# make run     set up and run the whole line on this machine, with a phone in the browser
#              (PORT=8000 PHONE_PORT=8010 choose ports; a running one is stopped by Ctrl-C or `make stop`)
# make test    set up and run every test (ARGS="-k reminder" goes to pytest)
# make chaos   3,000 reminders while everything fails, then the carrier's ledger against the database
#              (SEED=1 REMINDERS=3000; with DATABASE_URL and REDIS_URL on those servers)
# make bench   how fast delivery is, as ratios to baselines of the same run, in about twelve minutes; needs 20 GB
#              of disk (ARGS="a c c.seconds=10": parts and sizes; DATABASE_URL and REDIS_URL: on those servers)
# make check   ruff, mypy, the direction of imports
# make clean   remove the state folder and caches; `make distclean` also the virtual environment
# make lock    resolve requirements*.in to pins with hashes (ARGS=--upgrade for newer versions)

SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
# Not compiled ahead: most of what the packages hold is never imported, and that halves the time.
# uv, where there is one, needs a tenth of it; pip knows the index of whoever has their own.
INSTALL = { command -v uv >/dev/null 2>&1 && uv pip install --quiet --python $(PY) --require-hashes -r $(1) 2>/dev/null; } || \
	$(PY) -m pip install --disable-pip-version-check --no-input -qq --no-compile --require-hashes -r $(1)
# `make clean` works without an environment, too.
ANY = $(if $(wildcard $(PY)),$(PY),$(PYTHON))
ARGS ?=
# Test processes at once; each has its own database server.
JOBS ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)

# Where this is set, every start would compile every package anew: 4 s of each.
unexport PYTHONDONTWRITEBYTECODE

# A stamp is named after what it depends on, so that only a change of content makes anything anew.
# The folder is part of it: an environment does not work elsewhere.
HERE := $(shell echo "$(CURDIR)" | cksum | cut -d' ' -f1)
MADE := $(VENV)/.made-$(HERE)
RUN := $(VENV)/.run-$(HERE)-$(shell cksum < requirements.txt | cut -d' ' -f1)
DEV := $(VENV)/.dev-$(HERE)-$(shell cat requirements.txt requirements-dev.txt | cksum | cut -d' ' -f1)

.PHONY: run test chaos bench check stop clean distclean lock help
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

run: $(RUN)
	@exec $(PY) -m nurseline.local run $(if $(PORT),--port $(PORT)) $(if $(PHONE_PORT),--phone-port $(PHONE_PORT))

stop:
	@$(ANY) -m nurseline.local stop

test: $(DEV)
	@$(PY) -m tests.support.chromium
	@$(PY) -m pytest -n $(JOBS) --dist worksteal $(ARGS)

chaos: $(DEV)
	@exec $(PY) -m tests.chaos --seed $(or $(SEED),1) --reminders $(or $(REMINDERS),3000)

bench: $(DEV)
	@exec $(PY) -m tests.bench $(ARGS)

check: $(DEV)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

clean:
	@$(ANY) -m nurseline.local.clean
	@rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis test-results chaos-results bench-results
	@find nurseline workers tests -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean
	@rm -rf $(VENV)

lock: $(MADE)
	@sh .ci/lock $(ARGS)

# An environment that was made elsewhere (a moved folder) or by an older Python is made anew.
$(MADE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 …" >&2; exit 1; }
	@if ! { head -3 $(VENV)/bin/pip | grep -qF "$(CURDIR)/$(VENV)/" && $(VENV)/bin/pip --version; } >/dev/null 2>&1; then \
	  echo "making a virtual environment in $(VENV)"; \
	  rm -rf $(VENV); \
	  $(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { \
	    rm -rf $(VENV); \
	    { $(PYTHON) -m venv --without-pip $(VENV) && \
	      $(PYTHON) -m pip --python $(PY) install --quiet --disable-pip-version-check pip; } 2>/dev/null || { \
	      rm -rf $(VENV); \
	      echo "python3 cannot make a virtual environment: install its venv module (Debian: apt-get install python3-venv)" >&2; \
	      exit 1; }; }; \
	fi
	@touch $@

$(RUN): | $(MADE)
	@echo "installing what runs the line (pinned, checked by hash; under a minute, once)"
	@$(call INSTALL,requirements.txt)
	@rm -f $(VENV)/.run-* && touch $@

$(DEV): | $(MADE)
	@echo "installing what runs and tests the line (pinned, checked by hash; about a minute, once)"
	@$(call INSTALL,requirements-dev.txt)
	@rm -f $(VENV)/.run-* $(VENV)/.dev-* && touch $(RUN) $@
