# One word each, the same at a desk and in CI. `make help` lists them.
SHELL := /bin/bash
VENV := .venv
PYTHON := $(VENV)/bin/python
APT_RUN := busybox-static iproute2 nftables libnftables1 tini
APT_TEST := $(APT_RUN) docker.io docker-compose docker-registry apache2-utils redis-server postgresql nginx-light umoci curl e2fsprogs podman crun runc skopeo buildah mmdebstrap libseccomp2 strace procps util-linux
APT_BENCH := $(APT_TEST) dnsperf wrk

.PHONY: help install hello test again unit root conformance check format bench bench-all soak vm clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

install: $(VENV)/.installed ## Havre in .venv, with the system packages that it needs

hello: $(VENV)/.installed ## install Havre and run the first container
	@scripts/hello $(VENV)/bin

test: $(VENV)/.tested ## install what the tests need and run them all
	$(PYTHON) -m pytest -m "not soak"

again: $(VENV)/.tested ## the few tests that failed in the last run, each once more
	$(PYTHON) -m tests.again

unit: $(VENV)/.tested ## the tests that need no root
	$(PYTHON) -m pytest tests/unit tests/architecture

root: $(VENV)/.tested ## the tests with real namespaces, cgroups and containers
	$(PYTHON) -m pytest tests/root tests/course -m "not soak"

conformance: $(VENV)/.tested ## the same requests to Havre and to the reference engine
	$(PYTHON) -m pytest tests/conformance

soak: $(VENV)/.tested ## races and churn, ten minutes at most each
	$(PYTHON) -m pytest -m soak --timeout 900

vm: $(VENV)/.tested ## the tests of containers in a guest with Debian's own kernel and cgroup v2; half an hour
	scripts/setup $(VENV) "qemu-system-x86 kmod e2fsprogs" ".[fast,dev]"
	$(PYTHON) -m tests.vm.run

check: $(VENV)/.tested ## format, lint, types, layers, size budgets
	$(VENV)/bin/ruff format --check src tests benchmarks
	$(VENV)/bin/ruff check src tests benchmarks
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache
	$(PYTHON) -m pytest -q tests/architecture

format: $(VENV)/.tested ## rewrite the sources in the one format
	$(VENV)/bin/ruff format src tests benchmarks
	$(VENV)/bin/ruff check --fix src tests benchmarks

bench: $(VENV)/.tested ## Havre and the reference engine, interleaved in one run
	$(PYTHON) -m benchmarks.run

bench-all: bench ## further: files, logs, networks, images, the registry, builds, applications; an hour
	scripts/setup $(VENV) "$(APT_BENCH)" ".[fast,dev]"
	for each in files output churn networks images registry builds applications; do $(PYTHON) -m benchmarks.$$each || exit; done

clean: ## forget what was built
	rm -rf $(VENV) .cache build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/.installed: pyproject.toml scripts/setup
	scripts/setup $(VENV) "$(APT_RUN)" ".[fast]"
	@touch $@

$(VENV)/.tested: pyproject.toml scripts/setup
	scripts/setup $(VENV) "$(APT_TEST)" ".[fast,dev]"
	@touch $@ $(VENV)/.installed
