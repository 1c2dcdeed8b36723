#!/usr/bin/env bash
# Check style, spelling and types, and stop at the first failure.
#   bash tools/lint.sh          in the environment made by tools/setup_env.sh
#   bash tools/lint.sh --here   in the active one; other options of it work too
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=$(bash tools/setup_env.sh "$@")
PATH=$(dirname "$python"):$PATH
type ruff codespell mypy >/dev/null || {
    echo "Run '$python -m pip install -r requirements/lint.txt' first." >&2
    exit 1
}

ruff check .
ruff format --check .
codespell
mypy
