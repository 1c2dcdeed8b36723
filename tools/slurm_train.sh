#!/usr/bin/env bash
# Train on a Slurm cluster.
#   bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [options]
# Environment: GPUS (8), GPUS_PER_NODE (8), CPUS_PER_TASK (5), SRUN_ARGS.
set -euo pipefail

if (($# < 4)); then
    echo "Usage: bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR" \
        "[options of tools/train.py]" >&2
    exit 2
fi
partition=$1
job_name=$2
config=$3
work_dir=$4
shift 4

exec bash "$(dirname "${BASH_SOURCE[0]}")/slurm_launch.sh" "$partition" \
    "$job_name" train.py "$config" --work-dir "$work_dir" "$@"
