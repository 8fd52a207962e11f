# make demo    the built-in model does three tasks in the example shop
# make test    all tests          make lint    ruff and pyright
# make ui      the web UI         make bench   performance against peers

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# Compiling all that is installed takes a minute; Python compiles what is imported, once.
PIP    := $(BIN)/python -m pip --disable-pip-version-check --no-input install --quiet --no-compile -c constraints.txt
.DEFAULT_GOAL := help
.PHONY: help setup demo test lint ui bench clean

help:
	@sed -n '1,/^$$/s/^# //p' Makefile

setup: $(VENV)/ready

# The stamp is younger than what it was made from, so a second run costs nothing.
$(VENV)/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (a minute or two, once)"
	@$(PIP) -e '.[dev,ui]'
	@bash .ci/browser.sh $(BIN)/python
	@touch $@

demo: setup
	@$(BIN)/python examples/demo.py

# What a worker has compiled is kept, also where PYTHONDONTWRITEBYTECODE is set: it is a third of the collecting.
test: setup
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: setup
	@mkdir -p build/pyright && ln -sfn ../.. build/pyright/saccade
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright --pythonpath $(BIN)/python

ui: setup
	@$(BIN)/saccade ui --shop $(ARGS)

bench: setup
	@$(BIN)/python -m bench $(ARGS)

clean:
	rm -rf build dist *.egg-info
