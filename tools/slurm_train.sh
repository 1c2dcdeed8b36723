#!/usr/bin/env bash
# Train on a Slurm cluster.
#   bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [options]
# Environment: GPUS (8), GPUS_PER_NODE (8), CPUS_PER_TASK (5), SRUN_ARGS.
#
# As the last line of a batch script, after "exec", it takes the signals that
# Slurm sends before a job ends: the training saves, the job is requeued, and it
# goes on by --resume. See docs/stages.md.
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

launch=(bash "$(dirname "${BASH_SOURCE[0]}")/slurm_launch.sh" "$partition"
    "$job_name" train.py "$config" --work-dir "$work_dir" "$@")

if [[ -z ${SLURM_JOB_ID:-} ]]; then
    exec "${launch[@]}" # on a login node: there is no job to requeue
fi

# After a requeue, what the job itself has saved comes before a --resume PATH.
if ((${SLURM_RESTART_COUNT:-0} > 0)) &&
    [[ -e $work_dir/last_checkpoint || -e $work_dir/stage1/last_checkpoint ]]; then
    launch+=(--resume)
fi

# srun hands USR1 to the training. At TERM it would kill it.
srun=
asked=false
ask_to_stop() {
    asked=true
    [[ -z $srun ]] || kill -USR1 "$srun" 2>/dev/null || true
}
trap ask_to_stop USR1 TERM

"${launch[@]}" &
srun=$!
# A trapped signal ends wait, not srun, whose own status is asked for at the end.
while kill -0 "$srun" 2>/dev/null; do
    wait "$srun" || true
done
status=0
wait "$srun" || status=$?

# srun may have ended the last of the processes that were leaving.
if $asked && ((status > 128)); then
    status=75
fi
if ((status == 75)); then
    if scontrol show job "$SLURM_JOB_ID" | grep -q JobState=CANCELLED; then
        echo "Job $SLURM_JOB_ID was cancelled: it is not requeued." >&2
    elif ! scontrol requeue "$SLURM_JOB_ID"; then
        echo "Job $SLURM_JOB_ID was not requeued; submit it again with --resume" \
            "among the options of tools/slurm_train.sh." >&2
    fi
fi
exit "$status"
