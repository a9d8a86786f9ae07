# `make help` lists the targets. Everything runs on the Node.js that npm installs with the project.
# Recipes that take files as prerequisites run only when one of those has changed.

SHELL := /bin/sh
.DEFAULT_GOAL := help
export npm_config_loglevel ?= error
export PATH := ./node_modules/.bin:$(PATH)

CONTRACT := $(shell find proto -name '*.proto' -o -name 'buf*.yaml')
SOURCES := $(shell find src bots migrations scripts -name '*.ts')
KILLS ?= 50
STOPS ?= 100
SEED ?= 1
JEST := node --experimental-vm-modules --no-warnings node_modules/jest/bin/jest.js

INSTALLED := node_modules/.package-lock.json
GENERATED := node_modules/.cache/parley/generated
BUILT := dist/main.js
PEERS := bench/node_modules/.package-lock.json
BENCH_MODE = $(if $(QUICK),--quick) $(if $(SMOKE),--smoke) $(if $(AB),--ab "$(AB)") $(if $(PROFILE),--profile) $(if $(CALLS),--calls) $(if $(SOAK),--soak) $(if $(COLD),--cold)

$(INSTALLED): package.json package-lock.json .npmrc
	@echo "Installing packages (the first time takes about half a minute) ..."
	@npm ci --no-audit --no-fund
	@touch $@

$(GENERATED): $(CONTRACT) scripts/generate.mjs $(INSTALLED)
	@node scripts/generate.mjs
	@mkdir -p $(@D) && touch $@

$(PEERS): bench/package.json bench/package-lock.json
	@echo "Installing what Parley is measured beside (the first time takes about half a minute) ..."
	@cd bench && npm ci --no-audit --no-fund || echo "They can't be installed; Parley is measured without them."

$(BUILT): $(SOURCES) $(GENERATED) tsconfig.json
	@node scripts/build.ts

##@ Run
.PHONY: run
run: $(BUILT) ## Install, build and start the server on http://127.0.0.1:8080; Ctrl-C stops it
	@exec bin/parley-server

.PHONY: bot
bot: $(BUILT) ## Start the Telegram bot, for the server at API_URL; needs TELEGRAM_BOT_TOKEN
	@exec node dist/telegram.js

.PHONY: build
build: $(BUILT) ## Install and build, without starting

.PHONY: smoke
smoke: $(BUILT) ## Start the built server on a free port and ask it one question
	@node scripts/smoke.mjs

##@ Data
.PHONY: migrate-up migrate-down migrate-status migrate-check backup restore
migrate-up: $(BUILT) ## Bring the store's schema to this Parley's; DRY_RUN=1 only shows what would be done
	@node dist/migrate.js up $(if $(DRY_RUN),--dry-run)

migrate-down: $(BUILT) ## Take back the newest schema change, or all after TO=version
	@node dist/migrate.js down $(if $(TO),--to $(TO)) $(if $(DRY_RUN),--dry-run)

migrate-status: $(BUILT) ## Show the schema changes and which were applied
	@node dist/migrate.js status

migrate-check: $(BUILT) ## Look through the whole embedded database for damage
	@node dist/migrate.js check

backup: $(BUILT) ## Write all conversations to one archive; BACKUP_PATH=file to choose it
	@node dist/backup.js $(if $(BACKUP_PATH),"$(BACKUP_PATH)")

restore: $(BUILT) ## Read the archive BACKUP_PATH=file back; FORCE=1 replaces what is there
	@node dist/restore.js $(if $(FORCE),--force) $(if $(BACKUP_PATH),"$(BACKUP_PATH)")

##@ Test
.PHONY: test test-unit test-integration test-e2e test-coverage kill-test stop-test
test: $(BUILT) ## Install what is needed and run the whole suite
	@$(JEST)

test-unit: $(GENERATED) ## Tests of single parts, in milliseconds
	@$(JEST) tests/unit

test-integration: $(GENERATED) ## Contract suites of the stores, providers and tools over real HTTP
	@$(JEST) tests/contract tests/integration

test-e2e: $(BUILT) ## The built programs from outside, kill -9 included
	@$(JEST) tests/e2e tests/performance

test-coverage: $(BUILT) ## The whole suite with a coverage report; src/core must keep 95 %
	@$(JEST) --coverage

kill-test: $(BUILT) ## Kill the server in the middle of turns; KILLS=50 SEED=1 to choose
	@KILLS=$(KILLS) SEED=$(SEED) $(JEST) tests/performance/kill

stop-test: $(BUILT) ## Stop the server under 200 running turns; STOPS=100 SEED=1 to choose
	@STOPS=$(STOPS) SEED=$(SEED) $(JEST) tests/performance/stop

##@ Measure
.PHONY: bench bench-readme
bench: $(BUILT) $(if $(AB)$(SMOKE)$(PROFILE)$(CALLS)$(SOAK)$(COLD),,$(PEERS)) ## Measure turns beside a bare loop and peers; QUICK=1 in a minute; AB=dist.before: this build over another
	@exec node bench/main.ts $(BENCH_MODE) $(ARGS)

bench-readme: $(INSTALLED) ## Write README's performance section anew, from bench/results/full.json
	@node bench/main.ts --readme

##@ Code
.PHONY: check lint fmt generate clean help
check: $(BUILT) ## Types, lint, format, layers, unused code, generated code
	@npm run --silent check

lint: $(INSTALLED) ## Lint and format check
	@npm run --silent check:lint

fmt: $(INSTALLED) ## Format, and mend what the linter can
	@npm run --silent fmt

generate: $(INSTALLED) ## Generate src/gen from proto/, refusing changes that break clients
	@node scripts/generate.mjs

clean: ## Remove what was installed and built; data/ stays
	@rm -rf node_modules dist coverage bench/node_modules

help: ## Show this
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
