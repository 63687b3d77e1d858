# Sluice: every target for people and for CI. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

RELEASE := .build/release/sluice
# A crash under a pipe would otherwise wait for an interactive backtrace.
export SWIFT_BACKTRACE := enable=no

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-34s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@printf '\n  Variables: NAME=GLOB (scenario), SCENARIO=name (bench, profile), TARGET=parser SECONDS=n (fuzz), ARGS="--port 8080" (run)\n'

.PHONY: run
run: deps-build build ## install what is missing, build, run the demo
	@echo "run: $(RELEASE) demo $(ARGS)"
	@exec $(RELEASE) demo $(ARGS)

.PHONY: build
build: ## build the release binary
	@echo "build: $(RELEASE) (a first build takes minutes, later ones seconds)"
	@start=$$(date +%s); \
	swift build --configuration release --static-swift-stdlib --product sluice; \
	echo "build: done in $$(( $$(date +%s) - start )) s"

.PHONY: test
test: deps-test check unit scenarios guard ## install what tests need, then check, unit, scenarios, guard

.PHONY: check
check: format-check floors docs-check ## format, floors, docs: the cheap checks

.PHONY: unit
unit: deps-build ## unit tests
	@echo "unit: swift test"
	@swift test

.PHONY: scenarios
scenarios: deps-test build ## every scenario: the release binary against real peers
	@Tests/Scenarios/run '*'

.PHONY: scenario
scenario: build ## the scenarios that match NAME=GLOB
	@Tests/Scenarios/run '$(or $(NAME),$(error say which: make scenario NAME=proxy-http))'

.PHONY: fuzz
fuzz: deps-build ## fuzz TARGET=name (or each of them) for SECONDS=n each, 60 by default
	@for target in $(or $(TARGET),$(filter-out Support,$(notdir $(basename $(wildcard Fuzz/*.swift))))); do \
	  scripts/fuzz "$$target" '$(or $(SECONDS),60)'; \
	done

.PHONY: bench
bench: deps-build build bench-tools ## measure beside the peers: SCENARIO=a,b PEERS=haproxy,nginx RUNS=5 DURATION=5
	@Benchmarks/run --scenario '$(SCENARIO)' --peers '$(PEERS)'

.PHONY: bench-tools
bench-tools:
	@for tool in responder loadgen; do swift build --configuration release --static-swift-stdlib --product $$tool; done

.PHONY: guard
guard: deps-test build bench-tools ## instructions and system calls per request, against their bounds
	@Benchmarks/guard

.PHONY: profile
profile: build bench-tools ## where the time goes in SCENARIO=name
	@Benchmarks/profile '$(or $(SCENARIO),$(error say which: make profile SCENARIO=h1-keepalive))'

.PHONY: package
package: deps-package build ## a Debian package in .build/package
	@scripts/package

.PHONY: format
format: ## rewrite the Swift sources in the committed style
	@scripts/format-check --fix

.PHONY: format-check
format-check:
	@scripts/format-check

.PHONY: floors
floors:
	@scripts/check-floors --self-test
	@scripts/check-floors

.PHONY: docs-check
docs-check:
	@scripts/check-docs

.PHONY: deps-build
deps-build:
	@scripts/install-deps build

.PHONY: deps-package
deps-package:
	@scripts/install-deps package

.PHONY: deps-test
deps-test:
	@scripts/install-deps test
