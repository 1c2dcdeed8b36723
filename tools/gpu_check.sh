#!/usr/bin/env bash
# Prove this project on a GPU, in one command: the tests that are marked `gpu`, then
# every benchmark; writes a Markdown table for docs/performance.md.
#   bash tools/gpu_check.sh [OUT.md] [--quick]
# The status is not 0 if a test or a benchmark failed; what was measured is written.
#
# Environment:
#   WHEELS=DIR   install these wheels first, without an index, into a new environment
#                (.venv-gpu) on top of the Python that has torch
#   DEVICE=cpu   rehearse on the CPU (with --quick: minutes)
#   PYTHON       the Python that has torch
# Tests and benchmarks that need OpenMMLab are left out without it, and it says so.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=$(bash "$root/tools/find_python.sh")

if [[ -n ${WHEELS:-} ]]; then
    env=$root/.venv-gpu
    packages='import sysconfig; print(sysconfig.get_path("purelib"))'
    outer=$("$python" -c "$packages")
    "$python" -m venv --clear --system-site-packages "$env"
    # System packages are not those of an environment that the Python is in.
    echo "import site; site.addsitedir('$outer')" \
        >"$("$env/bin/python" -c "$packages")/outer.pth"
    "$env/bin/python" -m pip install --disable-pip-version-check --no-index \
        --find-links "$WHEELS" "$WHEELS"/*.whl
    python=$env/bin/python
fi

export PYTHON=$python PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}
# A library that is missing is said now, not after minutes.
"$python" -c 'import gendd_mm'
exec "$python" "$root/tools/gpu_check.py" --device "${DEVICE:-cuda}" "$@"
