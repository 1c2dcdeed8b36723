#!/usr/bin/env bash
# Run the tests, in an environment made by tools/setup_env.sh.
#   bash tools/run_tests.sh                        all but the slow ones
#   bash tools/run_tests.sh -m slow                the slow ones
#   bash tools/run_tests.sh tests/test_compat.py   arguments go to pytest
# On as many processes as there are cores; TEST_PROCESSES=0 runs them in one.
# Before them, options of setup_env.sh: --here, --env DIR, --stack NAME.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

options=()
while (($#)); do
    case $1 in
    --here)
        options+=("$1")
        shift
        ;;
    --env | --stack | --share)
        (($# > 1)) || { echo "$1 needs a value." >&2 && exit 2; }
        options+=("$1" "$2")
        shift 2
        ;;
    *) break ;;
    esac
done

python=$(bash "$root/tools/setup_env.sh" ${options[@]+"${options[@]}"})

# Small tensors: threads cost more than they give, and the tests that start
# several processes share the cores.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
export PYTHON=$python
cd "$root"
# A file of tests stays in one process: its fixtures are made once.
exec "$python" -m pytest --numprocesses "${TEST_PROCESSES:-auto}" --dist loadfile "$@"
