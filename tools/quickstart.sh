#!/usr/bin/env bash
# GenDD on real images in minutes: teacher, student alone, KD, DKD, GenDD on
# two processes, export, and a table of their top-1. If it was stopped, the same
# command goes on.
#   bash tools/quickstart.sh                  one seed
#   bash tools/quickstart.sh --seeds 0 1 2    several, and their means
# Options of setup_env.sh go before: --here uses the active environment.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

options=()
if [[ ${1:-} == --here ]]; then
    options+=(--here)
    shift
fi
PYTHON=$(bash "$root/tools/setup_env.sh" ${options[@]+"${options[@]}"})
export PYTHON
# Small networks gain nothing from threads; the two processes have a core each.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
cd "$root"
exec "$PYTHON" tools/quickstart.py "$@"
