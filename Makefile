# Everything is installed into .venv from the hash-locked requirements.
PYTHON ?= python3
BIN := .venv/bin
SETTINGS := deploy/config/demo.yaml

.PHONY: run demo test clients lint verify bench lock clean

run: .venv/.run ## serve the bundled models on 127.0.0.1:8080
	$(BIN)/smallfirst serve --config $(SETTINGS)

demo: .venv/.run ## serve them, send sample requests with the official client, print the table
	$(BIN)/smallfirst demo --config $(SETTINGS)

test: .venv/.dev ## the test suite
	$(BIN)/python -m pytest

clients: .venv/.run ## other people's clients, Python and Node, against the served bundled models
	tests/clients/run.sh

lint: .venv/.dev ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

verify: .venv/.dev clients ## what needs promtool, and with DOCKER_HOST set the containers too
	deploy/verify/run.sh static $(if $(DOCKER_HOST),containers)

bench: .venv/.dev ## the runnable claims
	$(BIN)/python bench/cascade.py --json

lock: .venv/.dev ## pin the dependencies again
	$(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --no-strip-extras --no-header --no-annotate --quiet -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --generate-hashes --no-strip-extras --no-header --no-annotate --quiet -o requirements-dev.lock

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.run: .venv/bin/python requirements.lock pyproject.toml
	test -f .venv/.dev || $(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps -e .
	touch $@

.venv/.dev: .venv/bin/python requirements-dev.lock pyproject.toml
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --no-deps -e .
	touch $@

clean: ## remove what was built
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
