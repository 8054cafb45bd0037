# Two commands for a newcomer: `make demo` runs the main job, `make test` passes the tests. Both make their environment themselves.
PYTHON ?= python3
BIN    := .venv/bin
export UV_SYSTEM_CERTS = 1
.PHONY: demo test check bench bench-databases bench-growth bench-passwords guarded failover soak coverage lock revision clean

demo: .venv/ready
	$(BIN)/authmw dev $(if $(PORT),--port $(PORT))

test: .venv/ready .venv/js-ready
	$(BIN)/python -m pytest -n auto --dist loadgroup

check: .venv/ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pyright
	PYTHONPATH=adapters $(BIN)/lint-imports

# Everything that costs something, beside the peers; QUICK=1 does little of it, and shows that all of it runs.
bench: .venv/bench-ready
	PYTHONPATH=.:adapters .venv/bench/bin/python -m benchmarks $(if $(QUICK),--quick)

# Sign-ins a second on the databases of this machine: by each flow, from its beginning to the session, and by one, two and four processes beside their commits alone.
bench-databases: .venv/ready
	PYTHONPATH=.:adapters $(BIN)/python -m benchmarks.flow_rates $(if $(QUICK),--quick)
	PYTHONPATH=.:adapters $(BIN)/python -m benchmarks.databases $(if $(QUICK),--quick)

# What does not grow with the number of people: SIZE of them (a million, if not said) beside a thousand, loaded in bulk on PostgreSQL and SQLite.
bench-growth: .venv/ready
	PYTHONPATH=.:adapters $(BIN)/python -u -m benchmarks.large --size $(or $(SIZE),1000000) $(if $(PEOPLE),--people $(PEOPLE)) $(if $(ON),--on $(ON))

# How long a visitor waits for a protected page while 20 people sign in with passwords all the time, beside a bare app under the same load; QUICK=1 shows that it runs.
bench-passwords: .venv/ready
	PYTHONPATH=.:adapters $(BIN)/python -m benchmarks.passwords $(if $(QUICK),--quick)

# Instructions of fixed work: a change that makes one figure a quarter worse fails with its name.
guarded: .venv/ready
	PYTHONPATH=.:adapters $(BIN)/python -m benchmarks.guarded

# Databases of their own that are killed, promoted, made read-only and full under load; SHORT=1 takes three of these.
failover: .venv/ready
	$(BIN)/python -m pytest -s -p no:cacheprovider tests/processes/failover.py $(if $(SHORT),-k "(killed_and and postgresql-postgresql-gunicorn) or replica or file")

# Mixed traffic while databases and workers are killed in turn; says what was lost, doubled or leaked.
soak: .venv/ready
	PYTHONPATH=.:adapters $(BIN)/python -m tests.processes.soak --minutes $(or $(MINUTES),60) --json soak.json

# The peers have environments of their own: their pins need not agree with those of the tests.
.venv/bench-ready: benchmarks/requirements.txt benchmarks/supertokens.txt benchmarks/js/package-lock.json | .venv/ready
	@test -x .venv/bench/bin/python || $(BIN)/python -m venv --without-pip .venv/bench
	$(BIN)/uv pip sync -q --python .venv/bench --require-hashes benchmarks/requirements.txt
	@test -x .venv/supertokens/bin/python || $(BIN)/python -m venv --without-pip .venv/supertokens
	$(BIN)/uv pip sync -q --python .venv/supertokens --require-hashes benchmarks/supertokens.txt
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm ci --prefix benchmarks/js --ignore-scripts --no-audit --no-fund --loglevel=error --fetch-retries=1
	@touch $@

# What the tests of tests/authmw and tests/stories run of everything, and that they run all of what decides.
coverage: .venv/ready .venv/js-ready
	AUTHMW_COVERAGE=report $(BIN)/python -m pytest -n auto --dist loadgroup tests/authmw tests/stories

.venv/ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "authmw needs Python 3.11 or newer; try: make PYTHON=python3.13")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@awk '/^uv==/ {on=1} on {print; if (!/\\$$/) exit}' requirements.txt > .venv/uv.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r .venv/uv.txt
	$(BIN)/uv pip sync -q --python .venv --require-hashes requirements.txt \
	  || $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/uv pip install -q --python .venv --no-deps --no-build-isolation --editable . \
	  || $(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# The vendor's clients for Node and browsers. Without them their tests skip and say so; CI must have them.
.venv/js-ready: tests/js/package-lock.json | .venv/ready
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm ci --prefix tests/js --ignore-scripts --no-audit --no-fund \
	  --loglevel=error --fetch-retries=1 && touch $@ || test -z "$$CI"

lock: .venv/ready
	$(BIN)/uv pip compile -q --universal --upgrade --generate-hashes --no-annotate --no-header \
	  --python-version 3.11 --all-extras --group dev pyproject.toml --output-file requirements.txt
	$(BIN)/uv pip compile -q --universal --upgrade --generate-hashes --no-annotate --no-header \
	  --python-version 3.11 --extra oauth --extra passkeys --extra passwords --extra totp --extra wallets \
	  benchmarks/requirements.in pyproject.toml --output-file benchmarks/requirements.txt
	$(BIN)/uv pip compile -q --universal --upgrade --generate-hashes --no-annotate --no-header \
	  --python-version 3.11 benchmarks/supertokens.in --output-file benchmarks/supertokens.txt
	for at in tests/js benchmarks/js; do \
	  PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm install --prefix $$at --package-lock-only --ignore-scripts --no-audit --no-fund || exit 1; \
	done

# The schema that the records ask for, as the next numbered revision of the SQL adapter, if it is another than the newest.
revision: .venv/ready
	PYTHONPATH=.:adapters $(BIN)/python -m authmw_adapters.sqlalchemy.revisions

clean:
	rm -rf .venv tests/js/node_modules benchmarks/js/node_modules dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.*
