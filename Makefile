# Two commands do everything: `make demo` and `make test`. Both set up what they need, once.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

export OMP_NUM_THREADS := 1

.PHONY: demo test coverage check bench soak platforms docs site clean

demo: $(READY)
	$(BIN)/autodip-zarr demo --output demo-output

test: $(READY)
	$(BIN)/python -m pytest -q -m "not soak" -n 2

coverage: $(READY)
	$(BIN)/python -m pytest -q -m "not soak" -n 2 --cov --cov-report=term

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/python benchmarks/engine.py

# The runs on Slurm skip, and say so, where it cannot be installed. What loads the machine on purpose comes last, alone.
soak: $(READY)
	tests/slurm/slurm install || true
	$(BIN)/python -m pytest -q -n 2 --ignore=tests/run/test_slow_workers.py
	$(BIN)/python -m pytest -q -s tests/run/test_slow_workers.py
	$(BIN)/python tests/versions/legs.py

platforms: $(READY)
	$(BIN)/python tests/platforms/fetch.py
	$(BIN)/python -m pytest -q -rs tests/platforms

docs: $(READY)
	$(BIN)/python docs/generate.py

site: docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "read it: $(BIN)/python -m http.server --directory build/site (the search needs a server)"

clean:
	rm -rf $(VENV) demo-output dist build

$(READY): pyproject.toml constraints.txt
	@echo "setting up $(VENV): installing the package with torch, zarr and dask takes some minutes, once ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed, found $$($(BIN)/python -V); try make PYTHON=python3.12"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(READY)
