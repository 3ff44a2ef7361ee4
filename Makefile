# All commands of the project. The targets install everything that they need into .local and target, which git ignores.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The demo: major versions of the source and the target, a dump of your own.
FROM ?= 15
TO ?= 18
DUMP ?=
# The copy engine: auto, dms or native.
ENGINE ?=
# INPUT: a JSON file merged into the execution's input. RELEASE: use the builds that are deployed. KEEP: leave the servers running.
# PROPAGATION: seconds that a DNS change takes; realistic by default.
INPUT ?=
PROPAGATION ?=
# FAIL_BACK: 1 or return, accept, expire, void.
FAIL_BACK ?=
RELEASE ?=
KEEP ?=
BREAK ?=
# Deploying: the stack's name, one step, the functions' processor architecture, a file with the template's parameters; an
# execution's ARN, a run's id.
STACK ?=
EXECUTION ?=
RUN ?=
STEP ?=
ARCH ?=
PARAMETERS ?=
FAULTS ?=
# The matrix: only cells whose names contain ONLY, only cells without a result of this commit, number of parallel rehearsals.
ONLY ?=
RESUME ?=
JOBS ?= 2
# The comparison: number of runs of each way, and only these ways, separated by commas.
RUNS ?=
WAYS ?=
CARGO_TEST ?= cargo test --workspace
# Tests spend more time waiting for servers than computing.
export RUST_TEST_THREADS ?= $(shell expr 2 \* $$(nproc))

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  make demo FROM=13 TO=18      any two major versions from 13 to 18"
	@echo "  make demo ENGINE=native      native logical replication; or dms; the default, auto, chooses"
	@echo "  make demo DUMP=my.sql        your own plain SQL dump as the source"
	@echo "  make demo FAULTS=lob-errors  failures that the run repairs: out-of-memory, lob-errors[:MB], slot-lost, instance-reboot, table-suspended, task-stopped, security-group, disk-full and others; failures that end it: wal-piles-up, table-fails and others"
	@echo "  make demo INPUT=more.json    merged into the execution's input, e.g. {\"choices\": {\"keylessTables\": \"replica-identity-full\"}}"
	@echo "  make demo RELEASE=1          the builds that make deploy deploys, instead of debug builds"
	@echo "  make demo PROPAGATION=1      a DNS change reaches all name servers after 1 s; the default is 2 to 40 s for each, as on Route 53"
	@echo "  make demo FAIL_BACK=1        then returns everybody to the old server; accept: with a table that only the new server has; expire: nobody fails back for 72 hours of AWS, here 7 minutes; void: the old server cannot follow, and failing back is refused"
	@echo "  make demo KEEP=1             leaves the servers running and prints how to connect"
	@echo "  make build ARCH=arm64        for another processor architecture; needs zig and its Rust standard library"

.PHONY: setup
setup: ## Download PostgreSQL servers and the state machine interpreter, once
	@python3 scripts/setup-postgres.py
	@sh scripts/setup-python.sh

.PHONY: setup-validators
setup-validators:
	@sh scripts/setup-validators.sh
	@sh scripts/setup-python.sh checks

.PHONY: machines
machines: ## Render the state machines to target/statemachine
	@mkdir -p target/statemachine
	@for name in upgrade recover fail-back watch-fail-back; do cargo run --quiet -p contract-tests --bin render-machine -- $$name --placeholders > target/statemachine/$$name.asl.json; done

.PHONY: demo
demo: ## Upgrade a live database on this computer and prove that nothing was lost
	@sh scripts/check-needs.sh
	@$(MAKE) --no-print-directory setup
	@$(if $(RELEASE),bash scripts/release-functions.sh)
	@cargo build --quiet $(if $(RELEASE),--package rehearsal,--workspace) --bins
	@target/debug/rehearsal run --from $(FROM) --to $(TO) $(if $(RELEASE),--functions target/lambda) $(if $(ENGINE),--engine $(ENGINE)) $(if $(DUMP),--dump $(DUMP)) $(if $(INPUT),--input-file $(INPUT)) $(if $(PROPAGATION),--propagation $(PROPAGATION)) $(if $(FAIL_BACK),--fail-back $(FAIL_BACK:1=return)) $(if $(KEEP),--keep) $(if $(BREAK),--break $(BREAK)) $(if $(FAULTS),--faults $(FAULTS))

.PHONY: scenarios
scenarios: setup ## Rehearse every disturbance that a run promises to survive: kills, stops, schema changes
	@cargo build --quiet --workspace --bins
	@TMPDIR=$$(sh scripts/test-folder.sh) target/debug/rehearsal scenarios

.PHONY: matrix
matrix: setup ## Rehearse every disturbance at every state and AWS operation, which takes hours: ONLY=part of a cell's name RESUME=1 JOBS=2
	@cargo build --quiet --workspace --bins --profile longrun
	@TMPDIR=$$(sh scripts/test-folder.sh) target/longrun/rehearsal matrix --jobs $(JOBS) $(if $(ONLY),--only "$(ONLY)") $(if $(RESUME),--resume)

.PHONY: matrix-sample
matrix-sample: setup ## Rehearse a few cells of the matrix, different ones for each commit, in at most six minutes
	@cargo build --quiet --workspace --bins
	@TMPDIR=$$(sh scripts/test-folder.sh) target/debug/rehearsal matrix --jobs $(JOBS) --sample 360

.PHONY: compare
compare: setup ## Measure pgleap beside other ways to upgrade, where an earlier call ended: RUNS=5 WAYS=way,way PROPAGATION=seconds
	@cargo build --quiet --workspace --bins
	@TMPDIR=$$(sh scripts/test-folder.sh) target/debug/rehearsal compare $(if $(RUNS),--runs $(RUNS)) $(if $(WAYS),--ways $(WAYS)) $(if $(PROPAGATION),--propagation $(PROPAGATION))

.PHONY: without
without: setup ## Remove each rule that protects rows from being lost, and check that a test fails: ONLY=part of the rule's sentence
	@sh scripts/share-target.sh target target/without/build
	@TMPDIR=$$(sh scripts/test-folder.sh) cargo run --quiet -p contract-tests --bin without-rules -- $(if $(ONLY),"$(ONLY)")

.PHONY: render
render: ## Write the files that follow from the steps' declarations: template, list of steps, pages, manifests, input schema
	@cargo run --quiet -p contract-tests --bin render

.PHONY: pictures
pictures: setup-validators ## Draw docs/pictures from what the machines and the steps declare
	@cargo run --quiet -p contract-tests --bin pictures | node scripts/draw-pictures.mjs

.PHONY: fidelity
fidelity: ## Count the rows of each fidelity ledger, and those that rest on an assumption
	@awk -F '|' '/^\| / && $$2 !~ /behaviour/ { rows[FILENAME]++; if ($$3 ~ /assumed/) assumed[FILENAME]++ } \
		END { for (f in rows) printf "  %-32s %3d rows, %3d rest on an assumption\n", f, rows[f], assumed[f] }' docs/fidelity/*.md | sort

.PHONY: build
build: ## Build every function for Lambda into a zip in target/lambda, and print the sizes
	@bash scripts/build-functions.sh $(if $(ARCH),--arch $(ARCH))

.PHONY: deploy
deploy: machines ## Deploy the builds to AWS: STACK=name PARAMETERS=file
	@bash scripts/deploy.sh "$(STACK)" $(if $(PARAMETERS),"$(PARAMETERS)")

.PHONY: plan start watch answer
plan: ## Check a source and show the plan of its upgrade, with a deployed stack: STACK=name INPUT=file.json
	@cargo run --quiet -p pgleap-cli -- plan --stack "$(STACK)" --input "$(INPUT)"
start: ## Start an upgrade and follow it: STACK=name INPUT=file.json
	@cargo run --quiet -p pgleap-cli -- start --stack "$(STACK)" --input "$(INPUT)"
watch: ## Follow the newest run of a stack, or an execution: STACK=name or EXECUTION=arn
	@cargo run --quiet -p pgleap-cli -- watch $(if $(EXECUTION),--execution "$(EXECUTION)",--stack "$(STACK)")
answer: ## Show the question that a run waits with, and answer it: STACK=name or EXECUTION=arn
	@cargo run --quiet -p pgleap-cli -- answer $(if $(EXECUTION),--execution "$(EXECUTION)",--stack "$(STACK)")

.PHONY: fail-back close-fail-back
fail-back: ## Return everybody to the old server of a run with failBack: STACK=name RUN=id
	@bash scripts/fail-back.sh "$(STACK)" "$(RUN)"
close-fail-back: ## End the time in which failing back is possible: STACK=name EXECUTION=arn of the upgrade
	@bash scripts/fail-back.sh --close "$(STACK)" "$(EXECUTION)"

.PHONY: deploy-function
deploy-function: ## Build one step and deploy it into a stack, to try it by hand: STACK=name STEP=step
	@bash scripts/deploy-function.sh "$(STACK)" "$(STEP)"

.PHONY: remove
remove: ## Delete a stack: STACK=name
	@bash scripts/remove.sh "$(STACK)"

.PHONY: bench-lambda
bench-lambda: ## Build every function, and compare its cold start and memory with a function that does nothing
	@bash scripts/bench-lambda.sh

.PHONY: release
release: ## Build what is deployed, and fail if a zip has 5 MB or more; then measure cold starts, which only warns
	@bash scripts/build-functions.sh --with-empty
	@bash scripts/bench-lambda.sh || echo "make release: a cold start exceeded its limit; run make bench-lambda on an idle computer to check"

.PHONY: test-deploy
test-deploy: setup machines ## Deploy into a local CloudFormation, check everything, run a plan, delete the stack
	@bash scripts/test-deploy.sh

.PHONY: fmt
fmt: ## Format the Rust code
	@cargo fmt --all

.PHONY: check
check: ## Check format and lints, without tests
	@cargo fmt --all --check
	@cargo clippy --quiet --workspace --all-targets -- -D warnings

.PHONY: validate
validate: machines setup-validators ## Validate what is deployed: state machines, template, scripts
	@node scripts/validate-machines.mjs $(foreach name,upgrade recover fail-back watch-fail-back,target/statemachine/$(name).asl.json)
	@.local/checks/bin/python scripts/validate-template.py
	@for example in statemachine/examples/*.json; do .local/checks/bin/python -W ignore -m jsonschema --instance $$example statemachine/input.schema.json || exit 1; done
	@.local/checks/bin/shellcheck scripts/*.sh .ci/run
	@cargo run --quiet -p contract-tests --bin pictures | node scripts/draw-pictures.mjs --check

.PHONY: test
test: setup ## Run every test; needs no network after setup
	@cargo build --quiet --workspace --bins
	@rm -rf target/policy-record
	@TMPDIR=$$(sh scripts/test-folder.sh) PGLEAP_POLICY_RECORD=$(CURDIR)/target/policy-record $(CARGO_TEST)

.PHONY: test-new-step
test-new-step: setup ## Add a step exactly as docs/adding-a-step.md says, in a copy of the project, and test it
	@cargo run --quiet -p contract-tests --bin follow-page -- docs/adding-a-step.md target/new-step
	@ln -sfn $(CURDIR)/.local target/new-step/.local
	@sh scripts/share-target.sh target target/new-step/target
	@cd target/new-step && export CARGO_TARGET_DIR=$(CURDIR)/target/new-step/target TMPDIR=$$(sh scripts/test-folder.sh) && \
		cargo run --quiet -p contract-tests --bin render && cargo fmt --all --check && \
		cargo clippy --quiet -p count-tables -p pgleap-contract -p contract-tests -- -D warnings && \
		cargo test --quiet -p contract-tests && \
		cargo test --quiet -p step-tests --test steps the_tables_of_the_source_are_counted

.PHONY: test-new-engine
test-new-engine: setup ## Add a copy engine exactly as docs/adding-an-engine.md says, in a copy of the project, and rehearse it
	@cargo run --quiet -p contract-tests --bin follow-page -- docs/adding-an-engine.md target/new-engine
	@ln -sfn $(CURDIR)/.local target/new-engine/.local
	@sh scripts/share-target.sh target target/new-engine/target
	@cd target/new-engine && export CARGO_TARGET_DIR=$(CURDIR)/target/new-engine/target TMPDIR=$$(sh scripts/test-folder.sh) && \
		cargo run --quiet -p contract-tests --bin render && cargo fmt --all --check && \
		cargo clippy --quiet -p ready-table -p table-copy-databases -p pgleap-engines -- -D warnings && \
		cargo test --quiet -p contract-tests && \
		cargo build --quiet --workspace --bins && \
		target/debug/rehearsal run --dump engines/table-copy/rehearsal.sql --input-file engines/table-copy/rehearsal.json --tps 20 --propagation 1

.PHONY: policies
policies: ## After make test: check that every action of every policy was called, and that every call was allowed
	@cargo run --quiet -p contract-tests --bin check-policies -- target/policy-record

.PHONY: ci
ci: check validate test policies test-new-step test-new-engine release ## Run what CI runs: checks, validation, tests, policies, the two pages, release
