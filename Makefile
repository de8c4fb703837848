# The two that matter: `make verify` reads a verdict on the reference server, `make test` runs the tests.
# Each sets up .venv from the hashed lock first, and says what this machine lacks for that.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
# What the servers of other people's parts in tests/foreign are made of; nothing of it is needed by authcontract.
FOREIGN := .venv-foreign
BIN := $(VENV)/bin
# pip resolves nothing here: the lock names every file by its hash, and the project itself comes last, editable.
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq

.DEFAULT_GOAL := help
.PHONY: help verify test foreign lint selftest bench nightly check lock clean

help: ## list what can be made
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name what; do printf '%-9s %s\n' "$$name" "$$what"; done

verify: $(VENV)/ready ## read a verdict on the reference server, clause by clause
	@$(BIN)/authcontract verify

test: $(VENV)/ready ## run the tests, but for those of other people's servers
	@$(BIN)/python -m pytest -q -n auto --ignore tests/foreign

foreign: $(VENV)/ready $(FOREIGN)/ready ## judge correct servers of other people's parts, and their mistakes
	@# Most of it waits for windows to end, so that more run side by side than there are processors.
	@FOREIGN_PYTHON=$(abspath $(FOREIGN))/bin/python $(BIN)/python -m pytest -q -n 6 tests/foreign

lint: $(VENV)/ready ## ruff with every rule, its format, and mypy strict
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

selftest: $(VENV)/ready ## plant each fault and see it caught
	@$(BIN)/authcontract selftest

bench: $(VENV)/ready ## measure the engine and the driver
	@for bench in benches/*.py; do echo "$$bench"; $(BIN)/python "$$bench" || exit; done

nightly: $(VENV)/ready ## judge every fault, and every other answer to a silence, by every clause: long
	@$(BIN)/authcontract selftest --table
	@AUTHCONTRACT_NIGHTLY=1 $(BIN)/python -m pytest -q tests/conformance/core/test_silences.py -k accuses
	@AUTHCONTRACT_NIGHTLY=1 $(BIN)/python -m pytest -q tests/conformance/limiters

check: lint test ## what CI checks before it builds the wheel

lock: $(VENV)/ready ## resolve pyproject.toml anew into requirements.lock
	@$(PIP) install pip-tools
	@$(BIN)/python tests/packaging/requirements.py > $(VENV)/requirements.in
	@sed -n '/^#/p;/^[^#]/q' requirements.lock > $(VENV)/head
	@$(BIN)/pip-compile --quiet --upgrade --generate-hashes --strip-extras --allow-unsafe --no-header \
	  --no-emit-options --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
	  --output-file $(VENV)/body $(VENV)/requirements.in
	@sed 's|-r $(VENV)/requirements.in|pyproject.toml|' $(VENV)/body | cat $(VENV)/head - > requirements.lock

clean: ## delete .venv and what was built
	@rm -rf $(VENV) $(FOREIGN) tests/foreign/express/node_modules build dist

$(VENV)/ready: requirements.lock pyproject.toml
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "authcontract needs Python 3.11 or newer, and there is no python3.11 here. Install it, or name one: make PYTHON=/path/to/python3.11 $(or $(MAKECMDGOALS),test)"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) lacks the venv module. On Debian or Ubuntu: apt-get install python3-venv"; exit 2; }
	@echo "Setting up $(VENV) from requirements.lock, once ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes --requirement requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(FOREIGN)/ready: tests/foreign/requirements.lock tests/foreign/express/package-lock.json
	@echo "Setting up $(FOREIGN) and node_modules from their locks, once ..."
	@$(PYTHON) -m venv $(FOREIGN)
	@$(FOREIGN)/bin/python -m pip --disable-pip-version-check -qq install --require-hashes \
	  --requirement tests/foreign/requirements.lock
	@cd tests/foreign/express && npm ci --silent --no-audit --no-fund
	@touch $@
