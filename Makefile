# The one door: everything a user or a developer does begins here. `make help` lists it.
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup box box-down phase1 audit docs test lint unit contract roles e2e gpu release soak bench

help: ## list what can be made
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|'

setup: .venv/.done .collections/.done ## tools in .venv, collections in .collections

.venv/.done: requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	  && apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y python3 python3-venv >/dev/null; } \
	  || { echo 'Python 3.11 or newer with its venv module is expected, but not there: install python3-venv.' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or newer is expected: set PYTHON=python3.x' >&2; exit 1; }
	@echo 'setup: tools into .venv'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -q -r requirements-dev.txt
	@touch $@

# Collections from the `ansible` wheel, because package mirrors carry it where Galaxy is out of reach; the checkout itself by a link.
.collections/.done: .venv/.done requirements.yml
	@echo 'setup: collections into .collections'
	@rm -rf .collections && mkdir -p .collections/ansible_collections/gpulab .collections/wheel
	@ln -s ../../.. .collections/ansible_collections/gpulab/expansion
	@$(BIN)/python -m pip download -q --no-deps --only-binary=:all: -d .collections/wheel ansible
	@cd .collections && ../$(BIN)/python -c 'import glob, zipfile; z = zipfile.ZipFile(glob.glob("wheel/*.whl")[0]); \
	  z.extractall(".", [n for n in z.namelist() if n.split("/")[1:3] in (["community", "crypto"], ["community", "docker"], ["community", "library_inventory_filtering_v1"])])'
	@rm -rf .collections/wheel
	@touch $@

box: setup ## bring the lab-in-a-box to life
	@$(BIN)/python molecule/box/box.py up

box-down: ## remove exactly what the box made
	@$(PYTHON) molecule/box/box.py down

phase1: box ## run phase 1 on the box; the last line says where the report is
	@$(BIN)/ansible-playbook -i inventories/box phase1.yml

audit: box ## what is true of the box, on one page; changes nothing
	@$(BIN)/ansible-playbook -i inventories/box playbooks/audit.yml --check

docs: phase1 ## bring output and pictures in the pages up to date, from the box
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get -qq update \
	  && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium fonts-wqy-microhei >/dev/null; } || true
	@$(BIN)/python docs/render.py

# Each part and its budget in seconds on two cores that have nothing else to do, the longest first; two at a time, because half of a role's time is waiting
# for timers and for ssh.
BUDGETS := role-elk:420 role-borg:360 role-harbor:360 e2e:420 lint:180 contract:120 unit:60 role-monitoring:120 role-gpu_node:120 role-authority:90
PARTS := $(foreach part,$(BUDGETS),$(firstword $(subst :, ,$(part))))

test: setup ## all checks and tests, as CI runs them, two at a time; all to their end, then a table
	@rm -rf reports/parts reports/contract-* && mkdir -p reports/parts
	@$(MAKE) --no-print-directory -k -j2 $(addprefix part-,$(PARTS)); status=$$?; sort -n reports/parts/* | awk '{print $$3, $$4, $$2, $$5, $$6}' | column -t -N part,verdict,seconds,budget,states; exit $$status

part-%:
	@echo "$* begins: reports/$*.log"; begun=$$(date +%s); \
	$(MAKE) --no-print-directory $* >reports/$*.log 2>&1 </dev/null; status=$$?; seconds=$$(($$(date +%s) - begun)); \
	states=$$(sed -n 's/^tried: //p' reports/contract-$(*:role-%=%).txt 2>/dev/null | tr -d ' '); \
	if [ $$status = 0 ]; then verdict=passed; tail -n 12 reports/$*.log; else verdict=failed; tail -c 9000 reports/$*.log; fi; \
	echo "$$begun $$seconds $* $$verdict $(lastword $(subst :, ,$(filter $*:%,$(BUDGETS)))) $${states:--}" >reports/parts/$*; \
	echo "$* $$verdict in $$seconds s: reports/$*.log"; exit $$status

lint: setup ## style, documentation rendered, ansible-lint production, types, ansible-test sanity
	@$(BIN)/nox -R -s lint extra-checks ansible-lint types docs sanity

unit: setup ## pure functions, and what Borg itself does, without hosts
	@command -v borg >/dev/null || [ "$$(id -u)" != 0 ] || { apt-get -qq update; DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends borgbackup >/dev/null; }
	@$(BIN)/python -m pytest -q tests/unit

contract: setup ## static checks, and the bad modules that the contract must catch
	@$(BIN)/python -m pytest -q tests/contract

roles: $(filter role-%,$(PARTS)) ## each role through its states, then its own tests

# What molecule remembers of a scenario lies in the checkout: its own place is named after the checkout's last folder alone, which others may have, too.
role-%: setup
	@MOLECULE_EPHEMERAL_DIRECTORY=$(CURDIR)/.cache/molecule/$*/state $(BIN)/molecule test -s $* || { tail -c 6000 reports/failed-$*.txt; exit 1; }
	@cat reports/contract-$*.txt

e2e: setup ## the README's commands, and the built and installed collection
	@$(BIN)/python -m pytest -q tests/e2e

gpu: setup ## what is said of GPUs, on a host that has one, its driver and CUDA's compiler; as root
	@$(BIN)/python -m pytest -q -rP tests/gpu

release: setup ## CHANGELOG.md, out of changelogs/fragments, for the version in galaxy.yml
	@$(BIN)/pip install -q antsibull-changelog
	@PATH=$(CURDIR)/$(BIN):$$PATH $(BIN)/antsibull-changelog release --version $$(sed -n 's/^version: //p' galaxy.yml)

soak: export SOAK := 1
soak: test bench ## all of test, every place to be interrupted at, and the benches

bench: box ## ratios, measured side by side
	@$(BIN)/python bench/noop.py
	@$(BIN)/python bench/backup.py
	@$(BIN)/python bench/audit.py
	@$(BIN)/python bench/logs.py
	@$(BIN)/python bench/images.py
