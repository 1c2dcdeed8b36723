#!/usr/bin/env bash
# dist_launch.sh NPROC SCRIPT ARGS...: run a script of this folder under
# torchrun, on NPROC processes a node. dist_train.sh and dist_test.sh call it.
#
# Environment: NNODES, NODE_RANK, MASTER_ADDR, PORT as in MMPretrain; PYTHON.
# On one node without PORT a free port is found, so runs do not clash.
# A signal to this process reaches the script's, and its answer is the status:
# see torchrun.py.
set -euo pipefail

nproc=$1
script=$2
shift 2

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=$(bash "$root/tools/find_python.sh")

if [[ ! $nproc =~ ^[1-9][0-9]*$ ]]; then
    echo "NPROC=$nproc is not a number of processes; give 1 or more." >&2
    exit 2
fi

nnodes=${NNODES:-1}
if [[ $nnodes == 1 && -z ${PORT:-} ]]; then
    # Port 0: the system picks a free one, and torchrun tells the processes.
    rendezvous=(--rdzv-backend=c10d --rdzv-endpoint=127.0.0.1:0
        --local-addr=127.0.0.1)
else
    rendezvous=(--node-rank="${NODE_RANK:-0}"
        --master-addr="${MASTER_ADDR:-127.0.0.1}"
        --master-port="${PORT:-29500}")
fi

export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
exec "$python" "$root/tools/torchrun.py" \
    --nnodes="$nnodes" --nproc-per-node="$nproc" "${rendezvous[@]}" \
    "$root/tools/$script" "$@" --launcher pytorch
