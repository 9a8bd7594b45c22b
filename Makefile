# `make demo`, `make test`, `make ui` need only Python 3.11+, make and git.
PYTHON ?= python3
VENV ?= .venv
DEMO ?= .demo
PORT ?= 3000
SECONDS ?= 3600
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help install demo test slow-test fuzz strangers check ui browser-check docs clean

help:
	@echo "make demo           post the sample production, from inbox to ledger"
	@echo "make ui             open the demo in the Dagster UI, on http://127.0.0.1:$(PORT)"
	@echo "make test           run the tests"
	@echo "make slow-test      run the slow tests"
	@echo "make fuzz           fuzz the reader for SECONDS (3600), coverage-guided if atheris can be installed"
	@echo "make strangers      throw anything at one feed and one vendor for SECONDS (3600); the others go on"
	@echo "make check          lint, format, types, definitions, licences and known weaknesses of packages"
	@echo "make browser-check  check the UI and the report in a headless Chromium and save screenshots"
	@echo "make docs           rewrite the generated pages of docs/"

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $@

demo: $(INSTALLED)
	$(BIN)/showcost demo --home $(DEMO)

test: $(INSTALLED)
	$(BIN)/pytest --numprocesses auto --dist loadfile

slow-test: $(INSTALLED)
	$(BIN)/pytest -m slow

fuzz: $(INSTALLED)
	-$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[fuzz]"
	$(BIN)/python -m showcost_tests.fuzz --seconds $(SECONDS)

strangers: $(INSTALLED)
	$(BIN)/python -m showcost_tests.strangers --seconds $(SECONDS)

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/dg check yaml
	$(BIN)/dagster definitions validate --workspace workspace.yaml --log-level error
	$(BIN)/python scripts/packages.py

ui: $(INSTALLED)
	@test -d $(DEMO) || (echo "There is no demo yet: run make demo first."; exit 2)
	$(BIN)/showcost ui --home $(DEMO) --port $(PORT)

browser-check: $(INSTALLED)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[browser]"
	$(BIN)/python scripts/browser_check.py --home $(DEMO) --out .browser

docs: $(INSTALLED)
	$(BIN)/python scripts/write_docs.py

clean:
	rm -rf $(VENV) $(DEMO) .browser .mypy_cache .ruff_cache .pytest_cache
