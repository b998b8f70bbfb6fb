# Everything a developer or a visitor runs. python3 (with venv) and make are all a machine needs;
# the rest comes from uv.lock. Target names of the checks are those LNbits' own CI calls.

PYTHON ?= python3
BIN := .venv/bin
VENV := .venv/.installed
NODE := node_modules/.installed
TYPING := .cache/typing/satmachineadmin
HAVE_NODE := $(shell command -v npm >/dev/null 2>&1 && echo yes)

.DEFAULT_GOAL := help
.PHONY: help demo test unit sqlite sqlite-api sqlite-rest sqlite-trouble proof postgres once check \
	checkruff checkblack mypy pyright checkprettier checktypes checkbundle format bench prove

help:
	@echo "make demo          LNbits, a Lamassu server and an ATM that sells; Ctrl-C stops it"
	@echo "make demo ONCE=1   one round of every kind of sale, what was paid, all sums checked"
	@echo "make demo DRILLS=1 the runbook's six failures, caused, told, mended, all sums checked"
	@echo "make test          checks and tests, on SQLite and on PostgreSQL; ALL=1: every one on both"
	@echo "make check         ruff, black, mypy, prettier and tsc"
	@echo "make format        let black, ruff and prettier rewrite"
	@echo "make bench         measure"
	@echo "make prove         crash it everywhere, break every guard; ALL=1 and SEEDS=n for more"

# A plain command without shell syntax: make starts it directly, so a signal to make reaches it.
demo: $(VENV)
	@$(BIN)/python -m dev $(if $(ONCE),--once) $(if $(DRILLS),--drills)

# Side by side, the longest first, so that no core waits for the last one.
test:
	@printf '\n==> Checks and tests, on SQLite and on PostgreSQL, side by side: some minutes\n'
	@$(MAKE) --no-print-directory $(VENV) $(if $(filter yes,$(HAVE_NODE)),$(NODE))
	@$(MAKE) --no-print-directory --jobs=4 --output-sync=target \
		once postgres sqlite-api proof sqlite-trouble sqlite-rest unit check

# Databases of tests need no disk, and waiting for one is half of their time: they lie in memory
# where a machine has 2 GB of it to spare.
MEMORY := $(shell test -w /dev/shm && df --output=avail /dev/shm | awk 'NR == 2 && $$1 > 2000000' \
	| grep -q . && echo /dev/shm)

# $(1): LNbits' database, $(2): what to run. A temp root of its own: pytest closes a shared one for
# the user that PostgreSQL runs as, who must reach its own folder in it. What Python compiled is kept,
# whatever the shell says: tests start some hundred processes, and reading LNbits takes each seconds.
define pytest
@root=$$(mktemp -d $(if $(MEMORY),-p $(MEMORY))) && chmod 711 "$$root" && \
	trap 'rm -rf "$$root"' EXIT && unset PYTHONDONTWRITEBYTECODE && \
	TMPDIR=$$root PYTEST_DEBUG_TEMPROOT=$$root \
	SATM_TEST_DB=$(1) $(BIN)/python -m pytest --quiet $(2)
endef

unit: $(VENV)
	@printf '\n==> Unit tests\n'
	$(call pytest,sqlite,tests/unit tests/test_tidy.py)

# Tests that know one database only, or none.
ONCE_ONLY := tests/contract tests/browser tests/crash
BOTH := $(foreach part,tests/unit tests/test_tidy.py $(ONCE_ONLY),--ignore=$(part))
# What a form says about wrong input, how a kind of sale or client is counted, and how an operator is
# led back to work does not depend on the database: on SQLite only, or ALL=1.
FORMS := $(foreach part,access clients_deposits config doorbell errors evidence incidents metrics \
	previews process_by_id runbook secrets setup simulate tools weekly_files,\
	--ignore=tests/api/test_$(part).py) \
	$(foreach part,drills faults fixed_clients funding rows without_asyncssh,--ignore=tests/integration/test_$(part).py)

# What goes wrong and is mended, by itself: it takes as long as all the rest.
TROUBLE := $(foreach part,crash drills faults funding halts reconcile_corrections reconciliation restore \
	resuming schedules takeover takeover_books,tests/integration/test_$(part).py)

sqlite: sqlite-api sqlite-trouble sqlite-rest

sqlite-api: $(VENV)
	@printf '\n==> The API, LNbits on SQLite\n'
	$(call pytest,sqlite,tests/api)

sqlite-rest: $(VENV)
	@printf '\n==> The rest, LNbits on SQLite\n'
	$(call pytest,sqlite,$(BOTH) --ignore=tests/api --ignore=tests/proof \
		$(foreach file,$(TROUBLE),--ignore=$(file)))

sqlite-trouble: $(VENV)
	@printf '\n==> Trouble of every kind, LNbits on SQLite\n'
	$(call pytest,sqlite,$(TROUBLE))

proof: $(VENV)
	@printf '\n==> The proof on SQLite\n'
	$(call pytest,sqlite,tests/proof)

postgres: $(VENV)
	@printf '\n==> LNbits on PostgreSQL\n'
	$(call pytest,postgres,$(BOTH) $(if $(ALL),,$(FORMS)))

once: $(VENV)
	@printf '\n==> Contract with asyncssh and sshd, browser, kill -9\n'
	$(call pytest,sqlite,$(ONCE_ONLY))

check: checkruff checkblack mypy checkprettier checktypes

checkruff: $(VENV)
	@printf '\n==> ruff\n'
	@$(BIN)/ruff check .

checkblack: $(VENV)
	@printf '\n==> black\n'
	@$(BIN)/black --check --quiet . || $(BIN)/black --check .

# The checkout's folder has any name, the package only one: it is checked through a link.
mypy: $(VENV) $(TYPING)
	@printf '\n==> mypy --strict\n'
	@MYPYPATH=.cache/typing $(BIN)/mypy --package satmachineadmin

# LNbits' CI asks for this target; types are checked by mypy.
pyright: mypy

ifeq ($(HAVE_NODE),yes)
checkprettier: $(NODE)
	@printf '\n==> prettier\n'
	@npm run --silent prettier

checktypes: $(NODE)
	@printf '\n==> tsc\n'
	@npm run --silent types
else
checkprettier checktypes:
	@printf '\n==> %s\n' $@
	@test "$$CI" != true || { echo "node and npm are needed in CI"; exit 1; }
	@echo "skipped: node and npm are not installed (only scripts of the page need them)"
endif

# Nothing is bundled: LNbits serves static/ as it is.
checkbundle:
	@echo "nothing to bundle"

format: $(VENV) $(if $(HAVE_NODE),$(NODE))
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/black --quiet .
	@$(if $(HAVE_NODE),npm run --silent format,true)

# As the tests: some hundred processes, each of which would compile LNbits anew.
KEEP_COMPILED := env -u PYTHONDONTWRITEBYTECODE

bench: $(VENV)
	@$(KEEP_COMPILED) $(BIN)/python -m benchmarks

prove: $(VENV)
	@$(KEEP_COMPILED) $(BIN)/python -m prove $(if $(ALL),--all) $(if $(SEEDS),--seeds $(SEEDS))

$(VENV): uv.lock dev/install.sh
	@PYTHON=$(PYTHON) dev/install.sh python $@

$(NODE): package-lock.json
	@dev/install.sh node $@

$(TYPING):
	@mkdir -p $(@D)
	@ln -sfn ../.. $@
