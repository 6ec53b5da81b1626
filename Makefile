# make build   the binary for this machine      make test   all tests
# make fmt     format the code                  make lint   vet and staticcheck

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
GOBUILD := CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.release=$(VERSION)'
MAX_BINARY := 22000000 # bytes

# The race detector needs a C compiler and time; what a user needs to know about
# a change, the plain tests tell.
RACE := $(if $(filter true,$(CI)),-race)
# It bounds a hang. Of what is slow on a busy machine each wait has a bound of its own.
TESTTIME ?= 45m
FUZZTIME ?= 5s
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)

# What tarballs are made for, as Go names it, and what is only held to building.
RELEASED := linux/amd64 linux/arm64 linux/arm
BUILDS := linux/riscv64 darwin/arm64 freebsd/amd64

.PHONY: build build-all installer cross deb dist test deps fmt fmt-check vet staticcheck lint fuzz bench licenses clean

build:
	$(GOBUILD) -o muster ./cmd/muster

# Static binaries for what Debian and Raspbian run on. One ARM build serves every Pi: GOARM=6.
build-all:
	@mkdir -p dist
	GOOS=linux GOARCH=amd64 $(GOBUILD) -o dist/muster-linux-amd64 ./cmd/muster
	GOOS=linux GOARCH=arm64 $(GOBUILD) -o dist/muster-linux-arm64 ./cmd/muster
	GOOS=linux GOARCH=arm GOARM=6 $(GOBUILD) -o dist/muster-linux-armv6 ./cmd/muster
	@cd dist && for f in muster-linux-*; do \
	  size=$$(stat -c %s $$f); printf '%-20s %5.1f MB\n' $$f $$((size / 100000))e-1; \
	  if [ $$size -gt $(MAX_BINARY) ]; then echo "$$f is larger than $(MAX_BINARY) bytes" >&2; exit 1; fi; \
	done

# dist/ as a machine without network wants it: the installer, what belongs to the
# binaries and packages that are there, and the checksums of all of it.
installer:
	@cp install/install.sh install/muster.service install/muster.hcl dist/
	@cd dist && rm -f SHA256SUMS* && sha256sum $$(find . -maxdepth 1 -type f -printf '%P\n' | sort) >SHA256SUMS.new && mv SHA256SUMS.new SHA256SUMS

# What the tree also builds for. What such a system lacks, it says when it is asked for.
cross:
	@for target in $(BUILDS); do \
	  echo "$$target"; \
	  CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/} GOARM=6 go build -o /dev/null ./cmd/muster; \
	done

# Debian packages, the same bytes from the same commit.
deb:
	@rm -f dist/muster_*.deb
	@for arch in amd64 arm64 armhf; do ./install/deb/build '$(VERSION)' $$arch dist; done

# What a release consists of: tarballs, packages, the installer, and the checksums of all of it.
dist:
	rm -rf dist
	@./install/dist '$(VERSION)' dist $(RELEASED) $(BUILDS)
	@$(MAKE) --no-print-directory deb installer

# Installs what the tests run from Debian when it is missing, then runs them all.
# CI counts the steps before the tests in EARLIER_FAILURES.
EARLIER_FAILURES ?= 0
test: deps
	@go test -json $(RACE) -timeout $(TESTTIME) ./... ./.ci/report | go run ./.ci/report -failed $(EARLIER_FAILURES)

deps:
	@./.ci/deps

fmt:
	gofmt -w .

fmt-check:
	@out=$$(gofmt -l .); \
	if [ -n "$$out" ]; then echo "not formatted (run make fmt):"; echo "$$out"; exit 1; fi

vet:
	go vet ./... ./.ci/report

staticcheck:
	go tool staticcheck ./... ./.ci/report

lint: vet staticcheck

fuzz:
	./.ci/fuzz $(FUZZTIME)

bench:
	go test -run '^$$' -bench . -benchmem ./...

# What `muster version --licenses` prints.
licenses:
	touch cmd/muster/licenses.txt # it is embedded in what is listed
	go run ./install/licenses >cmd/muster/licenses.txt.new
	mv cmd/muster/licenses.txt.new cmd/muster/licenses.txt

clean:
	rm -rf dist muster
