# Foresail's developer commands. `make setup` is all that a fresh machine needs; test and demo call it themselves.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
UV_VERSION := 0.13.8
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
STAMP := $(VENV)/.foresail-setup
# One BLAS thread: a journal replays bit for bit, and benchmarks measure one process.
export OPENBLAS_NUM_THREADS ?= 1
# uv does not read pip's configuration: where pip is told of another index, uv is told the same.
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
ifdef PIP_CERT
export SSL_CERT_FILE ?= $(PIP_CERT)
endif
ifeq ($(strip $(UV_DEFAULT_INDEX)),)
unexport UV_DEFAULT_INDEX
endif

.PHONY: help setup servers fmt check test unit bench demo pictures generate lock clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*  ## ' $(MAKEFILE_LIST) | sed -E 's/:.*  ## /\t/' | expand -t 12

setup: $(STAMP)  ## make .venv from requirements.lock, with the `foresail` command in it

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Foresail needs Python 3.11 or newer; name one with: make setup PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || deploy/ensure-servers.sh --require python3-venv
	$(PYTHON) -m venv $(VENV)

$(STAMP): $(BIN)/python requirements.lock pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(UV) pip sync --quiet --require-hashes --build-constraints requirements.lock requirements.lock
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(UV) pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

servers:  ## install the servers of the tests and the demo where that is possible
	@deploy/ensure-servers.sh

fmt: setup  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: setup  ## lint, types, import contracts (under 30 s)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: setup servers  ## every test but the bench; ARGS are passed on to pytest
	$(BIN)/pytest -m "not bench" -n 2 --no-loadscope-reorder $(ARGS)

unit: setup  ## the quick tests alone, without real servers
	$(BIN)/pytest -m "not bench and not integration" -n 2 --no-loadscope-reorder $(ARGS)

bench: setup servers  ## the benchmarks, with their figures
	$(BIN)/pytest -m bench -s $(ARGS)

demo: setup servers  ## the daemon on simulated model servers; ARGS are passed on, as in ARGS="--for 120"
	$(BIN)/foresail demo $(ARGS)

pictures: setup  ## pictures of the console with the demo's data, to docs/pictures
	@deploy/ensure-servers.sh --require prometheus chromium
	$(BIN)/python -m tests.integration.pictures

generate: setup  ## render what is generated: dashboards, rules, reference
	$(BIN)/python -m controller.generate

lock: $(BIN)/python  ## remake requirements.lock with the newest versions
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --emit-build-options --no-header --no-annotate --group dev pyproject.toml --output-file requirements.lock

clean:  ## remove the environment and every cache
	rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
