# Everything a developer types. Needs only make and Python 3.11 or newer with venv.
#
#   make run    consumer, API and a made-up day on SQLite files under ./var/
#   make test   the quick suite, on SQLite and on a real Valkey server
#   make check  style, types, layers, and the snippets of the documentation
#
# CONTRIBUTING.md has the table of all suites: what each takes and where it runs.

PYTHON ?= python3
JOBS ?= 3 # on two cores: tests wait more than they compute
PORT ?= 8000
RUNS ?= 100000

VENV := .venv
BIN := $(VENV)/bin
PARITY := .venv-parity
MODES := tests/integration/test_workflow_*.py tests/integration/test_api_workflows.py \
         tests/parity/temporal
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --dist worksteal

.PHONY: help run test test-postgres check format chaos chaos-short storm \
        storm-short mutants mutants-short property parity parity-record failpoints modes modes-short bench \
        scale coverage ci clean

help:
	@sed -n 's/^#   //p' Makefile

run: $(VENV)/.run
	@$(BIN)/workflows run --demo --port $(PORT)

test: $(VENV)/.dev
	$(PYTEST) --ignore tests/docs # which make check runs

test-postgres: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet -e '.[postgresql]'
	MARKETPLACE_TESTS_ON=postgresql $(PYTEST) tests/integration/marketplace \
	  -k "not redis" $(addprefix --ignore tests/integration/marketplace/test_, \
	  constraints.py database.py graph_stub.py migrations.py)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) tests/docs

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

chaos: $(VENV)/.dev
	$(BIN)/python -m tests.chaos --full

chaos-short: $(VENV)/.dev
	$(BIN)/python -m tests.chaos --short

storm: $(VENV)/.run
	$(BIN)/workflows demo crash --orders 1000 --kills 20 --rate 2 --speed 45 $(STORM)

storm-short: $(VENV)/.run
	$(BIN)/workflows demo crash $(STORM)

mutants: $(VENV)/.dev
	$(BIN)/python -m tests.mutants

mutants-short: $(VENV)/.dev
	$(BIN)/python -m tests.mutants --short

property: $(VENV)/.dev
	HYPOTHESIS_PROFILE=full $(BIN)/python -m pytest tests/property \
	  tests/integration/test_api_schema.py

parity: $(VENV)/.dev $(PARITY)/.ready
	$(PARITY)/bin/python -m tests.parity.temporal.record --check
	$(PARITY)/bin/python -m tests.parity.temporal.replay
	PARITY_ON_EVERY_STORE=1 $(BIN)/python -m pytest tests/parity/temporal

parity-record: $(PARITY)/.ready
	$(PARITY)/bin/python -m tests.parity.temporal.record

failpoints: $(VENV)/.dev
	FAILPOINTS=all $(PYTEST) --timeout 1200 tests/integration/test_workflow_failpoints.py \
	  tests/integration/marketplace/test_failpoints.py

modes: $(VENV)/.dev
	TEST_MODE=uncached $(PYTEST) $(MODES)
	TEST_MODE=apart $(PYTEST) $(MODES)

modes-short: $(VENV)/.dev
	TEST_MODE=uncached+apart $(PYTEST) $(MODES)

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

scale: $(VENV)/.dev
	$(BIN)/python -m tests.scale --runs $(RUNS)

coverage: $(VENV)/.dev
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

ci:
	.ci/run

clean:
	rm -rf $(VENV) $(PARITY) build dist *.egg-info .coverage* .mypy_cache .pytest_cache \
	  .ruff_cache .import_linter_cache .hypothesis

# A stamp per state of the environment; setup.cfg is what it depends on.

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12" >&2; \
	  exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) comes without venv; on Debian: apt install python3-venv" >&2; \
	  exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.run: setup.cfg $(VENV)/.created
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: setup.cfg $(VENV)/.created
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.run

# Temporal's server and SDK, the oracle of `make parity`, stay out of our environment.

$(PARITY)/.ready: tests/parity/temporal/requirements.txt $(VENV)/.created
	$(PYTHON) -m venv --clear $(PARITY)
	$(PARITY)/bin/python -m pip install --quiet --disable-pip-version-check \
	  --requirement tests/parity/temporal/requirements.txt
	@touch $@
