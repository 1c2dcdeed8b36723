#!/usr/bin/env bash
# Build the site into docs/_build/html. A warning is an error: a dead link, a page that
# no table of contents names, a docstring that does not parse, a notebook that fails.
#   bash tools/build_docs.sh                  in the environment of tools/setup_env.sh
#   bash tools/build_docs.sh --no-notebooks   shows the notebooks without running them
#   bash tools/build_docs.sh --links          also asks for every page of others
#   bash tools/build_docs.sh --out DIR        writes to DIR/html
# Before or after these, options of setup_env.sh: --here, --env DIR.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
options=()
out=docs/_build
links=false
while (($#)); do
    case $1 in
    --no-notebooks) export GENDD_NOTEBOOKS=off ;;
    --links) links=true ;;
    --out | --env)
        (($# > 1)) || { echo "$1 needs a folder." >&2 && exit 2; }
        if [[ $1 == --out ]]; then out=$(realpath -m "$2"); else options+=("$1" "$2"); fi
        shift
        ;;
    *) options+=("$1") ;;
    esac
    shift
done

cd "$root"
python=$(bash tools/setup_env.sh ${options[@]+"${options[@]}"})
"$python" -c 'import furo, ipykernel, myst_nb, sphinx, sphinx_copybutton, sphinx_design' || {
    echo "Run '$python -m pip install -r requirements/docs.txt' first." >&2
    exit 1
}

# Anew each time: a page that is unchanged is not checked again.
build() {
    "$python" -m sphinx -b "$1" -d "$out/doctrees" -j auto --fail-on-warning --quiet \
        docs "$out/$1"
}
rm -rf "$out/doctrees" "$out/html"
build html
if $links; then
    GENDD_NOTEBOOKS=off build linkcheck
fi
echo "$out/html/index.html"
