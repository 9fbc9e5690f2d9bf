# Targets that a person runs. Each does all its own set-up; it needs only Python 3.11+ (with venv and pip) and make.
.DEFAULT_GOAL := help
.PHONY: help install demo test test-long check format bench lock docs texts docs-demo clean
.SUFFIXES:

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
INSTALL := $(RUN)/python -m pip install --quiet --disable-pip-version-check

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.runtime ## what the services need, without starting one

demo: $(VENV)/.runtime ## the whole chain on this machine, on real input (EDEXML=path, ONCE=1)
	@$(RUN)/schakel demo $(if $(EDEXML),--edexml "$(EDEXML)") $(if $(ONCE),--once)

test: $(VENV)/.development ## the tests, on SQLite
	@$(RUN)/python -m pytest -n auto --dist loadgroup

test-long: $(VENV)/.development ## the tests with many more random cases
	@SCHAKEL_LONG=1 $(RUN)/python -m pytest -n auto --dist loadgroup

check: $(VENV)/.development ## format, lint, types, import contracts; runs all, reports all
	@bash -c 'failed=0; for step in "ruff format --check ." "ruff check ." "mypy" "lint-imports --no-logo"; do \
	  echo "== $$step"; $(RUN)/$$step || failed=1; done; exit $$failed'

format: $(VENV)/.development ## put the code into its format
	@$(RUN)/ruff format . && $(RUN)/ruff check --fix .

bench: $(VENV)/.runtime ## measure against floors and write docs/benchmarks.md (QUICK=1: only see that it works)
	@$(RUN)/python -m benchmarks.run $(if $(QUICK),--quick)

docs: $(VENV)/.development ## write the generated pages in docs/ anew
	@$(RUN)/python -m services.documentation

texts: $(VENV)/.development ## bring the English catalogues up to date; says what has no English yet
	@$(RUN)/python -m services.catalogues

docs-demo: $(VENV)/.development ## run the demo and put what it prints into the README
	@$(RUN)/schakel demo --once | $(RUN)/python -m services.documentation --demo

lock: ## renew the pinned dependencies (needs uv on the PATH)
	uv pip compile pyproject.toml --group build --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet -o requirements.lock
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet -o requirements-dev.lock -c requirements.lock

clean: ## remove the environment and what the demo left
	rm -rf $(VENV) var

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Schakel needs Python 3.11 or newer; this is %s. Try: make PYTHON=python3.12" % sys.version.split()[0])'
	@echo "Making the environment in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing what the services need ..."
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.development: requirements-dev.lock $(VENV)/.runtime
	@echo "Installing what the tests and checks need ..."
	@$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@
