# Everything runs in .venv, which each target makes or brings up to date first. `make` alone lists the targets.

# The first Python 3.11 or newer; `make PYTHON=... venv` takes another.
PYTHON ?= $(shell for python in python3.11 python3 python3.12 python3.13; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
# `make CONSTRAINTS=constraints/cuda.txt venv` on a machine with an NVIDIA card.
CONSTRAINTS ?= constraints/cpu.txt
# More arguments for pytest, the demo or a benchmark.
ARGS ?=
BENCHMARKS ?= api_scale upload serve_many

BIN := .venv/bin
INSTALLED := .venv/installed
# The web admin's scripts and styles, under the names of their hashes.
ASSETS := build/static/staticfiles.json
ASSET_SOURCES := $(shell find config/assets -type f -not -path '*/node_modules/*' -not -path '*/built/*') \
	$(shell find . -path './*/templates/*' -name '*.html' -not -path './.venv/*' -not -path './config/assets/*')
# Static checks need settings, but neither a stack nor its secrets.
STATIC := MYRIAD_LOCAL_DIR=/nonexistent SECRET_KEY=checking $(BIN)/python
SCHEMA := $(STATIC) manage.py spectacular --validate --fail-on-warn --file

.DEFAULT_GOAL := help
.PHONY: help venv assets browser up test check schema demo bench

help:
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 8

venv: $(INSTALLED) ## make .venv and install everything

$(INSTALLED): pyproject.toml clients/sdk/pyproject.toml clients/edge/pyproject.toml $(CONSTRAINTS)
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) \
		-e '.[local,worker,dev,assets]' -e clients/sdk -e clients/edge
	@touch $@

$(ASSETS): $(INSTALLED) $(ASSET_SOURCES)
	$(BIN)/python -m deploy.assets
	$(STATIC) manage.py collectstatic --noinput --clear --verbosity 0

assets: $(ASSETS) ## build the web admin's scripts and styles

browser: ## Chromium, which the browser tests drive, from Debian's packages where it is missing
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } || \
		{ echo "The browser tests need Chromium: install it, or name it in CHROMIUM" >&2; exit 1; }

up: $(ASSETS) ## start PostgreSQL, broker, S3, web, prediction, dispatcher and worker, until Ctrl-C
	@exec $(BIN)/python -m deploy.local up $(ARGS)

test: $(ASSETS) browser ## all tests
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

check: $(INSTALLED) ## lint, types, imports, migrations, API schema; nothing is run
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m deploy.assets --check
	$(STATIC) -W 'ignore:Got an error checking:RuntimeWarning' manage.py makemigrations --check --dry-run
	@mkdir -p build
	$(SCHEMA) build/openapi.yaml
	@diff -u docs/openapi.yaml build/openapi.yaml || { echo "The API has changed: look at it, then make schema" >&2; exit 1; }

schema: $(INSTALLED) ## write docs/openapi.yaml from the code
	$(SCHEMA) docs/openapi.yaml

demo: $(ASSETS) ## the product from nothing; ONCE=1 ends after it, DATA=FOLDER takes a COCO folder
	@exec $(BIN)/python -m deploy.demo $(if $(ONCE),--once) $(if $(DATA),--data '$(DATA)') $(ARGS)

bench: $(ASSETS) ## the benchmarks, one after another (BENCHMARKS='upload')
	@set -e; for name in $(BENCHMARKS); do $(BIN)/python -m tests.benchmarks.$$name $(ARGS); done
