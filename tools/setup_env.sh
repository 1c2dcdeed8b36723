#!/usr/bin/env bash
# Make the environment of the project, once, and print its Python.
#
#   bash tools/setup_env.sh              .venv with the tested stack
#   PYTHON=$(bash tools/setup_env.sh)    the same from a script: the path goes
#                                        to stdout, all the rest to stderr
# Options:
#   --here          use the active environment; make none
#   --env DIR       make it in DIR (or set GENDD_ENV)
#   --stack NAME    mm (default) or onedl, the maintained forks; onedl takes
#                   torch from the mm environment by hard links if it can
#   --share DIR     that mm environment (default .venv)
# Environment: PYTHON, TORCH, TORCHVISION, NUMPY choose versions, for instance
#   PYTHON=python3.10 TORCH=2.6.0 TORCHVISION=0.21.0 NUMPY=1.26.4
#
# When nothing has changed since the last time, it does nothing.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
stack=mm
env_dir=${GENDD_ENV:-}
share=$root/.venv
here=false

# Without TORCHVISION beside it, another TORCH gets the one pip finds for it.
if [[ -z ${TORCH:-} ]]; then
    torchvision=${TORCHVISION:-0.29.1}
else
    torchvision=${TORCHVISION:-}
fi
torch=${TORCH:-2.14.1}
numpy=${NUMPY:-}

say() { echo "setup_env: $*" >&2; }
fail() {
    say "$*"
    exit 1
}

while (($#)); do
    case $1 in
    --here) here=true ;;
    --env | --stack | --share)
        (($# > 1)) || fail "$1 needs a value."
        case $1 in
        --env) env_dir=$2 ;;
        --stack) stack=$2 ;;
        --share) share=$2 ;;
        esac
        shift
        ;;
    *) fail "unknown option $1; known are --here, --env, --stack, --share." ;;
    esac
    shift
done

case $stack in
mm) extras=mm,optional,tests,lint,docs default_dir=$root/.venv ;;
onedl) extras=onedl,optional,tests default_dir=$root/.venv-onedl ;;
*) fail "--stack $stack is unknown; choose mm or onedl." ;;
esac
env_dir=${env_dir:-$default_dir}

# In an installed wheel there is nothing to install from.
[[ -e $root/setup.cfg ]] || $here ||
    fail "$root is of an installed package, not a checkout. Activate its" \
        "environment and add --here, or use the commands gendd-quickstart," \
        "gendd-train and so on."

# A Python is good if it runs and is 3.10 to 3.13; mmengine needs what 3.14 lacks.
is_good() {
    "$1" -c 'import sys
sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null
}

find_base_python() {
    local python
    if [[ -n ${PYTHON:-} ]]; then
        is_good "$PYTHON" ||
            fail "PYTHON=$PYTHON does not run or is not 3.10 to 3.13;" \
                "name a Python of these."
        echo "$PYTHON"
        return
    fi
    # The first are tested most. A shim of pyenv fails for a version that is
    # installed and not selected; it is found where pyenv keeps it.
    local kept=${PYENV_ROOT:-${HOME:-}/.pyenv}/versions
    for python in python3.11 python3.10 python3.12 python3.13 python3 python \
        "$kept"/3.11*/bin/python "$kept"/3.1[0-9]*/bin/python; do
        if is_good "$python"; then
            echo "$python"
            return
        fi
    done
    fail "no Python of 3.10 to 3.13 found; install python3.11" \
        "(with its venv module) or set PYTHON."
}

# Use the active environment: complete it only where that replaces nothing.
use_active() {
    local python
    python=${PYTHON:-$(command -v python || command -v python3 || true)}
    [[ -n $python ]] && is_good "$python" ||
        fail "--here: the active Python (${python:-none}) is not 3.10 to 3.13."
    local missing
    missing=$("$python" - <<'PY'
from importlib.util import find_spec
stack = ['torch', 'torchvision', 'mmengine', 'mmcv', 'mmpretrain', 'mmrazor']
rest = ['joblib', 'sklearn', 'pytest']
missing = [name for name in stack + rest if find_spec(name) is None]
print('all' if set(stack) <= set(missing) else ' '.join(missing))
PY
    )
    if [[ -n $missing && ! -e $root/setup.cfg ]]; then
        fail "--here: the active environment ($python) lacks packages ($missing);" \
            "$python -m pip install 'gendd_mm[$extras]' brings them."
    elif [[ $missing == all ]]; then
        say "the active environment has no stack yet; installing one (5.5 GB)."
        install_stack "$python" >&2
    elif [[ -n $missing ]]; then
        fail "--here: the active environment lacks $missing. It holds a part" \
            "of a stack, which is yours to complete:" \
            "$python -m pip install -e '$root[$extras]' brings the tested" \
            "versions. Or leave --here out and get a separate environment."
    elif ! (cd / && "$python" -c 'import importlib.util, sys
sys.exit(importlib.util.find_spec("gendd_mm") is None)'); then
        "$python" -m pip install --no-deps -e "$root" >&2
    fi
    command -v "$python"
}

pip_install() { "$1" -m pip install --disable-pip-version-check "${@:2}"; }

# install_stack PYTHON: torch first, by itself; then the rest around it.
install_stack() {
    local python=$1
    # Named both times, so that the second install cannot move them.
    local pins=("torch==$torch" "torchvision${torchvision:+==$torchvision}"
        "numpy${numpy:+==$numpy}")
    say "installing ${pins[*]}, the longest step ..."
    pip_install "$python" "${pins[@]}"
    say "installing gendd_mm[$extras] ..."
    (cd "$root" && pip_install "$python" -e ".[$extras]" "${pins[@]}")
}

# Link the packages of the mm environment into a new one, less the stack that
# the forks replace. Fails where that cannot be: there is none, it has another
# Python, it is on another disk.
make_linked_env() {
    local from to
    [[ -x $share/bin/python ]] || return 1
    make_env --without-pip
    from=$("$share/bin/python" -c "$print_packages")
    to=$("$python" -c "$print_packages")
    [[ $(basename "$(dirname "$from")") == \
        $(basename "$(dirname "$to")") ]] || return 1
    cp -al "$from/." "$to/" || return 1
    say "linked the packages of $share"
    # pip removes names and writes new files: the linked originals stay.
    "$python" -m pip uninstall --disable-pip-version-check -y \
        mmengine mmcv-lite mmcv mmpretrain gendd_mm
}
print_packages='import sysconfig; print(sysconfig.get_path("purelib"))'

# make_env [OPTION]: a new environment, with the option of venv.
make_env() {
    if [[ -e $env_dir && ! -e $env_dir/pyvenv.cfg ]] &&
        [[ -n $(ls -A "$env_dir") ]]; then
        fail "$env_dir is there and is no virtual environment; move it away" \
            "or choose another place with --env."
    fi
    say "making $env_dir with $("$base" --version) ..."
    "$base" -m venv --clear "$@" "$env_dir" ||
        fail "venv failed; on Debian and Ubuntu, install python3-venv."
}

if $here; then
    use_active
    exit
fi

base=$(find_base_python)
mkdir -p "$(dirname "$env_dir")"
env_dir=$(cd "$(dirname "$env_dir")" && pwd)/$(basename "$env_dir")
python=$env_dir/bin/python
stamp=$env_dir/gendd_mm.stamp

# Two runs at once: the second waits for the first.
if command -v flock >/dev/null; then
    exec 9>"$env_dir.lock"
    flock 9
fi

version=$("$base" -c 'import platform; print(platform.python_version())')
wanted="$version $stack $torch ${torchvision:-any} ${numpy:-any} $(
    cd "$root" && cat requirements/*.txt setup.cfg setup.py | cksum
)"
if [[ -x $python && -f $stamp && $(<"$stamp") == "$wanted" ]]; then
    echo "$python"
    exit
fi

{
    # An environment of this Python is brought up to date; else it is made.
    if [[ ! -x $python ]] || [[ ! -f $stamp.python ]] ||
        [[ $(<"$stamp.python") != "$version $stack" ]]; then
        if [[ $stack != onedl ]] || ! make_linked_env; then
            make_env
        fi
        echo "$version $stack" >"$stamp.python"
    fi
    install_stack "$python"
    echo "$wanted" >"$stamp"
    say "ready: $python"
} >&2
echo "$python"
