# make run       install, and run the first experiment    make test   everything that CI checks
# make cluster   a Kubernetes cluster with the shop on it (as root where it is made of namespaces)
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install run test check unit simulate mutants bytes clean bench cluster cluster-down

install: $(STAMP)

# ensurepip is a package of its own on Debian; without it pip comes through virtualenv.
$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV) 2>/dev/null || ./.ci/venv $(PYTHON) $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[demo,kubernetes,toxiproxy,dev]'
	touch $@

run: install
	$(BIN)/harness run experiments/checkout-survives-slow-database.yaml --retry-invalid 1

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: install
	$(BIN)/pytest tests/unit tests/sim

# Another seed each time; one that failed is shown by `harness simulate --seed N --schedules 1`.
simulate: install
	$(BIN)/harness simulate --schedules 1000000 --processes 2

# About 20 minutes, not in CI. `mutmut results` names the survivors, `mutmut show NAME` shows one.
mutants: install
	$(BIN)/mutmut run --max-children 2

# 10^9 bytes through a proxy whose toxics change all the time, and not one lost; CI sends a tenth.
bytes: install
	HARNESS_TEST_BYTES=1e9 $(BIN)/pytest -q tests/local/test_toxiproxy_bytes.py

test: install
	./.ci/tools
	$(MAKE) check
	$(BIN)/python .ci/suite.py

cluster: install
	@PYTHONPATH=k8s $(BIN)/python -m devcluster up
	@PYTHONPATH=k8s $(BIN)/python -m devcluster shop

cluster-down:
	PYTHONPATH=k8s $(BIN)/python -m devcluster down

bench: install
	for bench in benchmarks/*.py; do $(BIN)/python $$bench; done

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
