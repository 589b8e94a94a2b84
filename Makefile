# One command each; `make help` lists them. Every target makes what it needs.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The first Python that is new enough, unless PYTHON=... says which.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
PY := $(VENV)/bin/python
GRADSIGHT := $(VENV)/bin/gradsight
CORPUS ?= ../shared/corpus

# One OpenMP thread: the tensors are tiny, and the tests run side by side.
export OMP_NUM_THREADS ?= 1

.PHONY: help setup demo test check fmt lint types unit corpus editor docs bench vsix clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/make \1|\2/' | column -t -s '|'

setup: $(VENV)/.installed ## the environment: .venv with torch 2.13.0 and the development tools

$(VENV)/.installed: pyproject.toml tools/make_venv.py
	@test -n "$(PYTHON)" || { echo "no Python 3.10 or newer found: install one, or run make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) tools/make_venv.py $(VENV)
	@touch $@

client/node_modules/.installed: client/package-lock.json
	@command -v npm >/dev/null || { echo "the extension needs Node.js 20 or newer with npm (Debian: apt-get install nodejs npm)" >&2; exit 1; }
	cd client && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null
	@touch $@

demo: setup ## check and verify --fix on the examples, in the terminal
	@$(PY) tools/demo.py

test: setup client/node_modules/.installed ## everything: lint, types, all tests, the end-to-end test in a real VS Code
	@$(PY) tools/run_tests.py all

check: setup ## before a commit: format, lint, types, import direction, generated files, fast tests
	@$(PY) tools/run_tests.py fast

fmt: setup ## format the Python code
	@$(PY) -m ruff format . && $(PY) -m ruff check --fix .

lint: setup ## lint only
	@$(PY) -m ruff check . && $(PY) -m ruff format --check .

types: setup ## type check only
	@$(PY) -m mypy

unit: setup ## the unit tests only
	@$(PY) -m pytest -q tests/unit

corpus: setup ## recall and silence on the real cases (CORPUS=folder)
	@$(PY) tools/corpus.py --corpus $(CORPUS)

docs: setup ## regenerate docs/rules and docs/settings.md
	@$(PY) tools/gen_docs.py

bench: setup ## latency, start-up, memory, and ast.parse on the same file; then a workspace of 1,000 files
	@$(PY) benchmarks/run.py
	@$(PY) benchmarks/workspace.py

vsix: setup client/node_modules/.installed ## the extension: client/gradsight.vsix
	@client/scripts/package-if-stale.sh </dev/null && echo "client/gradsight.vsix"

editor: setup client/node_modules/.installed ## the extension in a VS Code in the browser, opened on examples/ (PORT=8080)
	@$(PY) tools/editor.py

clean: ## remove what can be made again
	rm -rf $(VENV) client/node_modules client/dist client/bundled client/*.vsix .cache .pytest_cache .mypy_cache .ruff_cache
