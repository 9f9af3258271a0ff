# Tools of make check; the Python ones are pinned in .ci/requirements.txt.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
REDOCLY     := @redocly/cli@2.77.0
TYPESCRIPT  := typescript@7.0.2

# The first word of an event file is its function.
FUNCTION ?= $(firstword $(subst -, ,$(basename $(lastword $(notdir $(EVENT))))))
ENV      ?= default
# The tables of dev have the name that the SAM CLI uses by itself.
ifeq ($(ENV),dev)
override ENV := default
endif
FUZZTIME ?= 30s
# The architecture in template.yaml.
LAMBDA_GOARCH ?= arm64

FUNCTIONS := $(notdir $(wildcard functions/*))
GO_BUILD  := CGO_ENABLED=0 GOOS=linux go build -trimpath -tags lambda.norpc -ldflags='-s -w'
# The race detector needs a C compiler; without one Go turns cgo off.
RACE       = $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)
SAM       := .venv/bin/sam

export SAM_CLI_TELEMETRY := 0

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^##@ / {print "\n" substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-13s  %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ On this machine, with Go alone

# Built first: `go run` reports Ctrl-C as an error. Go decides what is up to date.
.PHONY: bin/local
bin/local: need-go
	@test -e $@ || echo "building; the first time takes a minute or two"
	@go build -o $@ ./internal/cmd/local

.PHONY: run
run: bin/local ## Run the whole system locally (PORT=, LISTEN=)
	@bin/local $(if $(PORT),-port $(PORT)) $(if $(LISTEN),-listen $(LISTEN))

.PHONY: demo
demo: bin/local ## Play a story on the same system, one line per step, with refusals and faults
	@bin/local demo

.PHONY: simulator
simulator: bin/local ## Run the Didit simulator alone, for the tests of other programs (PORT=, LISTEN=, WEBHOOK=)
	@bin/local simulator $(if $(PORT),-port $(PORT)) $(if $(LISTEN),-listen $(LISTEN)) $(if $(WEBHOOK),-webhook $(WEBHOOK))

# Without ENV, the deployment is what make run started.
.PHONY: trigger
trigger: ENV := $(if $(filter environment% command% override,$(origin ENV)),$(ENV),local)
trigger: need-go ## Deliver any status: to make run, or signed to a deployed stack (STATUS=, ORDER=, SESSION=, PORT=, ENV=)
	@$(OPS) trigger

.PHONY: invoke
invoke: need-go need-event ## Run the built function that an event is for (EVENT=events/...)
	go run ./internal/cmd/invoke -function "$(FUNCTION)" -event "$(EVENT)"

.PHONY: test
test: need-go ## Run the tests (with the race detector where there is a C compiler)
	@echo "$(if $(RACE),testing with the race detector,no C compiler found: testing without the race detector)"
	go test $(RACE) -shuffle=on -timeout 30m ./...

# Chromium by the names of Debian, Ubuntu, Fedora and macOS' Homebrew.
BROWSER ?= $(firstword $(foreach name,chromium chromium-browser google-chrome chrome,$(shell command -v $(name))))

.PHONY: page
page: need-go need-browser .cache/browser/ready ## Test the local pages in headless Chromium (SHOTS=folder saves pictures)
	@go build -o bin/local ./internal/cmd/local
	BROWSER="$(BROWSER)" BROWSER_MODULES="$(CURDIR)/.cache/browser" LOCAL="$(CURDIR)/bin/local" node --test .ci/browser/page.test.mjs

.PHONY: fuzz
fuzz: need-go ## Run every fuzz target for FUZZTIME (30s)
	@go vet ./... # otherwise a package that does not compile looks like one without fuzz targets
	@for pkg in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			echo "$$pkg $$target"; \
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
		done; \
	done

.PHONY: bench
bench: need-go ## Measure the built functions beside a bare one (BENCH_FLAGS="-short -svg bench.svg")
	@go run ./internal/cmd/bench $(BENCH_FLAGS)

.PHONY: bench-record
bench-record: need-go ## Measure all, fill the tables of internal/README.md and draw .github/bench.svg
	@mkdir -p .github
	@go run ./internal/cmd/bench -svg .github/bench.svg -readme internal/README.md
	@go run ./internal/cmd/bench -load -readme internal/README.md

.PHONY: check
check: need-cc test ## Check format, vet, lint, modules, vulnerabilities, and run the tests with the race detector
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "gofmt -w these files:" $$unformatted >&2; exit 1; }
	go vet -tags system ./...
	go run $(STATICCHECK) -tags system ./...
	go mod tidy -diff
	go mod verify
	.ci/vulnerabilities $(GOVULNCHECK)

.PHONY: build
build: need-go $(FUNCTIONS:%=bin/%/bootstrap) ## Build every function at bin/<function>/bootstrap (GOARCH=)

# Go decides what is up to date.
.PHONY: $(FUNCTIONS:%=bin/%/bootstrap)
$(FUNCTIONS:%=bin/%/bootstrap): bin/%/bootstrap:
	$(GO_BUILD) -o $@ ./functions/$*

# Called by `sam build`, by the logical ids of template.yaml.
BUILT_BY_SAM = GOARCH=$(LAMBDA_GOARCH) $(GO_BUILD) -o "$(ARTIFACTS_DIR)/bootstrap"

.PHONY: build-CreateSessionFunction build-GetSessionFunction build-WebhookFunction build-TrackStatusFunction build-AwaitDecisionFunction build-ReconcileFunction build-GetDecisionFunction build-EraseUserFunction
build-CreateSessionFunction:
	$(BUILT_BY_SAM) ./functions/createsession
build-GetSessionFunction:
	$(BUILT_BY_SAM) ./functions/getsession
build-WebhookFunction:
	$(BUILT_BY_SAM) ./functions/webhook
build-TrackStatusFunction:
	$(BUILT_BY_SAM) ./functions/trackstatus
build-AwaitDecisionFunction:
	$(BUILT_BY_SAM) ./functions/awaitdecision
build-ReconcileFunction:
	$(BUILT_BY_SAM) ./functions/reconcile
build-GetDecisionFunction:
	$(BUILT_BY_SAM) ./functions/getdecision
build-EraseUserFunction:
	$(BUILT_BY_SAM) ./functions/eraseuser

##@ With Python and Node

.PHONY: openapi
openapi: export REDOCLY_TELEMETRY := off
openapi: export REDOCLY_SUPPRESS_UPDATE_NOTICE := true
openapi: need-node .venv/api bin/local ## Check internal/api/openapi.yaml, and the local system by requests generated from it
	.venv/bin/openapi-spec-validator internal/api/openapi.yaml
	npx --yes $(REDOCLY) lint --config .ci/redocly.yaml internal/api/openapi.yaml
	.ci/schemathesis bin/local

##@ With the SAM CLI

# API Gateway reads OpenAPI documents with swagger-parser, by the form of its messages. An old and a
# new version tell what it would warn of; a JDK and Maven run them, without which the checks of
# transform.py are all there is.
SWAGGER_PARSERS = $(if $(and $(shell command -v javac),$(shell command -v mvn)),$(patsubst %,.cache/swagger-parser/%/ready,2.0.24 2.1.22))

.PHONY: validate
validate: export AWS_DEFAULT_REGION := us-east-1
validate: .venv/ready .cache/checkov/ready $(SWAGGER_PARSERS) ## Check template.yaml: SAM's transform for each kind of caller, then the linters
	.venv/bin/python -B .ci/transform.py template.yaml $(patsubst %/ready,%,$(SWAGGER_PARSERS))
	.venv/bin/python -B .ci/deployer.py template.yaml functions/README.md
	$(SAM) validate --lint
	.venv/bin/cfn-lint
	.cache/checkov/bin/checkov --config-file .ci/checkov.yaml

.PHONY: sam-build
sam-build: need-go .venv/ready ## Build what is deployed, in .aws-sam/build
	$(SAM) build

# Docker runs this machine's architecture, AWS runs arm64. A variable of the shell wins over one of the template. That is
# useful for the endpoint of Secrets Manager, so it is added to the template; it would break the certificates, whose path
# in the container is another, so those are removed from the shell.
.PHONY: sam-invoke
sam-invoke: ARCHITECTURE = $(if $(filter amd64,$(shell go env GOHOSTARCH)),x86_64,arm64)
sam-invoke: LOGICAL_ID = $(shell grep -io '^  $(FUNCTION)Function:' template.yaml | tr -d ' :')
sam-invoke: need-go need-docker need-event .venv/ready ## Run the function that an event is for in Docker (EVENT=, SAM_INVOKE_FLAGS=)
	@test -n "$(LOGICAL_ID)" || { echo "template.yaml has no function \"$(FUNCTION)\"" >&2; exit 1; }
	@mkdir -p .aws-sam
	@awk '{ sub(/\[arm64\]/, "[$(ARCHITECTURE)]") } \
		/ DIDIT_SECRET_ID:/ { print "          AWS_ENDPOINT_URL_SECRETS_MANAGER: \"\"" } { print }' template.yaml >.aws-sam/local.yaml
	LAMBDA_GOARCH=$$(go env GOHOSTARCH) $(SAM) build --config-file "$(CURDIR)/samconfig.toml" \
		--template .aws-sam/local.yaml --base-dir . --build-dir .aws-sam/local
	env -u SSL_CERT_FILE -u SSL_CERT_DIR $(SAM) local invoke --config-file "$(CURDIR)/samconfig.toml" \
		--template .aws-sam/local/template.yaml --event "$(EVENT)" $(SAM_INVOKE_FLAGS) $(LOGICAL_ID)

# A JDK and Maven fetch DynamoDB Local, which checks requests to the table most strictly; without them moto plays the table
# too.
DYNAMODB_LOCAL = $(if $(and $(shell command -v javac),$(shell command -v mvn)),.cache/dynamodb-local/ready)

.PHONY: snippets
snippets: need-go need-node need-java .cache/typescript/ready .cache/kotlin/ready ## Compile the snippets for apps, and run them against the local system
	TYPESCRIPT="$(CURDIR)/.cache/typescript/node_modules/.bin/tsc" KOTLIN="$(CURDIR)/.cache/kotlin" \
		go test -count=1 -timeout 30m -run Snippets ./internal/cmd/local

.PHONY: system
system: need-go need-docker .venv/system $(DYNAMODB_LOCAL) ## Test on third-party components: SAM's containers, moto, DynamoDB Local (SYSTEM_FLAGS=)
	go test -tags system -count=1 -timeout 1h -v ./internal/systemtest $(SYSTEM_FLAGS)
	go test -tags system -count=1 -timeout 1h -run Playbook ./internal/watch

# The operator's tool. A secret in the environment is for the tool alone.
OPS = env -u DIDIT_API_KEY -u DIDIT_WEBHOOK_SECRET -u TOKEN -u USER_ID -u CONFIRM go build -o bin/ops ./internal/cmd/ops && ENV=$(ENV) bin/ops

.PHONY: deploy
deploy: need-go ## Check, ask what is missing, build and deploy to AWS (ENV=dev, staging or prod, see samconfig.toml)
	@$(OPS) deploy

.PHONY: connect
connect: need-go ## Join Didit's webhooks and key to the stack, again after a rotation (ENV=; local: make run)
	@$(OPS) connect

.PHONY: session
session: need-go ## Create a session, show it as a QR code, and follow its status (ENV=, SCENARIO= of a sandbox)
	@$(OPS) session

.PHONY: doctor
doctor: need-go ## Look at everything a deployment needs, and say what repairs it (ENV=, TOKEN=, JSON=1)
	@$(OPS) doctor

.PHONY: replay
replay: need-go ## Have Didit send again what was not accepted (ENV=, SINCE=24h)
	@$(OPS) replay

.PHONY: erase
erase: need-go ## Forget an end user, at Didit and here (ENV=, USER_ID=); says what it will do, and asks for the id once more
	@$(OPS) erase

.PHONY: destroy
destroy: need-go .venv/ready ## Delete the stack (ENV=); says first what stays, and asks
	@$(OPS) destroy

.PHONY: clean
clean: ## Delete everything that make created
	rm -rf bin .aws-sam .venv .cache

.venv/ready: .ci/requirements.txt
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Python 3.11 or newer is missing: https://www.python.org/downloads" >&2; exit 1; }
	python3 -m venv --clear .venv
	.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	@touch $@

.venv/system: .ci/system-requirements.txt .venv/ready
	.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	@touch $@

.venv/api: .ci/api-requirements.txt .venv/ready
	.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	@touch $@

.cache/checkov/ready: .ci/checkov-requirements.txt
	python3 -m venv --clear $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	@touch $@

.cache/dynamodb-local/ready: internal/systemtest/dynamodb-local.xml
	@rm -rf $(@D) && mkdir -p $(@D)
	mvn --quiet --batch-mode --file $< dependency:copy-dependencies -DoutputDirectory="$(CURDIR)/$(@D)"
	@touch $@

.cache/typescript/ready: Makefile
	@rm -rf $(@D) && mkdir -p $(@D)
	npm install --prefix $(@D) --no-audit --no-fund --silent $(TYPESCRIPT)
	@touch $@

.cache/kotlin/ready: .ci/kotlin.xml
	@rm -rf $(@D) && mkdir -p $(@D)
	mvn --quiet --batch-mode --file $< dependency:copy-dependencies -DoutputDirectory="$(CURDIR)/$(@D)"
	@touch $@

.cache/swagger-parser/%/ready: .ci/swagger-parser.xml
	@rm -rf $(@D) && mkdir -p $(@D)
	mvn --quiet --batch-mode --file $< -Dswagger-parser=$* dependency:copy-dependencies -DoutputDirectory="$(CURDIR)/$(@D)"
	@touch $@

.cache/browser/ready: .ci/browser/package.json .ci/browser/package-lock.json
	@rm -rf $(@D) && mkdir -p $(@D) && cp $^ $(@D)
	npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund --silent
	@touch $@

.PHONY: need-browser need-go need-cc need-node need-java need-docker need-event
need-go:
	@command -v go >/dev/null || { echo "Go 1.26 or newer is missing: https://go.dev/dl" >&2; exit 1; }
	@minor=$$(GOTOOLCHAIN=local go version | sed -n 's/^go version go1\.\([0-9]*\).*/\1/p'); minor=$${minor:-99}; \
	if [ $$minor -lt 21 ] || { [ $$minor -lt 26 ] && [ "$$(go env GOTOOLCHAIN)" = local ]; }; then \
		echo "Go 1.$$minor found; 1.26 is needed (1.21 and newer fetch it): https://go.dev/dl" >&2; exit 1; fi
	@cache=$$(go env GOCACHE); mkdir -p "$$cache" 2>/dev/null && test -w "$$cache" || \
		{ echo "Go cannot write to its cache, $$cache: set GOCACHE and GOMODCACHE to folders that can be written" >&2; exit 1; }

need-browser: need-node
	@test -n "$(BROWSER)" || { echo "Chromium is missing; install it, or name one with BROWSER=" >&2; exit 1; }

need-cc: need-go
	@test -n "$(RACE)" || { echo "A C compiler (gcc or clang) is missing; the race detector needs one" >&2; exit 1; }

need-node:
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null && command -v npx >/dev/null || \
		{ echo "Node 20 or newer with npx is missing: https://nodejs.org" >&2; exit 1; }

need-java:
	@command -v java >/dev/null && command -v mvn >/dev/null || { echo "Java and Maven are missing: https://maven.apache.org" >&2; exit 1; }

need-docker:
	@docker info >/dev/null 2>&1 || { echo "Docker is missing or not running: https://docs.docker.com/get-docker" >&2; exit 1; }

need-event:
	@test -f "$(EVENT)" || { echo "EVENT= must be one of (see events/README.md):" >&2; printf "  %s\n" events/*.json >&2; exit 1; }
