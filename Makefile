# Everything is installed into .venv from the hash-locked requirements.
PYTHON ?= python3
BIN := .venv/bin
SETTINGS := deploy/config/demo.yaml
# The client of a model hub, which the tokenizers ask for and the gateway never calls: the image goes without.
HUB := huggingface-hub hf-xet fsspec filelock tqdm
COMPILED := hatch_build.py $(wildcard router/compiled/*.p*)
COMPILE := $(BIN)/uv pip compile --universal --generate-hashes --no-strip-extras --no-header --no-annotate --quiet

.PHONY: run demo test clients lint verify bench lock clean

run: .venv/.run ## serve the bundled models on 127.0.0.1:8080
	$(BIN)/smallfirst serve --config $(SETTINGS)

demo: .venv/.run ## serve them, send sample requests with the official client, print the table
	$(BIN)/smallfirst demo --config $(SETTINGS)

test: .venv/.dev ## the test suite
	$(BIN)/python -m pytest

clients: .venv/.run ## other people's clients, Python and Node, against the served bundled models
	PYTHON=$(BIN)/python tests/clients/run.sh

lint: .venv/.dev ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

verify: .venv/.dev clients ## the deploy artefacts: needs prometheus, chromium, chromium-driver, with DOCKER_HOST set the containers too, with vLLM installed that too
	PYTHON=$(BIN)/python deploy/verify/run.sh static chart live $(if $(DOCKER_HOST),image containers carried) $(if $(VLLM_PYTHON)$(shell command -v vllm),vllm)

bench: .venv/.dev ## the runnable claims
	$(BIN)/python bench/cascade.py --json
	$(BIN)/python -m bench.gateway

lock: .venv/.dev ## pin the dependencies again
	$(COMPILE) pyproject.toml -o requirements.lock
	$(COMPILE) pyproject.toml --extra dev -o requirements-dev.lock
	$(COMPILE) pyproject.toml --extra fit --extra postgres --extra otel --extra nvml --extra redis --extra language -c requirements-dev.lock $(HUB:%=--no-emit-package %) -o deploy/image.lock
	$(COMPILE) deploy/build.in -o deploy/build.lock
	$(COMPILE) deploy/verify/tools.in -o deploy/verify/tools.lock
	$(COMPILE) deploy/verify/browser.in -o deploy/verify/browser.lock

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.run: .venv/bin/python requirements.lock pyproject.toml $(COMPILED)
	test -f .venv/.dev || $(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps -e .
	touch $@

.venv/.dev: .venv/bin/python requirements-dev.lock pyproject.toml $(COMPILED)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --no-deps -e .
	touch $@

clean: ## remove what was built
	rm -rf .venv build dist router/compiled/*.so router/compiled/*.sha256 .mypy_cache .ruff_cache .pytest_cache .hypothesis
