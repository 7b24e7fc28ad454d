# Everything a fresh machine needs beside Go is fetched by these targets themselves.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  = -s -w -X bcdev/internal/cli.version=$(VERSION)
PLATFORMS = linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
FUZZTIME ?= 2000x

.PHONY: build test lint cross fuzz bench e2e check

build: ## bin/bcdev for this machine
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/bcdev .

test: ## the tests, with the race detector where there is a C compiler
	go test $(if $(shell command -v gcc),-race) ./...

lint: ## formatting, vet and the linters of .golangci.yml
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	go tool -modfile=tools/go.mod golangci-lint run

cross: ## builds for every platform we promise
	@set -e; for p in $(PLATFORMS); do echo "build $$p"; \
	  CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} go build -trimpath -o /dev/null . ; done

fuzz: ## every fuzz target, FUZZTIME each: a number of runs (2000x) or a time (30s)
	./tools/fuzz $(FUZZTIME)

bench: build ## ratios of one run: the API door against its rivals, and start-up times
	cd tools && go run ./bench -bcdev ../bin/bcdev

e2e: ## the window in a real browser (Debian's chromium)
	./e2e/run

check: test lint cross fuzz
	go run . demo --once --port 0
