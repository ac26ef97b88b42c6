# Everything lives in .venv and core/target; nothing outside this directory is touched.
# `make` alone lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# A stamp is newer than all it depends on, or its step runs again.
TOOLS_STAMP := $(VENV)/.stamp-tools
CORE_STAMP := $(VENV)/.stamp-core
BUILD_STAMP := $(VENV)/.stamp-build
CORE_SOURCES := $(shell find core -name target -prune -o -type f \
	\( -name '*.rs' -o -name '*.toml' -o -name '*.lock' -o -name '*.py' -o -name '*.pyi' \) -print)

PROTO_SOURCES := $(wildcard proto/tallystick/v1/*.proto)
PROTO_OUT ?= proto

# Cargo's own progress on a terminal, silence in a log.
MATURIN_FLAGS := $(if $(MAKE_TERMOUT),,--quiet)
PYTEST_FLAGS ?=
# Two at a time; tests/conftest.py says which have to wait for each other.
PARALLEL ?= -n 2 --no-loadscope-reorder
ECONOMY ?=
BENCH ?= --nodes 3 --profile bulk --seconds 20
LOCUST ?=
FUZZ_SECONDS ?= 15
FUZZ ?=

.PHONY: help
help:
	@echo "make build   the virtual environment, the native core, the packages"
	@echo "make economy a day of a token economy; ECONOMY='--requests 500 --seconds 30'"
	@echo "make demo    three nodes settle real usage and survive a kill"
	@echo "make test    all tests, Python and Rust"
	@echo "make check   format, lint, types, then all tests"
	@echo "make lint    the first three of these"
	@echo "make bench   the benchmark; BENCH='--nodes 3 --profile packed --seconds 20'"
	@echo "make proto   the generated code of proto/tallystick/v1"
	@echo "make fmt     format everything, Python and Rust"
	@echo "make locust  locust users load three nodes; LOCUST='--users 50 --seconds 30'"
	@echo "make fuzz    the fuzzers; FUZZ_SECONDS=600 for each, FUZZ='--target frame'"
	@echo "make clean   remove all that these made"

.PHONY: build
build: $(BUILD_STAMP)
	@:

$(TOOLS_STAMP): constraints.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		found=$$("$(PYTHON)" --version 2>/dev/null || echo "not there"); \
		echo "Tallystick needs Python 3.11 or later; '$(PYTHON)' is $$found." \
			"Try: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "==> virtual environment ($$("$(PYTHON)" --version))"
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@$(BIN)/pip install --quiet -c constraints.txt maturin setuptools
	@touch $@

$(CORE_STAMP): $(TOOLS_STAMP) $(CORE_SOURCES)
	@command -v cargo >/dev/null || { \
		echo "The native core needs cargo and a C linker: https://rustup.rs" >&2; exit 1; }
	@echo "==> native core (a minute or two the first time)"
	@cd core && VIRTUAL_ENV="$(CURDIR)/$(VENV)" ../$(BIN)/maturin develop --release $(MATURIN_FLAGS)
	@touch $@

$(BUILD_STAMP): $(CORE_STAMP) pyproject.toml
	@echo "==> Python packages (half a minute the first time)"
	@PYTHONWARNINGS=ignore $(BIN)/pip install --quiet --no-build-isolation -c constraints.txt \
		-e '.[node,cluster,loadtests,dev]'
	@touch $@
	@echo "==> built: $$($(BIN)/tallystick --version)"

.PHONY: demo
demo: build
	@$(BIN)/tallystick demo

.PHONY: economy
economy: build
	@$(BIN)/tallystick demo economy $(ECONOMY)

.PHONY: test
test: build
	@$(BIN)/pytest $(PARALLEL) $(PYTEST_FLAGS)
	@cd core && cargo test --quiet --no-default-features

.PHONY: lint
lint: build
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/ruff check --quiet
	@$(BIN)/mypy
	@cd core && cargo fmt --check
	@cd core && cargo clippy --quiet --all-targets --no-default-features -- -D warnings
	@cd core && PYO3_PYTHON="$(CURDIR)/$(BIN)/python" \
		cargo clippy --quiet --features python -- -D warnings

.PHONY: check
check: lint test

.PHONY: bench
bench: build
	@$(BIN)/tallystick bench $(BENCH)

.PHONY: locust
locust: build
	@$(BIN)/python -m tallystick_loadtests.swarm run $(LOCUST)

# Only this needs atheris, which not every machine can install; docs/fuzzing.md.
.PHONY: fuzz
fuzz: build
	@$(if $(findstring --native,$(FUZZ)),true,$(BIN)/python -c 'import atheris' 2>/dev/null || \
		$(BIN)/pip install --quiet 'atheris>=3,<4' || { \
		echo "atheris cannot be installed; without it: make fuzz FUZZ=--native" >&2; exit 1; })
	@$(BIN)/python -m tests.fuzz.run --seconds $(FUZZ_SECONDS) $(FUZZ)

# The virtual path makes the generated modules import each other as `tallystick_proto.v1`.
.PHONY: proto
proto: $(TOOLS_STAMP)
	@$(BIN)/python -c 'import grpc_tools' 2>/dev/null || \
		$(BIN)/pip install --quiet -c constraints.txt grpcio-tools
	@$(BIN)/python -m grpc_tools.protoc -Itallystick_proto/v1=proto/tallystick/v1 \
		--python_out=$(PROTO_OUT) --pyi_out=$(PROTO_OUT) --grpc_python_out=$(PROTO_OUT) \
		$(PROTO_SOURCES)

.PHONY: fmt
fmt: build
	@$(BIN)/ruff format --quiet
	@$(BIN)/ruff check --quiet --fix
	@cd core && cargo fmt

# Takes the newest versions that pyproject.toml allows, and pins them.
.PHONY: constraints
constraints: build
	@$(BIN)/pip install --quiet --upgrade --upgrade-strategy eager --no-build-isolation \
		-e '.[node,cluster,loadtests,dev]' setuptools
	@{ sed -n '/^#/p' constraints.txt; \
		$(BIN)/pip list --format=freeze | grep -vE '^(pip|tallystick)'; } > constraints.new
	@mv constraints.new constraints.txt

.PHONY: clean
clean:
	@rm -rf $(VENV) core/target build dist ./*.egg-info \
		.mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find ledger client node cluster loadtests proto tests core -name __pycache__ \
		-type d -prune -exec rm -rf {} +
