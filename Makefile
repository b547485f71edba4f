# Every target is one visible command. A fresh machine needs Python >= 3.11, make and a package index.
PYTHON ?= python3
BIN := .venv/bin
TESTS ?= tests
# uv where it is on the PATH (seconds), else the standard library's pip (a minute).
INSTALL := $(if $(shell command -v uv 2>/dev/null),uv pip install -q --compile-bytecode --python $(BIN)/python,$(BIN)/python -m pip install -q --disable-pip-version-check)
LOCK := $(BIN)/uv pip compile -q --universal --generate-hashes --no-strip-extras --python-version 3.11 --extra bedrock --extra vertex --extra azure pyproject.toml
.PHONY: check format lint types arch test torture matrix fix demo docs lock soak bench-ledger clients clean
check: format lint types arch test  ## what CI runs
.venv/.ready: requirements.lock requirements-dev.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "costspan needs Python 3.11 or newer")'
	$(PYTHON) -m venv --clear .venv
	$(INSTALL) --require-hashes -r requirements-dev.lock
	$(INSTALL) --no-deps --no-build-isolation --editable .
	touch $@
format: .venv/.ready
	$(BIN)/ruff format --check .
lint: .venv/.ready
	$(BIN)/ruff check .
types: .venv/.ready
	$(BIN)/mypy
arch: .venv/.ready
	$(BIN)/lint-imports
test: .venv/.ready  ## the whole suite; TESTS and ARGS narrow it
	$(BIN)/python -m pytest -q -n 2 $(TESTS) $(ARGS)
fix: .venv/.ready
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .
demo: .venv/.ready ; $(BIN)/costspan demo $(ARGS)  # the gateway with mock providers and a little traffic
docs: .venv/.ready  ## write the generated pages
	$(BIN)/python -m costspan.config.reference && $(BIN)/python tests/docs/generate.py && $(BIN)/python tests/docs/translation.py && $(BIN)/python tests/matrix/page.py
lock: .venv/.ready  ## resolve again and pin with hashes
	$(LOCK) -o requirements.lock && $(LOCK) --group dev -c requirements.lock -o requirements-dev.lock
soak: .venv/.ready ; $(BIN)/python benchmarks/soak.py $(ARGS)  # two minutes of mixed traffic: memory, descriptors, records
torture: .venv/.ready ; $(BIN)/python benchmarks/torture.py $(ARGS)  # long lives of the accounts, a thousand kills; --seed N
bench-ledger: .venv/.ready ; $(BIN)/python benchmarks/ledger.py $(ARGS)  # what reports of a large ledger take; --lines N
clients: .venv/.ready  ## LangChain, LlamaIndex, pydantic-ai and the AI SDK use tools through the gateway
	$(BIN)/python tests/clients/install.py && $(BIN)/python -m pytest -q -n 2 tests/clients/tool_loop.py $(ARGS)
matrix: .venv/.ready ; $(BIN)/python -m pytest -q -n 0 tests/matrix --matrix $(ARGS)  # every SDK x upstream x feature
clean:
	rm -rf .venv .venv-clients .mypy_cache .ruff_cache .pytest_cache build dist
