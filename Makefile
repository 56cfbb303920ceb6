# demo: the whole job on synthetic scenes; test: the tests; check: format, lint, types, layers; test-all: with the slow ones.
# Each target sets up .venv first. PYTHON chooses the interpreter (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
SETUP_TRAIN := $(VENV)/.ready-train
SETUP_DEV := $(VENV)/.ready-dev

.PHONY: demo test test-all check bench clean

demo: $(SETUP_TRAIN)
	$(BIN)/segtool demo --out demo-run

test: $(SETUP_DEV)
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

# where OpenVINO is not to be had its tests are skipped and say so
test-all: $(SETUP_DEV)
	-$(PIP) --editable ".[train,dev,conformance]"
	$(BIN)/python -m pytest

check: $(SETUP_DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(SETUP_TRAIN)
	@test -e demo-run/run/model.fp16.onnx || $(MAKE) demo
	$(BIN)/segtool bench demo-run/run/model.onnx demo-run/run/model.fp16.onnx --data demo-run/scenes --html demo-run/bench.html --markdown README.md

clean:
	rm -rf $(VENV) demo-run build

# Set-up is a file that depends on pyproject.toml, so that a second run costs nothing and a new dependency is installed.
$(SETUP_TRAIN): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "segtool needs Python 3.11 or newer, this is %s; run make PYTHON=python3.12 ..." % sys.version.split()[0])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "setting up $(VENV) with torch and ONNX Runtime: minutes and several GB the first time"
	$(PIP) --editable ".[train]"
	@touch $@

$(SETUP_DEV): pyproject.toml | $(SETUP_TRAIN)
	$(PIP) --editable ".[train,dev]"
	@touch $@
