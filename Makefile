# Bailey. `make help` lists the targets.
#
# What a target needs and the machine lacks it gets itself: from the Go module
# proxy at the versions that stand here and in go.mod; models by pip, at the
# digests of packaging/models/requirements.txt; for run and test, when they are
# root, Debian's packages of packaging/debian.

SHELL := /bin/sh
.DEFAULT_GOAL := build
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

GO          ?= go
BUF         := v1.75.0
STATICCHECK := v0.8.2

# Where build puts the programs, and install the installation. A shell may pass
# a tilde on as it is.
BIN     ?= bin
PREFIX  ?= /usr/local
DESTDIR ?=
to      := $(DESTDIR)$(abspath $(patsubst ~/%,$(HOME)/%,$(PREFIX)))

# The release: the version and the commit. Without git, or in a clone of another
# owner, it is the version alone.
COMMIT  := $(shell git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null)
RELEASE := $(shell cat VERSION)$(if $(COMMIT),+$(COMMIT))

export CGO_ENABLED := 0
# The release says which commit it is; Go asking git again fails in a clone of
# another owner.
export GOFLAGS := -buildvcs=false
# So does the digest of each app's archive: the core shows no other.
build = $(GO) build -trimpath -ldflags "-s -w -buildid= -X github.com/bailey-run/bailey/internal/release.version=$(RELEASE) $$($(GO) run ./tools/packapp -flags $(BIN)/apps | tr '\n' ' ')"

programs := bailey bailey-core bailey-worker bailey-engine
tools    := build/tools

include cmd/windows.mk

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | while IFS="$$(printf '\t')" read -r t d; do printf '  make %-12s %s\n' "$$t" "$$d"; done

.PHONY: go
go:
	@command -v $(GO) >/dev/null || { echo "make: Go is missing: install Go 1.26 or later from https://go.dev/dl/" >&2; exit 1; }

.PHONY: build
build: go ## build the programs into bin/
	@mkdir -p $(BIN)
	@$(MAKE) --no-print-directory pages
	$(build) -o $(BIN)/ $(addprefix ./cmd/,$(programs))
	@$(GO) run ./tools/enginelibs -optional build/engine $(BIN)/engine
	@$(MAKE) --no-print-directory windows

# The libraries that bailey-engine loads, each by its digest. build does this too,
# and goes on where they cannot be had. OWN is a directory of a build of one's own.
# GPU=vulkan gets the library for graphics cards too, for the engine that is given one.
OWN ?=
GPU ?=
.PHONY: engine
engine: go ## fetch the libraries for models by digest into build/engine and bin/engine (11 MB)
	@$(GO) run ./tools/enginelibs $(if $(OWN),-from $(OWN)) build/engine $(BIN)/engine
ifneq ($(GPU),)
	@$(GO) run ./tools/enginelibs -gpu $(GPU) build/graphics $(BIN)/graphics
endif

# What the pages are built with: by package-lock.json, with its digests, and
# nothing of it runs while it is installed.
modules := node_modules/.package-lock.json
$(modules): package.json package-lock.json
	@command -v npm >/dev/null || { echo "make: npm is missing: install Node 20.19 or later" >&2; exit 1; }
	npm ci --ignore-scripts --prefer-offline --fetch-retries=1 --fetch-retry-mintimeout=1000
	@touch $@

pages_src := $(shell find apps sdk/ts -type f -not -path '*/node_modules/*' 2>/dev/null)
build/apps/.built: $(modules) $(pages_src)
	npm run build
	@touch $@

$(BIN)/apps/%.tar: build/apps/.built
	@$(GO) run ./tools/packapp build/apps/$* $@ >/dev/null

.PHONY: apps
apps: $(modules) ## check, build and pack Studio and the panels into bin/apps/
	npm run check
	@$(MAKE) --no-print-directory $(BIN)/apps/studio.tar $(BIN)/apps/panels.tar

# What make build calls: without npm, or where its packages cannot be had, there is
# no Studio, and all else works.
.PHONY: pages
pages:
	@mkdir -p build
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(BIN)/apps/studio.tar $(BIN)/apps/panels.tar >build/pages.log 2>&1 || { rm -f $(BIN)/apps/*.tar; echo "make: no Studio: see build/pages.log, or run make apps; all else is built"; }; \
	else echo "make: no Studio: install Node 20.19 or later, then make build again; all else is built"; fi

# The packages come before anything is built, since what is missing then is left
# out. Make reads its variables before it runs a recipe: hence a make of its own.
.PHONY: run
run: go ## build and open Studio; without a display, or as root, do the main job on the terminal
	@$(GO) run ./tools/syspackages -for windows packaging/debian/window.txt || [ $$? -eq 3 ]
	@$(MAKE) --no-print-directory build getmodel
	@$(tools)/getmodel -try -install
	@$(GO) run ./tools/tour

# Models are no part of Bailey. Where they cannot be had, one line says so and all
# else goes on; only who asks for them by name is told by an exit code too.
.PHONY: model
model: getmodel ## fetch two small models by digest into build/models (180 MB)
	@$(tools)/getmodel -install

.PHONY: getmodel
getmodel: go
	@mkdir -p $(tools)
	@$(GO) build -o $(tools)/getmodel ./tools/getmodel

# Tests. What needs root runs when it is root; what does not run says so. Tests
# that want a real model get it where it can be had without installing anything.
.PHONY: test
test: go getmodel ## run all tests but the slow ones (a quarter of an hour)
	@$(GO) run ./tools/syspackages -for "tests of windows" packaging/debian/window.txt packaging/debian/test.txt || [ $$? -eq 3 ]
	@$(MAKE) --no-print-directory build
	@$(tools)/getmodel -try
	@$(GO) run ./tools/enginelibs -optional build/engine
	$(GO) run ./tools/runtests ./...

.PHONY: test-full
test-full: go ## run all tests, the slow ones too, again with the race detector, and those of bench
	$(GO) run ./tools/runtests -full ./...
	CGO_ENABLED=1 $(GO) run ./tools/runtests -race ./internal/...
	cd bench && $(GO) run github.com/bailey-run/bailey/tools/runtests -full ./...
	@$(MAKE) --no-print-directory build vmtest
	@$(tools)/vmtest -bin $(BIN) -release "$(RELEASE)" -kernels 6.1 || [ $$? -eq 5 ]

.PHONY: hostile
hostile: go ## attack real workers of every kind; with DROP=landlock show what that layer is for
ifdef DROP
	$(GO) test ./test/hostile -count=1 -v -run '^TestEveryLayerShows$$' -args -drop $(DROP)
else
	$(GO) run ./tools/runtests -full ./test/hostile/... ./internal/plat/...
endif

# Other kernels, in virtual machines: without qemu, or where no kernel can be had,
# one line says so and it ends with 5.
KERNEL ?=
.PHONY: vm-test
vm-test: build vmtest ## attack real workers on other kernels under qemu; KERNEL=6.1 on one
	@$(tools)/vmtest -bin $(BIN) -release "$(RELEASE)" -kernels "$(KERNEL)"

.PHONY: vmtest
vmtest: go
	@$(GO) run ./tools/syspackages -for "virtual machines" packaging/debian/vm.txt || [ $$? -eq 3 ]
	@mkdir -p $(tools)
	@$(GO) build -o $(tools)/vmtest ./tools/vmtest

# What wants a graphics card. SOFTWARE=1 runs it on Mesa's lavapipe instead, which
# is no card, and says so.
.PHONY: gpu-test
gpu-test: go ## run the tests that want a graphics card; without one they are not run, exit 2
	@$(GO) build -o $(tools)/gputest ./tools/gputest
	@$(tools)/gputest $(if $(SOFTWARE),-software)

# Every fuzz target for FUZZTIME each; with none of them at work the seeds alone
# run, in make test.
FUZZTIME ?= 5m
.PHONY: soak
soak: go ## fuzz every parser and boundary, FUZZTIME (5m) each
	@grep -rE '^func Fuzz[A-Za-z0-9_]+' --include='*_test.go' cmd internal | sed -E 's|^(.*)/[^/]*:func (Fuzz[A-Za-z0-9_]+).*|\1 \2|' | while read -r d f; do echo "soak: $$d $$f"; $(GO) test "./$$d" -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) || exit 1; done

# Studio's story again and again for SOAK: an abort ends it, and a tree that grows.
SOAK ?= 60m
.PHONY: soak-window
soak-window: go ## repeat Studio's story in a real window for SOAK (60m); bench/data has how it grows
	@mkdir -p bench/data && install -m 666 /dev/null bench/data/soak-window-$(DAY).jsonl
	SOAK=$(SOAK) SOAK_DATA=$(CURDIR)/bench/data/soak-window-$(DAY).jsonl $(GO) test ./test/window -run '^TestSoak$$' -count=1 -timeout 0 -v; r=$$?; chmod 644 bench/data/soak-window-$(DAY).jsonl; exit $$r

# bench is a module of its own, so that no peer stands in Bailey's go.mod.
DAY = $(shell date +%F)
.PHONY: bench
bench: build ## measure against the targets and the peers; raw data goes to bench/data
	@mkdir -p bench/data
	cd bench/wire && $(GO) run . -out ../data/wire-$(DAY).json
	cd bench/start && $(GO) run . -o ../data/start-$(DAY).json
	cd bench/revoke && $(GO) run . -o ../data/revoke-$(DAY).json
	cd bench/ask && $(GO) run . -o ../data/ask-$(DAY).json
	$(if $(wildcard build/models/all-minilm-l6-v2-q8_0.gguf),cd bench/ask && $(GO) run . -model ../../build/models/all-minilm-l6-v2-q8_0.gguf -o ../data/ask-meaning-$(DAY).json)
	cd bench/audit && $(GO) run . -dir /var/tmp -out ../data/audit-$(DAY).json
	cd bench/index && $(GO) run . -o ../data/index-$(DAY).json
	cd bench/pdf && $(GO) run . -o ../data/pdf-$(DAY).json
	cd bench/tokens && $(GO) run . -o ../data/tokens-$(DAY).json
	cd bench/window && $(GO) run . -o ../data/window-$(DAY).json
	cd bench/answers && CGO_ENABLED=0 $(GO) run . -bailey ../../bin/bailey $(if $(wildcard build/models/all-minilm-l6-v2-q8_0.gguf),-embed ../../build/models/all-minilm-l6-v2-q8_0.gguf) -o ../data/answers-$(DAY).json
	$(if $(wildcard build/models/smollm2-135m-instruct-q4_1.gguf),cd bench/answers && CGO_ENABLED=0 $(GO) run . -embed ../../build/models/all-minilm-l6-v2-q8_0.gguf -write ../../build/models/smollm2-135m-instruct-q4_1.gguf -o ../data/answers-written-$(DAY).json)

.PHONY: lint
lint: lint-go lint-schema ## check format, vet, staticcheck, schema and generated code

# bench is a module of its own, which no test builds; by hand it is built with cgo on,
# and list sees what is refused then. bench/wails is another module, and stays out: it
# wants headers that nothing else here does.
.PHONY: lint-go
lint-go: $(tools)/staticcheck-$(STATICCHECK)
	@bad=$$(gofmt -l cmd internal tools test bench 2>/dev/null); [ -z "$$bad" ] || { echo "gofmt -w these:" >&2; echo "$$bad" >&2; exit 1; }
	$(GO) vet ./...
	cd bench && $(GO) vet ./... && CGO_ENABLED=1 $(GO) list ./... >/dev/null
	GOOS=darwin $(GO) build ./internal/...
	$(tools)/staticcheck-$(STATICCHECK) ./...

.PHONY: lint-schema
lint-schema: $(tools)/buf-$(BUF) generators
	$(tools)/buf-$(BUF) lint
	@rm -rf build/.generated && mkdir -p build/.generated
	$(tools)/buf-$(BUF) generate -o build/.generated
	@if [ -x node_modules/.bin/protoc-gen-es ]; then $(tools)/buf-$(BUF) generate --template buf.gen.ts.yaml -o build/.generated; else echo "lint: without Node the messages of sdk/ts are not held against the schema"; fi
	@cd build/.generated && find . -name '*.go' -o -name '*.ts' | while read -r f; do cmp -s "$$f" "../../$$f" || { echo "$$f is not what the schema generates; run make generate" >&2; exit 1; }; done
	@find internal/wire -name '*.pb.go' | while read -r f; do [ -f "build/.generated/$$f" ] || { echo "$$f is generated from nothing; delete it" >&2; exit 1; }; done

# The schema of the commit before this one, or of AGAINST, is what an update
# must be able to talk to. A repository without a base has nothing to break.
AGAINST ?= HEAD~1
.PHONY: breaking
breaking: $(tools)/buf-$(BUF) ## check that the schema breaks nothing of AGAINST (HEAD~1)
	@if git cat-file -e '$(AGAINST):schema' 2>/dev/null; then $(tools)/buf-$(BUF) breaking --against '.git#ref=$(AGAINST)'; else echo "breaking: $(AGAINST) has no schema to compare with"; fi

.PHONY: generate
generate: $(tools)/buf-$(BUF) generators $(modules) ## write the generated code and documents anew
	$(tools)/buf-$(BUF) generate
	$(tools)/buf-$(BUF) generate --template buf.gen.ts.yaml
	$(GO) run ./tools/errorsdoc docs/errors.md
	$(GO) run ./cmd/bailey help --format md >docs/cli.md

# The plugins run at the versions of go.mod, so they are built each time, which
# costs nothing when nothing changed.
.PHONY: generators
generators: go
	@mkdir -p $(tools)
	@$(GO) build -o $(tools)/protoc-gen-go google.golang.org/protobuf/cmd/protoc-gen-go
	@$(GO) build -o $(tools)/protoc-gen-bailey ./cmd/protoc-gen-bailey

$(tools)/buf-$(BUF): | go
	@mkdir -p $(tools)
	GOBIN=$(CURDIR)/$(tools) $(GO) install github.com/bufbuild/buf/cmd/buf@$(BUF)
	@mv $(tools)/buf $@

$(tools)/staticcheck-$(STATICCHECK): | go
	@mkdir -p $(tools)
	GOBIN=$(CURDIR)/$(tools) $(GO) install honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK)
	@mv $(tools)/staticcheck $@

# Installing. Directories that had to be made are written down, so that
# uninstall removes those and no others.
helpers     := $(to)/libexec/bailey
completions := $(to)/share/bash-completion/completions/bailey $(to)/share/zsh/site-functions/_bailey $(to)/share/fish/vendor_completions.d/bailey.fish
installed   := $(to)/bin/bailey $(helpers)/bailey-core $(helpers)/bailey-worker $(helpers)/bailey-engine $(completions)
windows_in  := $(helpers)/bailey-window $(helpers)/bailey-prompt
apps_in     := $(helpers)/apps/studio.tar $(helpers)/apps/panels.tar
libraries   := $(helpers)/engine/lib*.so $(helpers)/engine/LICENSE.*
cards       := $(helpers)/graphics/lib*.so $(helpers)/graphics/LICENSE.*
made        := $(helpers)/directories-made
# What a desktop shows Studio by, in its menu and with its windows. Where not
# everyone's PATH leads to bin, the entry names the whole way.
entry       := $(to)/share/applications/bailey-studio.desktop
icon        := $(to)/share/icons/hicolor/scalable/apps/bailey-studio.svg
reached     := $(patsubst $(DESTDIR)%,%,$(to)/bin/)
starts      := $(if $(filter /usr/bin/ /usr/local/bin/,$(reached)),,$(reached))bailey studio

.PHONY: install
install: ## install programs, shell completion and desktop entry under PREFIX (/usr/local)
	@for p in $(programs); do [ -x $(BIN)/$$p ] || exec $(MAKE) build; done
	@list=$$(LC_ALL=C mkdir -pv $(sort $(dir $(installed))) 2>/dev/null) || { echo "make: $(to) cannot be written: become root, or use make install PREFIX=~/.local" >&2; exit 1; }; echo "$$list" | sed -n "s/^mkdir: created directory '\(.*\)'$$/\1/p" >>$(made)
	install -m 755 $(BIN)/bailey $(to)/bin/bailey
	install -m 755 $(BIN)/bailey-core $(BIN)/bailey-worker $(BIN)/bailey-engine $(helpers)/
	@for p in $(notdir $(windows_in)); do [ ! -x $(BIN)/$$p ] || install -m 755 $(BIN)/$$p $(helpers)/; done
	@[ ! -f $(BIN)/apps/studio.tar ] || { LC_ALL=C mkdir -pv $(helpers)/apps | sed -n "s/^mkdir: created directory '\(.*\)'$$/\1/p" >>$(made); install -m 644 $(BIN)/apps/studio.tar $(BIN)/apps/panels.tar $(helpers)/apps/; }
	@[ ! -f $(BIN)/engine/.complete ] || { LC_ALL=C mkdir -pv $(helpers)/engine | sed -n "s/^mkdir: created directory '\(.*\)'$$/\1/p" >>$(made); rm -f $(libraries); install -m 644 $(BIN)/engine/lib*.so $(BIN)/engine/LICENSE.* $(helpers)/engine/; }
	@[ ! -f $(BIN)/graphics/.complete ] || { LC_ALL=C mkdir -pv $(helpers)/graphics | sed -n "s/^mkdir: created directory '\(.*\)'$$/\1/p" >>$(made); rm -f $(cards); install -m 644 $(BIN)/graphics/lib*.so $(BIN)/graphics/LICENSE.* $(helpers)/graphics/; }
	@[ ! -x $(BIN)/bailey-window ] || [ ! -f $(BIN)/apps/studio.tar ] || { LC_ALL=C mkdir -pv $(dir $(entry)) $(dir $(icon)) | sed -n "s/^mkdir: created directory '\(.*\)'$$/\1/p" >>$(made); sed 's|^Exec=.*|Exec=$(starts)|' packaging/desktop/bailey-studio.desktop >$(entry); chmod 644 $(entry); install -m 644 packaging/desktop/bailey-studio.svg $(icon); }
	@$(BIN)/bailey completion bash >$(word 1,$(completions))
	@$(BIN)/bailey completion zsh >$(word 2,$(completions))
	@$(BIN)/bailey completion fish >$(word 3,$(completions))
	@chmod 644 $(completions)
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || [ ! -e $(APPARMOR)/abi/4.0 ] || $(MAKE) --no-print-directory apparmor
	@echo "installed: $(to)/bin/bailey"
	@case ":$$PATH:" in *":$(to)/bin:"*) ;; *) [ -n "$(DESTDIR)" ] || echo "make: $(to)/bin is not in PATH: add it there, or name $(to)/bin/bailey" ;; esac

# What lets Bailey make user namespaces where AppArmor gives them to programs with a
# profile alone. Such systems have AppArmor 4.
APPARMOR ?= /etc/apparmor.d
profile  := $(APPARMOR)/bailey

.PHONY: apparmor
apparmor: ## as root: install the AppArmor profile for what is under PREFIX
	@[ -e $(APPARMOR)/abi/4.0 ] || { echo "make: no AppArmor 4 in $(APPARMOR)" >&2; exit 1; }
	sed 's|/usr/{,local/}libexec/bailey|$(abspath $(helpers))|' packaging/apparmor/bailey >$(profile)
	@chmod 644 $(profile)
	@[ $(APPARMOR) != /etc/apparmor.d ] || apparmor_parser -r $(profile)
	@echo "installed: $(profile), by which $(abspath $(helpers)) may make user namespaces"

.PHONY: uninstall
uninstall: ## remove what install put there; your data stays
	rm -f $(installed) $(windows_in) $(apps_in) $(entry) $(icon) $(libraries) $(cards)
	@[ ! -w $(profile) ] || ! grep -qF '$(abspath $(helpers))/' $(profile) || { [ $(APPARMOR) != /etc/apparmor.d ] || apparmor_parser -R $(profile) || true; rm -f $(profile); echo "removed: $(profile)"; }
	@[ ! -f $(made) ] || { list=$$(sort -r $(made)); rm -f $(made); echo "$$list" | while read -r d; do rmdir "$$d" 2>/dev/null || true; done; }

.PHONY: clean
clean: ## remove what make built; what make run keeps of yours stays in build/studio
	rm -rf bin
	[ ! -d build ] || find build -mindepth 1 -maxdepth 1 ! -name studio -exec rm -rf {} +
