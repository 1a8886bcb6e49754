# Everything that one does with a checkout; `make` alone lists it. A fresh Debian machine needs only
# Node (20 or newer), npm and, for Debian packages, root: each target installs what it misses.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

# npm writes this file last, so it says that node_modules is complete and how old it is. The
# packages bring their own Node 24, and npm's scripts run on it, whatever `node` is in PATH.
PACKAGES := node_modules/.package-lock.json
SOURCES := $(shell find src -name '*.ts' ! -name '*.test.ts')

# A recipe line that installs a Debian package: $(call debian,PACKAGE,what it is needed for)
define debian
@dpkg --status $(1) >/dev/null 2>&1 || { echo "Installing the Debian package $(1): $(2)."; \
  apt-get update -qq && apt-get install -qq --yes --no-install-recommends $(1) >/dev/null; }
endef

.PHONY: help build demo test kernel-packages bench bench-maps clean

help: ## lists the targets
	@echo "Sluice spreads a cluster's outgoing traffic over many egress gateways."
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 20

build: dist/cli/main.js bin/sluice ## compiles to dist/ and leaves bin/sluice

demo: build ## a short tour: plan, explain and diff of an example cluster
	@demo/demo.sh

SHELLS := zsh fish

# The kernel suite needs root; without it, it is skipped and says so.
ifeq ($(shell id -u),0)
test: kernel-packages
endif

kernel-packages:
	$(call debian,libbpf1,the kernel tests write BPF maps through it)

test: build $(SHELLS:%=shell-%) ## every test that this machine can run; ONLY=src/net for these
	@npm run --silent test -- $(ONLY)

# Completions are tested in the shells themselves; without one, its test says that it was skipped.
shell-%:
	@command -v $* >/dev/null || { echo "Installing $*: completions are tested in it." && \
	  apt-get update -qq && apt-get install -qq --yes --no-install-recommends $* >/dev/null; } || \
	  echo "$* could not be installed; its completion test is skipped."

bench: $(PACKAGES) ## measures the engine on generated clusters; ARGS="--json" and others
	@npm run --silent bench:engine -- $(ARGS)

bench-maps: $(PACKAGES) ## measures writing policy maps against the same in C; needs root
	$(call debian,gcc,it compiles the C program that ours is compared with)
	$(call debian,libc6-dev,the C program needs its headers)
	$(call debian,libbpf-dev,the C program and ours write BPF maps through libbpf)
	@npm run --silent bench:maps -- $(ARGS)

clean: ## removes what `make build` made; installed packages stay
	rm -rf dist bin/sluice

$(PACKAGES): package-lock.json
	@echo "Installing npm packages from package-lock.json."
	@npm ci --no-progress --loglevel=error
	@PATH="$(CURDIR)/node_modules/.bin:$$PATH" \
	  node --eval 'process.exit(parseInt(process.versions.node) < 24 ? 1 : 0)' || \
	  { echo "There is no Node 24 package for this platform: install Node 24 or newer."; exit 1; }
	@touch $@

dist/cli/main.js: $(PACKAGES) $(SOURCES) tsconfig.json tsconfig.build.json
	@echo "Compiling src/ to dist/."
	@rm -rf dist
	@npm run --silent build

bin/sluice: scripts/sluice.sh
	@mkdir -p bin
	@install -m 755 $< $@
