#!/usr/bin/env bash
# Evaluate on several processes: NCCL with CUDA, gloo without.
#   bash tools/dist_test.sh CONFIG CHECKPOINT NPROC [options of tools/test.py]
set -euo pipefail

if (($# < 3)); then
    echo "Usage: bash tools/dist_test.sh CONFIG CHECKPOINT NPROC [options]" >&2
    exit 2
fi
config=$1
checkpoint=$2
nproc=$3
shift 3

exec bash "$(dirname "${BASH_SOURCE[0]}")/dist_launch.sh" \
    "$nproc" test.py "$config" "$checkpoint" "$@"
