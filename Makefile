# Weir: `make help` lists what there is. CI runs `make ci` and nothing else.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# libpq's variables win over an explicit address in several programs (River's CLI is one), so a
# developer's own must not reach ours.
unexport PGHOST PGHOSTADDR PGPORT PGDATABASE PGUSER PGPASSWORD PGPASSFILE PGSERVICE PGSERVICEFILE \
	PGOPTIONS PGAPPNAME PGSSLMODE PGSSLCERT PGSSLKEY PGSSLROOTCERT PGTZ PGDATESTYLE PGCONNECT_TIMEOUT

BIN := build/bin
# What `weir-admin version` says, and weir_version of a host's row.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
NAMED = -ldflags '-X weir/config/buildinfo.version=$(VERSION)'
PACKAGES ?= ./...
# RACE=1 turns the race detector on; TESTFLAGS are for `go test`. Tests have limits of their own, of
# minutes; Go's, of 10 for a whole package, is over sooner on a busy machine.
GOTEST := go test -timeout 30m $(if $(RACE),-race) $(TESTFLAGS)
# Whole systems that encode video: one at a time, or two would starve each other's time limits.
ALONE := ./internal/mistsim ./test/...
# Bootstraps a Debian, which takes minutes, the network and root: make package-test.
ITSELF := ./test/package
DEVSTACK := $(BIN)/devstack run --

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  SOURCE=FILE|URL KEEP=1 HLS=1 make demo · CASES=FOLDER ONLY=REGEXP make media"
	@echo "  RACE=1 PACKAGES=./jobs/... TESTFLAGS='-run X' make test"

ifeq ($(shell command -v go),)
.PHONY: setup build demo test test-mist lint generate verify vulncheck media bench chaos soak fuzz package package-test ci
ifeq ($(shell command -v docker),)
setup build demo test test-mist lint generate verify vulncheck media bench chaos soak fuzz package package-test ci:
	@echo "make $@ needs Go (https://go.dev/dl/, the version in go.mod), or Docker for demo and test" >&2; exit 1
else
# No Go, but Docker: the same target runs in a container that has Go.
demo test:
	docker compose run --rm --build workshop make $@
setup build test-mist lint generate verify vulncheck media bench chaos soak fuzz ci:
	@echo "make $@ needs Go (https://go.dev/dl/, the version in go.mod); with Docker alone there are: make demo, make test" >&2; exit 1
endif
else

.PHONY: setup
setup: ## find or install PostgreSQL and ffmpeg
	@tools/setup.sh $(if $(RACE),race) $(BROWSER) $(UNITS) $(PROMETHEUS) $(POOLER) $(REDIS)

.PHONY: build
build: $(BIN)/versitygw ## build everything into build/bin
	@go build $(NAMED) -o $(BIN)/weir-daemon ./cmd/daemon
	@go build $(NAMED) -o $(BIN)/weir-admin ./cmd/admin
	@go build -o $(BIN)/ ./cmd/demo ./internal/devstack/cmd/... ./internal/mistsim/cmd/...

.PHONY: demo
demo: setup build ## run the whole system on this machine and one request through it
	@$(BIN)/demo

# The tests of whole systems play what comes out in a browser.
test: BROWSER := $(if $(filter ./... ./test/%,$(PACKAGES)),browser)
# Those of telemetry have a Prometheus scrape it.
test: PROMETHEUS := $(if $(filter ./... ./test/... ./test/telemetry%,$(PACKAGES)),prometheus)
# Those of a large fleet, and its benchmark, go through a PgBouncer.
test bench: POOLER := $(if $(or $(filter bench,$(MAKECMDGOALS)),$(filter ./... ./internal/... ./internal/fleet%,$(PACKAGES))),pooler)
.PHONY: test
test: setup build ## run the tests beside a private Postgres and S3 server
ifeq ($(PACKAGES),./...)
	@$(DEVSTACK) $(GOTEST) $$(go list ./... | grep -vxF "$$(go list $(ALONE))")
	@$(DEVSTACK) $(GOTEST) -p 1 $$(go list $(ALONE) | grep -vxF "$$(go list $(ITSELF))")
else
	@$(DEVSTACK) $(GOTEST) $(PACKAGES)
endif

.PHONY: test-mist
test-mist: setup build ## run the end-to-end tests against the Mist of WEIR_TEST_MIST_API
	@: $${WEIR_TEST_MIST_API:?set it to http://host:4242/api2} \
		$${WEIR_TEST_MIST_BIN_DIR:?set it to the folder of MistProcLivepeer} \
		$${WEIR_TEST_BROADCASTERS:?set it to http://host:8935, several by commas}
	@$(DEVSTACK) $(GOTEST) -count=1 ./test/e2e/...

.PHONY: lint
lint: $(BIN)/golangci-lint ## run the linters
	@test -z "$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go') | tee /dev/stderr)"
	@$(BIN)/golangci-lint run ./...

.PHONY: generate
generate: setup build $(BIN)/sqlc ## write generated code, schema dump and documents
	@go run ./db/migrations/rivergen db/migrations
	@cd sql && ../$(BIN)/sqlc generate
	@UPDATE=1 go test -count=1 -run TestSettingsAreDocumented ./config
	@$(DEVSTACK) go test -count=1 -run 'TestOpenAPI|TestForm' ./api -update
	@go build -o $(BIN)/weir-admin ./cmd/admin # it holds the migrations
	@$(DEVSTACK) tools/schema.sh > build/schema.sql && mv build/schema.sql db/schema.sql

verify: UNITS := units
.PHONY: verify
verify: setup build $(BIN)/sqlc ## check generated code, schema dump, migrations, docs, compose file
	@cd sql && ../$(BIN)/sqlc diff && ../$(BIN)/sqlc vet
	@$(DEVSTACK) tools/schema.sh | diff -u db/schema.sql - || { echo "db/schema.sql is stale: make generate" >&2; exit 1; }
	@cd tools && go vet ./... && go test -count=1 ./...
	@cd tools/vuln && go vet ./... && go test -count=1 ./...

# CASES is a folder of media files, with a cases.tsv or without; ONLY is a regular expression of names.
.PHONY: media
media: setup build ## send the files of CASES=FOLDER (or the suite's own) through the whole system and judge them
	@go build -o $(BIN)/ ./test/media
	@CASES='$(CASES)' ONLY='$(ONLY)' $(BIN)/media

# ONLY=speed,accept measures some groups alone; BENCH are flags: -short, -long, -page docs/performance.md. The
# figures are in build/bench.json too.
# One of the peers that it measures stands on a Redis.
bench: REDIS := redis
.PHONY: bench
bench: setup build $(BIN)/s5cmd ## measure, beside the machine's own figures
	@go build -o $(BIN)/ ./test/bench
	@$(BIN)/bench -only '$(ONLY)' $(BENCH)

# CHAOS are flags of the suite: -short, -only REGEXP, -logs FOLDER.
.PHONY: chaos
chaos: setup build chaos-programs ## let faults strike at a fleet on this machine, one after the other
	@$(BIN)/chaos $(CHAOS)

MINUTES ?= 10
SEED ?= 0
.PHONY: soak
soak: setup build chaos-programs ## let faults strike at random for MINUTES (10); SEED repeats a run
	@$(BIN)/chaos -minutes $(MINUTES) -seed $(SEED) $(CHAOS)

.PHONY: chaos-programs
chaos-programs: ## build the chaos suite and the daemon that it strikes at
	@test/chaos/daemon.sh $(BIN)/weir-daemon-chaos
	@go build -o $(BIN)/ ./test/chaos

# The advisories are those of a version of golang.org/x/vulndb: VULNDB=latest asks for the newest.
VULNDB ?= v0.0.0-20261105234957-e22db6528018
.PHONY: vulncheck
vulncheck: $(BIN)/govulncheck ## look for known faults in what is called of other modules (once a VULNDB it needs the network)
	@osv=$$(go mod download -json golang.org/x/vulndb@$(VULNDB) | sed -n 's/^\t"Dir": "\(.*\)",$$/\1/p') && \
		rm -rf build/vulndb && go -C tools/vuln run . index "$$osv/data/osv" "$(CURDIR)/build/vulndb"
	@$(BIN)/govulncheck -format json -db "file://$(CURDIR)/build/vulndb" ./... | go -C tools/vuln run . judge

FUZZTIME ?= 10s
.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (10s)
	@FUZZTIME=$(FUZZTIME) tools/fuzz.sh

.PHONY: package
package: $(BIN)/nfpm ## make the Debian package and the tarball in build/package
	@deploy/package/build.sh '$(VERSION)'

.PHONY: package-test
package-test: $(BIN)/nfpm ## install, upgrade, remove and purge the package in a Debian of its own (needs root)
	@tools/setup.sh package
	@go test -count=1 -timeout 30m ./test/package

.PHONY: ci
ci: ## all that CI checks: lint, verify, vulncheck, tests with -race, a short chaos run, a short benchmark, the demo
	@tools/ci.sh

# Pinned programs, each built from a module of its own so that the product's go.mod stays clean.
$(BIN)/versitygw $(BIN)/sqlc: tools/go.mod tools/go.sum
	@cd tools && go build -o ../$@ $$(go list -f '{{.ImportPath}}' tool | grep '/$(@F)$$') && touch ../$@
$(BIN)/govulncheck: tools/vuln/go.mod tools/vuln/go.sum
	@cd tools/vuln && go build -o ../../$@ $$(go list -f '{{.ImportPath}}' tool | grep '/$(@F)$$') && touch ../../$@
$(BIN)/nfpm: tools/nfpm/go.mod tools/nfpm/go.sum
	@cd tools/nfpm && go build -o ../../$@ $$(go list -f '{{.ImportPath}}' tool | grep '/$(@F)$$') && touch ../../$@
$(BIN)/s5cmd: tools/s5cmd/go.mod tools/s5cmd/go.sum
	@cd tools/s5cmd && go build -o ../../$@ $$(go list -f '{{.ImportPath}}' tool) && touch ../../$@
$(BIN)/golangci-lint: tools/lint/go.mod tools/lint/go.sum
	@cd tools/lint && go build -o ../../$@ $$(go list -f '{{.ImportPath}}' tool | grep '/$(@F)$$') && touch ../../$@

endif

.PHONY: clean
clean: ## remove what was built
	rm -rf build
