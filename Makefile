# Two commands matter: `make demo` runs the whole exercise, `make test` the test suite. Each sets itself up.
PYTHON ?= python3
VENV ?= .venv
# Where torch comes from; empty means pip's own index. PyTorch's index of CPU builds saves gigabytes on Linux:
#   make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
PIP = $(VENV)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-slow lint bench clean

demo: $(VENV)/installed
	$(VENV)/bin/tinkersql run --data built-in

test: $(VENV)/installed-dev
	$(VENV)/bin/pytest -m "not slow"

test-slow: $(VENV)/installed-dev
	$(VENV)/bin/pytest -m slow

lint: $(VENV)/installed-dev
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/pyright
	$(VENV)/bin/lint-imports

# PAIRS is a folder with labelled.jsonl and hazards.jsonl.
bench: $(VENV)/installed
	$(VENV)/bin/python benchmarks/judge.py $(PAIRS)

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Setting up $(VENV): torch and the other packages are downloaded once"
	$(PYTHON) -m venv $(VENV)
	$(if $(TORCH_INDEX),$(PIP) --index-url $(TORCH_INDEX) torch)
	$(PIP) --editable .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(PIP) --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache
