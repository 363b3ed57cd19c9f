# The verbs. `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test hil check packages-demo packages-test packages-hil

export DEVICES ?= 3
export DEMO_DIR ?= target/demo
export DEMO_SECONDS ?= 0
# Arguments for pytest.
HIL ?=
export VIRTUAL_DEVICE ?= auto

CARGO ?= cargo
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
PROGRAMS := microkernel-server microkernel-sensor microkernel-uplink microkernel-demo
# Queries are checked against the committed descriptions in server/.sqlx, so that building needs no database.
export SQLX_OFFLINE ?= true

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: packages-demo ## A server and devices on this machine (DEVICES=50, VIRTUAL_DEVICE=off, DEMO_SECONDS=60); Ctrl-C ends it
	@echo "Building (a few minutes, the first time) …"
	@$(CARGO) build --release $(addprefix --bin ,$(PROGRAMS))
	@exec $(TARGET_DIR)/release/microkernel-demo

test: packages-test ## Every test, with the real database, broker, bus and browser
	$(CARGO) build --workspace --bins
	if $(CARGO) nextest --version >/dev/null 2>&1; then \
	  $(CARGO) nextest run --workspace --no-fail-fast; \
	  $(CARGO) test --workspace --doc; \
	else \
	  $(CARGO) test --workspace --no-fail-fast; \
	fi
	if [ -d tests-web ]; then cd tests-web && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund && npm test; fi

hil: packages-hil ## The virtual device, end to end: boots, updates, rollbacks (an hour; HIL="-m fast": ten minutes)
	$(CARGO) build --bin microkernel-server
	@tests-hil/run $(HIL)

check: ## Format, lints, documentation; licences and sources of dependencies where cargo-deny is installed
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps
	if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny check bans licenses sources; fi

packages-demo:
	@.ci/packages demo

packages-test:
	@.ci/packages test

packages-hil:
	@.ci/packages hil

# The device's part of the root filesystem, and the images it goes into.
include services/dist/install.mk
include images/images.mk
include yocto-layer/yocto.mk
