#!/usr/bin/env bash
# slurm_launch.sh PARTITION JOB_NAME SCRIPT ARGS...: run a script of this
# folder under srun. slurm_train.sh and slurm_test.sh call it.
set -euo pipefail

partition=$1
job_name=$2
script=$3
shift 3

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=$(bash "$root/tools/find_python.sh")

gpus=${GPUS:-8}
gpus_per_node=${GPUS_PER_NODE:-8}
# SRUN_ARGS holds several words.
read -r -a srun_args <<<"${SRUN_ARGS:-}"

export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
exec srun -p "$partition" \
    --job-name="$job_name" \
    --gres=gpu:"$gpus_per_node" \
    --ntasks="$gpus" \
    --ntasks-per-node="$gpus_per_node" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 \
    ${srun_args[@]+"${srun_args[@]}"} \
    "$python" -u "$root/tools/$script" "$@" --launcher slurm
