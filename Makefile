# Two commands do everything on a fresh machine: make run, make test.
PYTHON ?= python3
VENV ?= .venv
# On two cores: many tests wait, for a browser or a process.
WORKERS ?= 3
BIN := $(VENV)/bin

.PHONY: run test bench clean browser qemu

run: $(VENV)/.run
	$(BIN)/mbsweep run sweeps/width_res.yaml
	$(BIN)/mbsweep report --html reports/

test: $(VENV)/.test browser qemu
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal --durations 10

bench: $(VENV)/.test
	$(BIN)/python -m benchmarks

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[onnxruntime,train]'
	touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@ $(VENV)/.run

# The report's tests drive a real browser: Debian's headless Chromium, which is the lightest, or any other. Where
# this may install them, it does.
INSTALL := apt-get -qq install -y --no-install-recommends fonts-dejavu-core

browser:
	@command -v chromium-headless-shell >/dev/null || \
	{ [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get -qq update && \
	  $(INSTALL) chromium-headless-shell >/dev/null 2>&1; } || \
	command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
	{ [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && $(INSTALL) chromium >/dev/null; } || \
	echo "no Chromium found and none could be installed: the tests of the page in a browser will say so"

# int8 is tested on an x86 processor of another kind, too, one with AVX2 alone: by emulation.
qemu:
	@command -v qemu-x86_64 >/dev/null 2>&1 || [ "$$(uname -m)" != x86_64 ] || \
	{ command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && \
	  apt-get -qq update && apt-get -qq install -y --no-install-recommends qemu-user >/dev/null; } || \
	echo "no qemu-x86_64 found and none could be installed: the test of int8 on another processor will say so"

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
