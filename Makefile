# Everything that is done with this project. `make` alone lists it.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Servers that the tests start live in sbin, which is not on everybody's path.
export PATH := $(PATH):/usr/sbin:/sbin

GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
# Go stamps the commit into the program. Where git refuses to answer, as in a checkout of another user, it does without.
BUILDVCS := $(shell git rev-parse HEAD >/dev/null 2>&1 && echo auto || echo false)
GOBUILD   = CGO_ENABLED=0 $(GO) build -buildvcs=$(BUILDVCS) -trimpath -ldflags '-s -w -X main.version=$(VERSION)'

# Packages with goroutines of their own: the race detector is worth its price there.
RACE      ?= ./configs ./inspect ./inspect/starttls ./inspect/probe ./inspect/replay ./certs/... ./proxy/...
# What these packages test that the detector disturbs: memory, and crowds.
UNRACED   ?= TestBulkDoesNotAllocatePerRecord|TestStalledClientsAreInNobodysWay
PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
FUZZTIME  ?= 30s
# `check` has vetted what the tests are made of: -vet=off saves doing so for each way of building them.
# Packages under test at a time: most of them wait for servers more than they compute.
PACKAGES  ?= $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))
BENCH     ?= .
TOOLS     := $(CURDIR)/.tools
GOLANGCI_LINT_VERSION := v2.15.0
PEBBLE_VERSION := v2.10.1
H2SPEC_VERSION := v2.2.1+incompatible
GRPCURL_VERSION := v1.9.3

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build ./tlstriage, static
	$(GOBUILD) -o tlstriage ./cmd/tlstriage

.PHONY: demo
demo: build ## show the main job: real clients, real backends, each with another fault
	@./tlstriage demo

.PHONY: test
test: programs $(TOOLS)/pebble $(TOOLS)/h2spec $(TOOLS)/grpcurl check race ## run every test; installs the programs that they need on Debian as root
	$(GO) test -vet=off -p $(PACKAGES) $$($(GO) list ./... | grep -vxF "$$($(GO) list $(RACE))")
	$(GO) test -vet=off -run '$(UNRACED)' ./proxy

.PHONY: programs
programs: ## install the programs that the tests talk to, or say which are missing
	@.ci/programs

.PHONY: check
check: ## look at the source: format and vet
	@unformatted=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go' 2>/dev/null || find . -name '*.go')); \
	  if [ -n "$$unformatted" ]; then echo "not formatted (gofmt -w): $$unformatted"; exit 1; fi
	$(GO) vet ./...

.PHONY: race
race: ## run the tests of the packages with goroutines under the race detector
	CGO_ENABLED=1 $(GO) test -vet=off -race $(RACE)

.PHONY: lint
lint: $(TOOLS)/golangci-lint-$(GOLANGCI_LINT_VERSION) ## run golangci-lint; builds it into .tools the first time
	$< run

$(TOOLS)/golangci-lint-$(GOLANGCI_LINT_VERSION):
	GOBIN=$(TOOLS) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	mv $(TOOLS)/golangci-lint $@

# The ACME authority that the tests order certificates from.
$(TOOLS)/pebble:
	GOBIN=$(TOOLS) $(GO) install github.com/letsencrypt/pebble/v2/cmd/pebble@$(PEBBLE_VERSION)

# What asks the proxy in HTTP/2 and gRPC: h2spec looks for rules that are broken, grpcurl is grpc-go.
$(TOOLS)/h2spec:
	GOBIN=$(TOOLS) $(GO) install github.com/summerwind/h2spec/cmd/h2spec@$(H2SPEC_VERSION)

$(TOOLS)/grpcurl:
	GOBIN=$(TOOLS) $(GO) install github.com/fullstorydev/grpcurl/cmd/grpcurl@$(GRPCURL_VERSION)

.PHONY: bench
bench: ## run the benchmarks, each beside its peer (BENCH=pattern)
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (30s)
	@set -euo pipefail; \
	for dir in $$(grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -r -n1 dirname | sort -u); do \
	  for target in $$(grep -ohE '^func Fuzz[A-Za-z0-9_]*' $$dir/*_test.go | awk '{ print $$2 }' | sort -u); do \
	    echo "== $$dir $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x $$dir; \
	  done; \
	done

.PHONY: cross
cross: ## compile everything for every platform
	@set -euo pipefail; for platform in $(PLATFORMS); do \
	  echo "build for $$platform"; \
	  CGO_ENABLED=0 GOOS=$${platform%/*} GOARCH=$${platform#*/} $(GO) build -buildvcs=false -o /dev/null ./...; \
	done

.PHONY: dist
dist: ## build archives for every platform into dist/
	@set -euo pipefail; rm -rf dist; mkdir -p dist; for platform in $(PLATFORMS); do \
	  os=$${platform%/*}; arch=$${platform#*/}; name=tlstriage_$(VERSION)_$${os}_$${arch}; \
	  suffix=; [ $$os = windows ] && suffix=.exe; \
	  mkdir -p dist/$$name; cp LICENSE README.md CHANGELOG.md dist/$$name/; \
	  GOOS=$$os GOARCH=$$arch $(GOBUILD) -o dist/$$name/tlstriage$$suffix ./cmd/tlstriage; \
	  tar -C dist -czf dist/$$name.tar.gz $$name; rm -r dist/$$name; echo dist/$$name.tar.gz; \
	done; cd dist && sha256sum *.tar.gz > SHA256SUMS

.PHONY: generate
generate: ## make generated files anew: registries, policies, documentation
	$(GO) generate ./...

.PHONY: clean
clean: ## remove what the other targets made
	rm -rf tlstriage tlstriage.exe dist .tools
