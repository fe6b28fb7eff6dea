# The commands of the README.  `make` alone shows them.

VENV := .venv
PYTHON := $(VENV)/bin/python
STAMP := $(VENV)/.ready
COMPILED := $(shell find routed flowcorr lg -name '*.pyx' -o -name '*.pxd')

.PHONY: help run test bench lint build clean

help:
	@echo 'make run     the main job: pmbgpd and pmbmpd take in real tables (DEMO_SECONDS=n: stop by itself)'
	@echo 'make test    everything: lint, unit tests, sanitizers, real peers'
	@echo 'make lint    ruff, mypy, import contracts'
	@echo 'make bench   side by side with other BGP and BMP daemons (BENCH="--scale .1 --rounds 1": options)'

$(STAMP): pyproject.toml $(COMPILED)
	@sh .ci/prepare $(VENV)
	@touch $@

build: $(STAMP)

run: build
	$(PYTHON) examples/demo.py

lint: build
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

test: lint
	$(PYTHON) tests/peers/install.py
	$(PYTHON) -m pytest -n 2 --cov --cov-report=term:skip-covered --ignore=tests/peers
	$(PYTHON) tests/fuzz/sanitized.py
	$(PYTHON) -m pytest tests/peers -n 3 --dist loadfile

bench: build
	$(PYTHON) tests/peers/install.py
	$(PYTHON) -m tests.bench.side_by_side $(BENCH)

clean:
	rm -rf $(VENV) build *.egg-info
	find routed flowcorr lg -name '*.so' -o -name '*.c' | xargs rm -f
