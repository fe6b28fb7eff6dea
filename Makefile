# The commands of the README.  `make` alone shows them.

VENV := .venv
PYTHON := $(VENV)/bin/python
STAMP := $(VENV)/.ready
COMPILED := $(shell find routed flowcorr lg -name '*.pyx' -o -name '*.pxd')

.PHONY: help run test unit sanitized peers coverage bench lint build clean

help:
	@echo 'make run     the main job: flows get the routes of their routers, from real tables (DEMO_SECONDS=n: stop by itself)'
	@echo 'make test    everything: lint, unit tests, sanitizers, real peers'
	@echo 'make unit, make sanitized, make peers: parts of it;  make coverage: what the unit tests do not reach'
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

# Real peers keep one waiting, compilers and sanitizers do not: they share the time.
test: lint
	$(PYTHON) tests/peers/install.py
	$(MAKE) unit
	$(MAKE) --jobs 2 --output-sync=target peers sanitized

unit: build
	$(PYTHON) -m pytest -q -n 2 --ignore=tests/peers

sanitized: build
	nice -n 5 $(PYTHON) tests/fuzz/sanitized.py

peers: build
	$(PYTHON) tests/peers/install.py
	$(PYTHON) -m pytest -q tests/peers -n 6 --dist loadfile --no-loadscope-reorder

coverage: build
	$(PYTHON) -m pytest -q -n 2 --ignore=tests/peers --cov --cov-report=term:skip-covered

bench: build
	$(PYTHON) tests/peers/install.py
	$(PYTHON) -m tests.bench.side_by_side $(BENCH)

clean:
	rm -rf $(VENV) build *.egg-info
	find routed flowcorr lg -name '*.so' -o -name '*.c' | xargs rm -f
