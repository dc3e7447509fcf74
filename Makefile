# Two commands matter: `make demo` runs the whole exercise, `make test` the test suite. Each sets itself up.
PYTHON ?= python3
VENV ?= .venv
# Where torch comes from; empty means pip's own index. PyTorch's index of CPU builds saves gigabytes on Linux:
#   make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
# Two files of tests side by side; most of their time goes into waiting for processes that they start.
PYTEST = $(VENV)/bin/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder
PIP = $(VENV)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt

# Clients of the engine that `make test-slow` runs, each in a folder of its own and without dependencies: what they need
# beside it is in $(VENV). The cookbook asks for a newer tml-renderers than the newest published one, but works with it.
PIP_BESIDE = $(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps
OLDEST_SDK = tinker==0.25.0
COOKBOOK = tinker-cookbook==0.6.1 tml-renderers==0.2.1 blobfile==3.3.0 chz==0.4.0 cloudpickle==3.1.3 lxml==6.1.3 \
	pillow==13.0.0 pycryptodomex==3.24.2 pyrage==1.4.0 termcolor==3.3.0 \
	math-verify==0.9.0 latex2sympy2_extended==1.11.0 antlr4-python3-runtime==4.13.2 pylatexenc==2.11

.PHONY: demo test test-slow lint bench clean

demo: $(VENV)/installed
	$(VENV)/bin/tinkersql run --data built-in --tokens 100000

test: $(VENV)/installed-dev
	$(PYTEST) -m "not slow"

test-slow: $(VENV)/installed-dev $(VENV)/cookbook/installed $(VENV)/sdk-0.25/installed
	$(PYTEST) -m slow

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

$(VENV)/cookbook/installed: $(VENV)/installed-dev
	rm -rf $(@D)
	$(PIP_BESIDE) --target $(@D) $(COOKBOOK)
	@touch $@

$(VENV)/sdk-0.25/installed: $(VENV)/installed-dev
	rm -rf $(@D)
	$(PIP_BESIDE) --target $(@D) $(OLDEST_SDK)
	@touch $@

clean:
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache
