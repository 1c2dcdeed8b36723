#!/usr/bin/env bash
# Train on several processes: NCCL with CUDA, gloo without.
#   bash tools/dist_train.sh CONFIG NPROC [options of tools/train.py]
set -euo pipefail

if (($# < 2)); then
    echo "Usage: bash tools/dist_train.sh CONFIG NPROC [options]" >&2
    exit 2
fi
config=$1
nproc=$2
shift 2

exec bash "$(dirname "${BASH_SOURCE[0]}")/dist_launch.sh" \
    "$nproc" train.py "$config" "$@"
