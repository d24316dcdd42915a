# The handbook's everyday commands. `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help packs records site publish test fuzz truth lint lab clean setup spark reference-packs bench bench-england bench-site bench-stats
.PHONY: bench-records

VENV  := .venv
BIN   := $(VENV)/bin
READY := $(VENV)/.ready
CORES ?= 2

# Any Python from 3.11 on that can make a virtual environment; 3.11 first, because it is the one tested most.
# Another: make PYTHON=/path/to/python packs
USABLE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
FIND_PYTHON = for python in python3.11 python3.12 python3.13 python3; do \
	if $$python -c '$(USABLE)' >/dev/null 2>&1; then echo $$python; break; fi; done

help: ## list these commands
	@echo "make packs    set up, make hospital records ready, build all packs, the site and what it offers"
	@echo "make records  what chapters read of hospital records: of a synthetic London, or of those imported"
	@echo "make site     build the site again from the packs that are there"
	@echo "make publish  the site, workbooks, PDFs, tables and archives from the packs that are there"
	@echo "make test     every check and test: lint, unit, integration, statistics, notebooks, browser"
	@echo "make fuzz     search for cases that fail, without a seed: for ten minutes, or make fuzz SECONDS=60"
	@echo "make truth    hold what the analyses of a synthetic sector find against what is true of it"
	@echo "make lint     style, types and the directions of imports"
	@echo "make reference-packs    execute again the packs that make test compares, after a change that is meant"
	@echo "make bench              time the batch against stock Papermill and its own cells: some ten minutes"
	@echo "make bench-england      time an edition over all of England"
	@echo "make bench-site         time the site against stock Jupyter Book, and weigh its pages: some ten minutes"
	@echo "make bench-stats        time the statistical methods against loops over areas"
	@echo "make bench-records      time records made, imported, checked and prepared, and weigh their memory"
	@echo "make lab      JupyterLab, with the kernel and the package ready"
	@echo "make setup    make .venv and install everything into it (the others do this when it is needed)"
	@echo "make spark    install PySpark into it too, for records on more than one machine: half a gigabyte"
	@echo "make clean    delete everything made: build and the caches; .venv and imported records stay"

# Where a notebook failed the site is still built and says so, and the failure is the status in the end. Where
# parameters (status 2) or figures did not pass their checks, no pack was made and there is nothing to build.
packs: records
	@$(BIN)/cbs packs; status=$$?; \
	if [ $$status -gt 1 ]; then exit $$status; fi; \
	if [ $$status -eq 1 ] && ! $(BIN)/cbs check >/dev/null 2>&1; then exit 1; fi; \
	$(BIN)/cbs publish || exit $$?; \
	exit $$status

records: $(READY)
	@$(BIN)/cbs records ready

site: $(READY)
	@$(BIN)/cbs publish --only site

publish: $(READY)
	@$(BIN)/cbs publish

test: lint
	$(BIN)/pytest -q -n $(CORES) --dist loadscope tests/unit
	$(BIN)/pytest -q -n $(CORES) --dist loadscope tests/integration
	$(BIN)/pytest -q -n $(CORES) --dist loadscope tests/statistics
	$(BIN)/pytest -q -n $(CORES) --dist loadfile tests/truth
	$(BIN)/pytest -q -n $(CORES) --dist loadscope --nbval --nbval-current-env tests/notebooks
	$(BIN)/pytest -q -n $(CORES) --dist loadfile tests/browser
	$(BIN)/pytest -q -n $(CORES) --dist loadscope --nbval-lax --nbval-current-env notebooks book/methods

# Each round searches other cases; the first that fails ends it, with what reproduces it.
SECONDS ?= 600
fuzz: $(READY)
	@end=$$(($$(date +%s) + $(SECONDS))); \
	while [ $$(date +%s) -lt $$end ]; do \
		CBS_FUZZ=1 $(BIN)/pytest -q -x -n $(CORES) -m fuzz tests/unit tests/statistics || exit 1; \
	done

# Executed packs of one PCT, one sector and London, which `make test` runs again and compares with what they hold.
REFERENCE := 5LE SEL LON
reference-packs: $(READY)
	home=$$($(BIN)/python conftest.py) && \
		CBS_HOME=$$home CBS_BUILD=build/reference CBS_RECORDS=$$home/build/synthetic-records \
		$(BIN)/cbs packs $(addprefix --area ,$(REFERENCE))
	for area in $(REFERENCE); do mkdir -p tests/notebooks/$$area && \
		cp build/reference/editions/2011-12/$$area/*.ipynb tests/notebooks/$$area/ || exit 1; done

# Of a synthetic sector; CBS_TRUTH=london for all of London.
truth: $(READY)
	CBS_WORLDS=$${CBS_WORLDS:-200} $(BIN)/pytest -q -s tests/truth

bench: $(READY)
	@$(BIN)/python benchmarks/bench_batch.py

bench-england: $(READY)
	@$(BIN)/python benchmarks/bench_batch.py --england

bench-site: $(READY)
	@$(BIN)/python benchmarks/bench_site.py

# How many times London's records: make bench-records SIZES="1 2 4"
SIZES ?= 1
bench-records: $(READY)
	@$(BIN)/python benchmarks/bench_records.py $(SIZES)

# Only its ratios mean anything on another machine; no test depends on a time.
bench-stats: $(READY)
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python benchmarks/bench_stats.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy src

# In a container one is often root, which Jupyter wants said.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)
lab: $(READY)
	$(BIN)/jupyter lab --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/notebooks $(AS_ROOT)

clean:
	if [ -d build ]; then find build -mindepth 1 -maxdepth 1 ! -name records -exec rm -rf {} +; fi
	rm -rf build/records/derived .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

setup: $(READY)

spark: $(VENV)/.spark

$(VENV)/.spark: $(READY) requirements-spark.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r requirements-spark.lock && \
	touch $@ && echo "PySpark is ready; it needs Java 17 or later to run."

# The stamp goes first and comes last: a .venv without it is half made, and is made afresh.
$(READY): requirements.lock pyproject.toml
	@python="$(PYTHON)"; \
	if [ -z "$$python" ]; then python=`$(FIND_PYTHON)`; fi; \
	if [ -z "$$python" ]; then \
		echo "make: no Python 3.11 or later with venv found; install one (on Debian and Ubuntu: python3 and" >&2; \
		echo "      python3-venv), or name one: make PYTHON=/path/to/python packs" >&2; exit 1; fi; \
	if ! $$python -c '$(USABLE)'; then \
		echo "make: $$python is not Python 3.11 or later with venv" >&2; exit 1; fi; \
	if [ -f $@ ]; then \
		echo "Bringing .venv up to date with requirements.lock"; \
	else \
		echo "Setting up .venv with `$$python --version`: a minute or two, nothing to do meanwhile"; \
		rm -rf $(VENV); \
	fi; \
	rm -f $@; \
	if [ ! -d $(VENV) ]; then $$python -m venv $(VENV); fi && \
	$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock && \
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e . && \
	touch $@ && echo "Ready."
