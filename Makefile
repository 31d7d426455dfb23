# One command per intention.  Everything a target needs it installs itself, outside the checkout.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# Absolute: tests start programs in folders of their own.
export PYTHONPATH := $(CURDIR)/operator/src:$(CURDIR)/service/src:$(CURDIR)/platform/local/src:$(CURDIR)/platform/keeper/src:$(CURDIR)/platform/pulumi/src:$(CURDIR)/observability/src:$(CURDIR)/tests/support
export PYTHONSAFEPATH := 1
PYTHON ?= python3
LOCAL = $(PYTHON) -m taskservice_local
# Evaluated on first use only: `make cluster` must not wait for a development environment.
VENV = $(eval VENV := $$(shell $(PYTHON) ci/scripts/environment.py))$(or $(VENV),$(error the development environment could not be made))
IN = PATH="$(VENV)/bin:$$PATH"
INFRA = $(eval INFRA := $$(shell $(PYTHON) ci/scripts/environment.py infra))$(or $(INFRA),$(error the environment of the platform's programs could not be made))
PLATFORM = PATH="$(INFRA)/bin:$$PATH" python -m taskservice_infra

.PHONY: help demo ahead test lint format unit simulation charts integration lifecycle e2e platform bench up down preview backup backups restore cluster operator load-image cluster-down cluster-status doctor gen lock clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

# A prerequisite: make expands a whole recipe, and so makes the environment, before it runs the recipe's first line.
# The environment is that of the operator, whose plugin is used: the developers' takes minutes on a new machine.
demo: ahead  ## the main job: a cluster, the sample, releases under load, a report
	@PATH="$$($(PYTHON) ci/scripts/environment.py operator)/bin:$$PATH" python -m taskservice_demo

ahead:
	@$(PYTHON) -m taskservice_demo.ahead

test:  ## lint and every layer of tests; a table at the end
	@$(PYTHON) ci/scripts/layers.py

lint:  ## format, lint, types, import contracts, drift of generated files, links
	@$(PYTHON) ci/scripts/layers.py lint

unit:  ## tests without I/O
	@$(PYTHON) ci/scripts/layers.py unit unit_infra

simulation charts integration lifecycle e2e platform:  ## one layer of tests
	@$(PYTHON) ci/scripts/layers.py $@

.PHONY: clouds
clouds:  ## clusters on EKS, GKE and AKS: types, structure, policy (installs 600 MB once)
	@$(PYTHON) ci/scripts/layers.py clouds

format:  ## rewrite the code to the house format
	@$(IN) ruff format . && $(IN) ruff check --fix-only -q .

gen:  ## write all generated files anew
	@$(IN) python -m taskservice_operator.api.crd --write
	@$(IN) python ci/checks/diagram.py --write
	@$(IN) python ci/checks/openapi_drift.py --write
	@$(IN) python ci/checks/proto_drift.py --write
	@$(IN) python -m taskservice_observability.build --write

lock:  ## resolve requirements/*.in to locked files with hashes
	@$(IN) ci/scripts/lock.sh

bench:  ## benchmarks: ratios against a floor measured in the same run
	@$(IN) python tests/bench/run.py

up:  ## the platform: cluster, data, apps, … (STACK=local, PROJECTS="data apps")
	@$(PLATFORM) up $(PROJECTS) --stack $(or $(STACK),local)

preview:  ## what `make up` would change
	@$(PLATFORM) preview $(PROJECTS) --stack $(or $(STACK),local)

backup:  ## save now: OF=mongodb|vault (STACK=local)
	@$(PLATFORM) backup $(or $(OF),$(error say of what: make backup OF=mongodb)) --stack $(or $(STACK),local)

backups:  ## which backups there are: OF=mongodb|vault
	@$(PLATFORM) backups $(or $(OF),$(error say of what: make backups OF=mongodb)) --stack $(or $(STACK),local)

restore:  ## bring a backup back: OF=mongodb|vault NAME=latest (REPLACE=1: although there is data)
	@$(PLATFORM) restore $(or $(OF),$(error say of what: make restore OF=mongodb NAME=latest)) $(or $(NAME),latest) \
	  $(if $(REPLACE),--replace) --stack $(or $(STACK),local)

down:  ## the opposite of `make up`: nothing is left
	@$(PLATFORM) down $(PROJECTS) --stack $(or $(STACK),local)

cluster:  ## a Kubernetes cluster on this machine (CLUSTER=current|kind|built, GATEWAY=1)
	@$(LOCAL) up

operator: cluster  ## the operator on that cluster; for this shell: eval "$(make -s operator)"
	@$(IN) python -m taskservice_demo.install

load-image:  ## import an archive into that cluster: IMAGE=my-image.tar
	@$(LOCAL) load-image $(or $(IMAGE),$(error say which archive: make load-image IMAGE=my-image.tar))

cluster-down:  ## end the cluster; nothing is left
	@$(LOCAL) down

cluster-status:  ## what runs, what died and why
	@$(LOCAL) status

doctor:  ## what this machine lacks, and the command that adds it
	@$(LOCAL) doctor

clean:  ## remove build outputs of this checkout (caches elsewhere stay)
	@rm -rf build
