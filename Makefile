# Needs make, git and Python 3.11 or newer; everything else is brought. On Debian: apt-get install python3-venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

# A broken .venv must end in an error, not in packages beside the system's own.
export PIP_REQUIRE_VIRTUALENV := true

.DEFAULT_GOAL := help
.PHONY: help run down test check soak mutants bench bench-large docs format lambdas lock

help: ## Show this list.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 13

run: $(VENV)/.installed ## Start the system with a demo; Ctrl-C stops it. UP_ARGS="--profile full" for real servers.
	@$(BIN)/fitmonitor up --demo $(UP_ARGS)

down: $(VENV)/.installed ## Stop the system.
	@$(BIN)/fitmonitor down

test: $(VENV)/.installed-dev ## Run the tests, on servers that it installs. TEST_ARGS="tests/unit -k door" for some.
	@$(BIN)/python -m cluster.local.install
ifdef TEST_ARGS
	$(BIN)/python -m pytest $(TEST_ARGS)
else
	@$(BIN)/python -m tests.suite test
endif

check: $(VENV)/.installed-dev ## Check format, lint, types and boundaries; run the tests, short faults, one life of a stack.
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(BIN)/python -m cluster.local.install
	@$(BIN)/python -m tests.suite check

soak: $(VENV)/.installed-dev ## Run the long tests, shard by shard; goes on where it stopped. SOAK_ARGS="outages --again".
	@$(BIN)/python -m cluster.local.install
	@$(BIN)/python -m tests.suite soak $(SOAK_ARGS)

mutants: $(VENV)/.installed-dev ## Put deliberate defects into a copy; a test must notice each. MUTANTS_ARGS="--list".
	@$(BIN)/python -m cluster.local.install
	@$(BIN)/python -m tests.suite mutants $(MUTANTS_ARGS)

bench: $(VENV)/.installed ## Measure scans on the full profile, started for it. BENCH_ARGS="--connections 1,64".
	@$(BIN)/python -m cluster.local.install
	$(BIN)/fitmonitor bench --start $(BENCH_ARGS)

bench-large: $(VENV)/.installed ## Measure a scan with 1,000,000 members and 20,000,000 visits. BENCH_ARGS="--visits 5000000".
	@$(BIN)/python -m cluster.local.install
	$(BIN)/fitmonitor bench --start --parts large $(BENCH_ARGS)

docs: $(VENV)/.installed-dev ## Build these pages as a site that needs no network, in dist/docs.
	@NO_MKDOCS_2_WARNING=true $(BIN)/python -m mkdocs build
	@echo "dist/docs/index.html; with search: python3 -m http.server --bind 127.0.0.1 --directory dist/docs 8080"

format: $(VENV)/.installed-dev ## Format the code and fix what can be fixed automatically.
	$(BIN)/ruff check --fix --exit-zero
	$(BIN)/ruff format

lambdas: $(VENV)/.installed ## Build the Lambda functions into dist/lambdas.
	@$(BIN)/python -m cluster.lambda_zips.build

lock: $(VENV)/.installed-dev ## Write the locks anew from pyproject.toml. LOCK_ARGS=--upgrade for newer versions.
	$(LOCK) $(LOCK_ARGS) -o requirements.lock pyproject.toml
	$(LOCK) $(LOCK_ARGS) -o requirements-dev.lock --extra dev pyproject.toml

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name one, as in: make run PYTHON=python3.12"; exit 1; }
	@echo "creating $(VENV)"
	@$(PYTHON) -m venv $(VENV) \
		|| { rm -rf $(VENV); echo "venv is missing; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }

# The stamps say which lock was installed last, so that nothing is installed twice.
$(VENV)/.installed: requirements.lock pyproject.toml | $(BIN)/python
	@echo "installing what requirements.lock names"
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@echo "installing what requirements-dev.lock names"
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@
