#!/usr/bin/env bash
# GenDD on real images in minutes, without labels, on a long tail and with labels, beside
# KD and SimKD; export, a table and a picture. If it was stopped, the same command goes on.
#   bash tools/quickstart.sh              three seeds, their means and intervals
#   bash tools/quickstart.sh --seeds 0    one
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
# Small networks gain nothing from threads; two processes have a core each.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
cd "$root"
exec "$PYTHON" tools/quickstart.py "$@"
