# Plain `make` lists the targets. Everything runs out of .venv; nothing outside this folder is changed.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3.11
RUN := .venv/bin/python
TESTS ?= tests
# Test processes; some files alone start faster in one. Each has servers of its own and needs about 4 GiB.
WORKERS ?= $(if $(filter tests,$(TESTS)),2,0)
PARALLEL := -n $(WORKERS)
# Some machines forbid it. Compiling what a process imports takes longer than the rest of its start, dozens of processes
# start, and .venv and this folder are ours.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: install ## start everything, load a marketplace (DATA=path: a real set), run the data platform, leave it running
	@.venv/bin/souk demo $(if $(DATA),--data "$(DATA)") $(if $(RECORD),--record)

.PHONY: down
down: ## stop what `make demo` or `souk up` started; data stays
	@if [ -x .venv/bin/souk ]; then .venv/bin/souk down; fi

.PHONY: install
install: .venv/bin/python ## create .venv (Python 3.11) from requirements.lock; cheap when nothing changed
	@$(RUN) .ci/install.py

# The interpreter must answer and be 3.11; pyenv's shims exist for versions that are not there.
.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || { \
	  echo "Souk needs Python 3.11; \`$(PYTHON)\` is $$($(PYTHON) -V 2>/dev/null || echo not there)."; \
	  echo "Install it (Debian: apt-get install python3.11 python3.11-venv)"; \
	  echo "or name it: make install PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "python3.11 cannot make a virtual environment (Debian: apt-get install python3.11-venv)"; rm -rf .venv; exit 1; }

.PHONY: browser
browser: ## Chromium for the browser tests, when this machine lets us install it
	@.ci/browser.sh

.PHONY: test
test: install browser ## run the short set of tests in two processes, fifteen minutes on two cores at most; `make check` runs the rules of the code (TESTS=path: some of them; WORKERS=n: in n; RECORD=1: keep the times)
	@$(RUN) -m pytest -m "not slow" $(if $(filter tests,$(TESTS)),--ignore=tests/architecture) $(PARALLEL) $(if $(RECORD),-p tests.harness.record --durations=40) $(TESTS)

.PHONY: test-all
test-all: install browser check ## run every test: also whole demos, Spark, S3, all points of kills, all seeds and mutants
	@$(RUN) -m pytest $(PARALLEL) $(TESTS)

.PHONY: generate
generate: install ## render every generated file: contract, dbt yml, asset graph, OpenAPI, settings, figures
	@$(RUN) -m tests.generate

.PHONY: check
check: install ## format, lint, types, import contracts, architecture rules
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@$(RUN) -m mypy
	@.venv/bin/lint-imports
	@$(RUN) -m pytest -q tests/architecture
