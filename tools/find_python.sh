#!/usr/bin/env bash
# Print the Python that the launch scripts use: $PYTHON if set, else the active
# one if it has torch, else the project's .venv.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if [[ -n ${PYTHON:-} ]]; then
    echo "$PYTHON"
    exit
fi
for python in python python3 "$root/.venv/bin/python"; do
    if "$python" -c 'import importlib.util, sys
sys.exit(importlib.util.find_spec("torch") is None)' 2>/dev/null; then
        command -v "$python"
        exit
    fi
done
if [[ ! -e $root/setup.cfg ]]; then # of an installed wheel
    echo "No Python with torch: the active one has none. Activate the environment" \
        "that 'pip install gendd_mm[mm]' was run in, or set PYTHON to its Python." >&2
    exit 1
fi
echo "No Python with torch: neither the active one nor $root/.venv has it." \
    "Run 'bash tools/setup_env.sh', or set PYTHON to the one to use." >&2
exit 1
