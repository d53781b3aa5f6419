#!/usr/bin/env bash
# Write requirements/*.txt from pyproject.toml: the newest versions that it allows, each with its hashes. Needs uv on PATH.
set -euo pipefail
cd "$(dirname "$0")/.."

lock() {
    local target=requirements/$1.txt
    shift
    uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
        --output-file "$target" "$@"
    echo "locked: $target"
}

lock run pyproject.toml
lock build --group build
lock dask pyproject.toml --extra dask --constraint requirements/run.txt
lock librosa pyproject.toml --extra librosa --constraint requirements/run.txt
lock dev pyproject.toml --group dev --constraint requirements/run.txt --constraint requirements/build.txt
lock node --group node
lock study pyproject.toml --group study --constraint requirements/run.txt --constraint requirements/build.txt
lock scale --group scale --constraint requirements/run.txt
lock shaka --group shaka
lock lock --group lock
