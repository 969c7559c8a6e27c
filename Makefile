# Build, test and check the bucardo machine. `make help` lists what to ask for.

VERSION := 0.1.0

SHELL := /bin/bash
# All processors, unless -j says otherwise.
ifeq (,$(filter -j%,$(MAKEFLAGS)))
MAKEFLAGS += -j$(shell nproc)
endif
# Scripts that are run from here call make for themselves.
unexport MAKEFLAGS

CC       ?= gcc
SANITIZE ?=
BUILD    ?= build$(if $(filter clang%,$(CC)),-clang)$(if $(SANITIZE),-sanitize)
PREFIX   ?= /usr/local
IMAGE    ?= bucardo-machine

LIBS     := libuv yaml-0.1 jansson
# Loaded when needed: src/base/libpq/late.c, src/client/http/http_library.c,
# src/client/notify/notify_post.c
LATE     := libpq libssl libcrypto libmicrohttpd zlib libcurl
WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wwrite-strings -Wvla -Wformat=2
# Asked once: CFLAGS is expanded for every file.
PACKAGES := $(shell pkg-config --cflags $(LIBS) $(LATE))
CFLAGS   ?= -O2 -g
override CFLAGS += -std=c11 -D_GNU_SOURCE -DBM_VERSION='"$(VERSION)"' $(WARNINGS) \
	-fstack-protector-strong -fno-omit-frame-pointer -Iinclude -Isrc -I$(BUILD)/embedded \
	$(PACKAGES) \
	$(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all)
# Tests make results of their own: -lpq beside it.
LDLIBS   := $(shell pkg-config --libs $(LIBS))
LDFLAGS  += -Wl,--as-needed $(if $(SANITIZE),-fsanitize=$(SANITIZE))

SOURCES  := $(filter-out src/main.c,$(shell find src -name '*.c' | sort))
# Code in other languages, each file a string literal that a C file includes.
EMBEDDED := $(patsubst src/%,$(BUILD)/embedded/%.inc,$(shell find src -name '*.sql' -o -name '*.pl' | sort))
# The dashboard's files and its charts (Debian's libjs-dygraphs), compressed, in one table of C.
DYGRAPHS ?= $(addprefix /usr/share/javascript/dygraphs/,dygraph.min.js dygraph.min.css)
PAGE     := $(sort $(wildcard src/client/dashboard/page/*))
EMBEDDED += $(BUILD)/embedded/client/dashboard/files.inc
OBJECTS  := $(SOURCES:%.c=$(BUILD)/%.o)
# All of them but main.o, for tests: the linker takes what one needs.
ARCHIVE  := $(BUILD)/machine.a
BINARY   := $(BUILD)/bucardo-machine
UNIT     := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c))
HEADERS  := $(wildcard include/bucardo_machine/*.h) $(shell find src -name '*.h' | sort)
FORMATTED := src/main.c $(SOURCES) $(wildcard tests/*/*.c tests/*/*.h) $(HEADERS)
# Helper programs of the other test folders, one file a program.
HELPERS  := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/integration/*.c tests/bench/*.c))
FUZZERS  := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c))

.PHONY: all
all: $(BINARY) ## the program, in build/ (and compile_commands.json)

$(BINARY): $(BUILD)/src/main.o $(OBJECTS)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Appended, not replaced: files of two folders may have one name.
$(ARCHIVE): $(OBJECTS)
	@rm -f $@
	@$(AR) qcs $@ $^

# What editors and clangd read. A folder is newer when a file came or went.
COMPILED := src/main.c $(SOURCES) $(wildcard tests/*/*.c)
as_json   = "$(subst ",\",$(subst \,\\,$(strip $1)))"
define compile_command
$(if $(filter-out src/main.c,$1),$(comma)){"directory": $(call as_json,$(CURDIR)), "file": "$1",
 "command": $(call as_json,$(CC) $(CFLAGS) $(if $(filter tests/%,$1),-Itests) -c -o $(BUILD)/$(1:.c=.o) $1)}
endef
comma    := ,
compile_commands.json: Makefile $(sort $(dir $(COMPILED)))
	$(file >$@,[)$(foreach file,$(COMPILED),$(file >>$@,$(call compile_command,$(file))))$(file >>$@,])
ifeq ($(BUILD),build)
all: compile_commands.json
endif

# Comments are for readers: a line of SQL that begins with -- does not travel.
$(BUILD)/embedded/%.inc: src/%
	@mkdir -p $(@D)
	@sed -e '/^--/d' -e 's/[\\"]/\\&/g' -e 's/.*/"&\\n"/' $< >$@

$(BUILD)/embedded/client/dashboard/files.inc: scripts/embed-page $(PAGE) $(DYGRAPHS)
	@mkdir -p $(@D)
	@scripts/embed-page $(PAGE) $(DYGRAPHS) >$@.new
	@mv $@.new $@

$(DYGRAPHS):
	@echo "there is no $@: the package libjs-dygraphs has it (scripts/install-packages --build)"; exit 1

$(BUILD)/src/%.o: src/%.c | $(EMBEDDED)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Itests -MMD -MP -c -o $@ $<

$(BUILD)/tests/unit/test_%: $(BUILD)/tests/unit/test_%.o $(ARCHIVE)
	$(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS) -lpq

$(BUILD)/tests/integration/%: $(BUILD)/tests/integration/%.o $(ARCHIVE)
	$(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS) -lpq
$(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o $(ARCHIVE)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(ARCHIVE)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

.SECONDARY:

.PHONY: install
install: $(BINARY) ## put the program into PREFIX/bin, its manual pages, and what bash and zsh need for the Tab key
	install -D -m 0755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/bucardo-machine
	install -d -m 0755 $(addprefix $(DESTDIR)$(PREFIX)/share/,man/man1 man/man5 \
		bash-completion/completions zsh/site-functions)
	$(BINARY) manual >$(DESTDIR)$(PREFIX)/share/man/man1/bucardo-machine.1
	$(BINARY) manual machine.yaml >$(DESTDIR)$(PREFIX)/share/man/man5/bucardo-machine.yaml.5
	$(BINARY) completion bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/bucardo-machine
	$(BINARY) completion zsh >$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_bucardo-machine

# Its version is a tag; `latest` is the newest that was built here. ENGINE=docker where there is no podman.
ENGINE   ?= $(or $(shell command -v podman),docker)
REVISION  = $(shell git describe --always --dirty --abbrev=40 --exclude='*' 2>/dev/null)
.PHONY: image
image: ## the image bucardo-machine:VERSION, with podman or docker
	$(ENGINE) build --network host --build-arg VERSION=$(VERSION) \
		-t $(IMAGE):$(VERSION) -t $(IMAGE):latest \
		$(if $(REVISION),--label org.opencontainers.image.revision=$(REVISION)) \
		--label org.opencontainers.image.created=$$(date -u +%Y-%m-%dT%H:%M:%SZ) .

.PHONY: unit
unit: $(UNIT) ## build and run the unit tests
	@scripts/run-programs $(UNIT)

.PHONY: helpers
helpers: $(HELPERS) ## the programs that the integration tests and benches use

.PHONY: fuzzers
fuzzers: $(FUZZERS) ## what fuzz runs (it knows the flags)

.PHONY: fuzz
fuzz: ## random input for the parsers, 20 s each (SECONDS=N)
	@tests/fuzz/run $(or $(SECONDS),20)

.PHONY: docs
docs: $(BINARY) ## write docs/configuration.md from the table of keys
	@$(BINARY) config reference >docs/configuration.md

.PHONY: check-headers
check-headers: $(EMBEDDED) ## every header compiles by itself
	@for h in $(HEADERS); do \
		echo "#include \"$$h\"" | $(CC) $(CFLAGS) -I. -fsyntax-only -x c - || exit 1; \
	done

.PHONY: check-layers
check-layers: ## folders include only what lies below them; banned calls
	@scripts/check-layers

.PHONY: check-names
check-names: ## comments and documents name files that are there
	@scripts/check-names

.PHONY: check-shape
check-shape: ## lengths of functions and files
	@scripts/check-shape

.PHONY: format
format: ## rewrite the sources in the house format
	@clang-format -i $(FORMATTED)

# Other versions than the house's (14, Debian 12's) format some lines differently.
.PHONY: check-format
check-format: ## fail where the format differs
	@clang-format --version | grep -q 'version 14\.' || \
		{ echo "the format is checked with clang-format 14 only"; exit 0; }; \
	clang-format --dry-run -Werror $(FORMATTED)

# Each file is looked at again when its object is newer, those for clang-tidy in one go. Other
# versions than the house's find other things.
ANALYSED := $(OBJECTS:$(BUILD)/src/%.o=$(BUILD)/analysis/%.c)
$(BUILD)/analysis/%.c: $(BUILD)/src/%.o
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) -O1 -g0 -fanalyzer -S -o /dev/null src/$*.c
	@touch $@

$(BUILD)/analysis/clang-tidy: .clang-tidy $(OBJECTS)
	@mkdir -p $(@D)
	@clang-tidy --version | grep -q 'version 14\.' || exit 0; \
	clang-tidy --quiet $(patsubst $(BUILD)/%.o,%.c,$(filter %.o,$(if $(filter .clang-tidy,$?),$^,$?))) \
		-- $(CFLAGS) 2>&1 | grep -v ' warnings\? generated' ; \
	exit $${PIPESTATUS[0]}
	@touch $@

$(BUILD)/analysis/cppcheck: $(OBJECTS)
	@mkdir -p $(@D)
	@cppcheck --quiet --std=c11 --enable=warning,performance,portability --error-exitcode=1 \
		--suppress=missingIncludeSystem --inline-suppr -Iinclude -Isrc -I$(BUILD)/embedded src
	@touch $@

.PHONY: analyse
analyse: $(BUILD)/analysis/clang-tidy $(BUILD)/analysis/cppcheck $(ANALYSED) ## gcc -fanalyzer, clang-tidy, cppcheck: what has changed

.PHONY: lint
lint: check-headers check-layers check-names check-shape check-format analyse ## all static checks

.PHONY: check
check: all unit lint ## what to run before each commit; scripts/check runs everything

.PHONY: bench
bench: all helpers ## measure, also against the peers, and print medians (about 30 minutes)
	@scripts/install-packages --test --bench
	@tests/bench/run
	@tests/bench/many
	@tests/bench/clone
	@tests/bench/left
	@tests/bench/replicate
	@tests/bench/http
	@tests/bench/verify
	@tests/bench/apply --tables 1000

.PHONY: clean
clean: ## remove what was built
	rm -rf build build-* compile_commands.json

.PHONY: dev
dev: ## a machine and two throw-away servers to play with, until Ctrl-C
	@scripts/demo --dev

.PHONY: help
help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 28
	@sed -nE 's/^## ([^ ]*) +/  make ... \1\t/p' Makefile | expand -t 28
	@sed -snE '2s/^# ([a-z-]+) - /  scripts\/\1\t/p' scripts/* | expand -t 28

## CC=clang         another compiler, and a build folder of its own
## SANITIZE=LIST    sanitizers (address,undefined), and a build folder of its own
## VERSION=1.2.3    what the program and the image say they are
## PREFIX=/usr      where install puts it, below DESTDIR
## ENGINE=docker    what builds the image that is named IMAGE

-include $(OBJECTS:.o=.d) $(BUILD)/src/main.d $(wildcard $(BUILD)/tests/*/*.d)
