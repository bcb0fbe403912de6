PYTHON ?= python3
DATA ?=
VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-peers
AUDIT := .venv-audit

.PHONY: help demo test check unit fuzz chaos bench peers time-to-split docs dist release audit mutation site lock clean

help:           ## what make can do
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

# A stamp is touched only after pip succeeded, so an interrupted install is done again.
$(VENV)/core.stamp: requirements/core.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "nextreel needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/core.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

# Most modules of these libraries are never imported here, so each is compiled when it is: this saves a minute.
$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/core.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -r requirements/dev.txt
	@touch $@

# The browser and the database that the server is tested with, and the tracer for failing writes. Elsewhere their tests are skipped, and say why.
$(VENV)/system.stamp: $(VENV)/core.stamp
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  { command -v chromium && command -v strace && ls /usr/lib/postgresql/*/bin/postgres; } >/dev/null 2>&1 || \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium fonts-liberation postgresql strace >/dev/null; }; \
	else echo "To test the page, PostgreSQL and losses of power too, install Chromium, PostgreSQL and strace."; fi
	@touch $@

demo: $(VENV)/core.stamp   ## from nothing to ten recommendations; DATA=DIR uses your own files
	@$(BIN)/nextreel demo --force $(if $(DATA),--data $(DATA))

test: check unit   ## everything that CI runs

check: $(VENV)/dev.stamp   ## lint, types, import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The tests run side by side on two cores; libraries that take all cores for themselves would only slow each other.
# Bytecode is kept even where the environment says otherwise: the tests start many processes, and each would compile it.
unit: $(VENV)/dev.stamp $(VENV)/system.stamp   ## the tests
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 POLARS_MAX_THREADS=1 $(BIN)/python -m pytest

# Property tests find little in the first seconds: these run for minutes of processor time, with other seeds each round.
MINUTES ?= 10
fuzz: $(VENV)/dev.stamp $(VENV)/system.stamp   ## many more inputs for the property tests: make fuzz MINUTES=10 (of CPU time, a target)
	@for target in readers options models store http; do \
		OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 POLARS_MAX_THREADS=1 $(BIN)/python -m benchmarks.fuzz $$target $(MINUTES) || exit 1; \
	done

chaos: $(VENV)/dev.stamp $(VENV)/system.stamp   ## kill commands, fail their writes and cut the power, at every writing call
	$(BIN)/python -m tests.chaos faults
	$(BIN)/python -m tests.chaos power-loss

bench: $(VENV)/dev.stamp   ## rerun a benchmark: make bench NAME=course-funk-svd DATA=DIR
	$(BIN)/python -m benchmarks.run $(NAME) $(DATA)

time-to-split: $(VENV)/dev.stamp $(PEERS)/numpy1.stamp   ## the protocol of "Time to Split", RecTools' SASRec beside ours: make time-to-split DATA=DIR
	@for config in benchmarks/configs/time-to-split-*.json; do \
		$(BIN)/python -m benchmarks.run $$(basename $$config .json) $(DATA) || exit 1; \
	done

docs: $(VENV)/dev.stamp   ## write the tables and the chart of README.md and docs from the result files
	$(BIN)/python -m benchmarks.render

# The files have the time of the last commit, so that the same commit gives the same bytes.
dist: $(VENV)/dev.stamp   ## build the wheel and the sdist into dist
	rm -rf dist
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m build --no-isolation --outdir dist .

release: dist   ## build them twice, look inside, and use the wheel in fresh environments: oldest and newest libraries, every Python
	$(BIN)/python -m tests.release.check dist

$(AUDIT)/installed.stamp: requirements/audit.txt
	@test -x $(AUDIT)/bin/python || $(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

audit: $(VENV)/dev.stamp $(AUDIT)/installed.stamp   ## look for unsafe code, licences that don't fit, and known vulnerabilities
	$(AUDIT)/bin/bandit --quiet --configfile pyproject.toml --recursive src hatch_build.py
	$(BIN)/python -m tests.release.licences
	$(BIN)/python -m tests.release.vulnerabilities $(AUDIT)/bin/pip-audit

mutation: $(VENV)/dev.stamp   ## change important modules in small ways and count what their tests notice
	$(BIN)/python -m benchmarks.run mutation .

site: $(VENV)/dev.stamp   ## build the documentation into site
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

# The lock names torch without its build ("+cpu"), so that pip takes the build that fits the machine.
COMPILE = $(BIN)/pip-compile --quiet --strip-extras --no-header --no-annotate --no-emit-index-url --no-emit-find-links --no-emit-trusted-host
lock:           ## resolve the pinned versions again
	$(BIN)/python -m pip install --quiet pip-tools
	$(COMPILE) -o requirements/core.txt pyproject.toml
	$(COMPILE) --extra mlflow --extra neural --extra plots --extra scale --extra serve --extra tune --extra docs --extra dev -c requirements/core.txt -c requirements/torch.txt -o requirements/dev.txt pyproject.toml
	for peers in numpy1 numpy2; do $(COMPILE) --allow-unsafe -o requirements/peers-$$peers.txt requirements/peers-$$peers.in; done
	sed -i -e 's/^\(torch==[0-9.]*\)+cpu$$/\1/' -e '/^#/d' requirements/core.txt requirements/dev.txt requirements/peers-*.txt

# RecTools and skrecsys need different versions of numpy, so there are two environments.
$(PEERS)/%.stamp: requirements/peers-%.txt
	@test -x $(PEERS)/$*/bin/python || $(PYTHON) -m venv $(PEERS)/$*
	$(PEERS)/$*/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

peers: $(VENV)/dev.stamp $(PEERS)/numpy1.stamp $(PEERS)/numpy2.stamp   ## other libraries on the same split: make peers DATA=DIR
	@for config in benchmarks/configs/peer-*.json; do \
		$(BIN)/python -m benchmarks.run $$(basename $$config .json) $(DATA) || exit 1; \
	done

clean:          ## remove what make made
	rm -rf $(VENV) $(PEERS) $(AUDIT) dist build site
