# Everything installs itself: on a fresh Debian 12, as root or with sudo for the packages that are missing.
#   make demo      the whole exchange on this machine, from an empty chain to a lease that runs
#   make demo-regions  three datacenters on this machine
#   make test      all tests but the long ones
SHELL := /bin/bash
.DEFAULT_GOAL := help

python := .venv/bin/python
# Brownie keeps networks and keys in its home; this one is the project's own, not the user's. Its port is not the
# usual 8545, where it would join a chain that somebody else runs, nor one that tests give to gateways (20000 to 28999).
brownie_port = $${BROWNIE_ANVIL_PORT:-$$((29000 + $$$$ % 990))}
brownie_environment = HOME=$(CURDIR)/.brownie-home PATH=$(CURDIR)/.venv-brownie/bin:$$PATH BROWNIE_ANVIL_PORT=$(brownie_port)

# Dozens of short processes run in a test; each would compile the project anew if it could not keep what it compiled.
export PYTHONDONTWRITEBYTECODE =

existing = $(wildcard $(1))
packages = $(call existing,moorage facilitator_bot provider_agent cli demo)
long ?=
selection = $(if $(long),-m "long or not long",-m "not long")
pytest_flags = -rs $(selection)

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 23

.PHONY: demo
demo: setup ## the whole exchange on this machine; KEEP=1 leaves it running
	KEEP=$(KEEP) $(python) -m demo

.PHONY: demo-regions
demo-regions: setup hosts ## three datacenters on this machine and tunnels between them; takes root
	$(python) -m demo.regions

.PHONY: demo-stop
demo-stop: environments ## end a demo that was left running
	$(python) -m demo stop

.PHONY: test
test: setup ## all tests, stage by stage, but those marked as long
	@$(MAKE) --no-print-directory test-units
	@echo "--- contract tests and system tests run side by side; their lines are mixed"
	@$(MAKE) --no-print-directory --keep-going --jobs=2 test-contracts test-system
	@echo "all stages passed"

.PHONY: test-long
test-long: ## all tests, with the long ones and more examples
	HYPOTHESIS_PROFILE=long $(MAKE) --no-print-directory test long=1
	@$(MAKE) --no-print-directory test-optimizers

# The stages of `make test`, each also alone. A folder that is not there is passed over, an empty one is a failure.
.PHONY: test-units
test-units: folders = $(call existing,tests/stateful tests/matrices tests/tokens tests/adversaries tests/unit tests/property)
test-units: environments ## tests without a chain, the contracts in an EVM of their own
	@echo "--- contracts in an EVM of their own, unit and property tests: $(or $(folders),none)"
	$(if $(folders),$(python) -m pytest -n 2 --dist worksteal $(pytest_flags) $(folders))

# What runs in an EVM of its own process can run on contracts that were compiled otherwise.
.PHONY: test-optimizers
test-optimizers: folders = $(call existing,tests/stateful tests/matrices tests/tokens tests/adversaries)
test-optimizers: environments ## contract tests without a node, at each level of the optimiser
	@for level in none gas codesize; do \
		echo "--- contracts compiled with --optimize $$level: $(folders)"; \
		VYPER_OPTIMIZE=$$level $(python) -m pytest -n 2 --dist worksteal $(pytest_flags) $(folders) || exit; \
	done

# The longest test comes first, so that others run beside it.
.PHONY: test-system
test-system: folders = $(call existing,tests/e2e tests/integration tests/chaos)
test-system: environments engine ## tests on a chain and a Docker engine, with the demo and spoilt nodes
	@[ "$$(id -u)" != 0 ] || setup/hosts.sh
	@echo "--- tests on a chain and a Docker engine: $(or $(folders),none)"
	$(if $(folders),$(python) -m pytest -n 4 --dist worksteal $(pytest_flags) $(folders))

# The ini options of pyproject.toml are those of the other environment.
.PHONY: test-contracts
test-contracts: folders = $(call existing,tests/contracts)
test-contracts: environments ## contract tests with Brownie, on an anvil of their own
	@echo "--- contract tests with Brownie: $(or $(folders),none)"
	$(if $(folders),$(brownie_environment) .venv-brownie/bin/python -m pytest -c /dev/null --rootdir . --confcutdir $(folders) \
		-p no:cacheprovider -W ignore -n 2 --timeout 300 $(pytest_flags) $(folders))

.PHONY: lint
lint: environments ## style, types, layering, and what contracts must not contain
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	$(python) -m mypy $(packages)
	.venv/bin/lint-imports
	$(python) -m tests.contract_lint

.PHONY: threats
threats: environments ## rows of docs/threats.md with their tests; fails when one is without the other
	@$(python) -m tests.threats

.PHONY: docs
docs: setup ## run what docs/tour.md shows in the demo, and write what is printed into it
	THEN="$(python) -m tests.tour --write" $(python) -m demo

.PHONY: compile
compile: environments ## contracts with Brownie, and the ABIs that the daemons read
	$(brownie_environment) .venv-brownie/bin/brownie compile
	$(if $(call existing,scripts/export_abi.py),$(brownie_environment) .venv-brownie/bin/brownie run export_abi)

.PHONY: gas
gas: environments ## what each transaction costs; check=1 fails when reports/gas.json says otherwise
	$(python) -m tests.benchmarks.gas $(if $(check),--check)

.PHONY: bench-tunnels
bench-tunnels: environments engine hosts ## what a tunnel between two machines carries, and what a hundred cost; takes the rights of root
	$(python) -m tests.benchmarks.tunnels

.PHONY: bench-manifests
bench-manifests: environments ## how long a manifest of 1 MB takes to 20 agents with narrow lines, beside one
	$(python) -m tests.benchmarks.manifests

.PHONY: bench
bench: environments engine ## how fast the daemons are beside web3.py and the engine, and what size costs; only=PART for a part
	$(python) -m tests.benchmarks.speed $(if $(only),--only $(only))

# It takes long, and goes on where it was interrupted.
.PHONY: mutants
mutants: environments ## break the exchange in many places and count where no test notices: reports/mutation.json
	$(python) -m tests.mutation

.PHONY: setup
setup: environments engine ## install and start all that demo and test need

.PHONY: environments
environments: ## Python environments and anvil, from the locks
	@setup/environments.sh

.PHONY: engine
engine: ## a Docker engine: the one that is there, or one of our own
	@setup/engine.sh start

.PHONY: hosts
hosts: ## what hosts on this machine take: programs for networks and namespaces
	@setup/hosts.sh

.PHONY: engine-stop
engine-stop: ## stop the engine that setup has started by hand
	@setup/engine.sh stop

.PHONY: locks
locks: environments ## pin anew what requirements/*.in ask for, at the newest versions
	@cd requirements && compile="../.venv/bin/uv --config-file uv.toml pip compile --quiet --upgrade --universal \
		--python-version 3.11 --generate-hashes --no-header --no-emit-index-url" && \
	$$compile production.in -o production.lock && \
	$$compile development.in -o development.lock && \
	$$compile --emit-build-options brownie.in -o brownie.lock && \
	$$compile build.in -o build.lock
	@cd tools && npm install --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved=true

.PHONY: clean
clean: ## remove all that was installed or built here
	rm -rf .venv .venv-brownie .brownie-home .setup tools/node_modules build *.egg-info \
		.pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
