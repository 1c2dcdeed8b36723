#!/usr/bin/env bash
# Put Fashion-MNIST where the configs and MMPretrain's dataset read it:
# data/fashion_mnist, four unpacked idx files.
#   bash tools/get_fashion_mnist.sh           find them, or download them
#   bash tools/get_fashion_mnist.sh FOLDER    take them from there
# FOLDER holds the files as they are published (.gz) or unpacked. Without it the
# place of Debian's package dataset-fashion-mnist is looked at; if that is not
# installed, apt-get downloads the package (31 MB), which needs no root, and it
# is unpacked here. Files that are there and whole are left as they are.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${FASHION_MNIST:-$root/data/fashion_mnist}
package=dataset-fashion-mnist
installed=/usr/share/datasets/fashion-mnist

# MD5 of the unpacked files.
sums='f4a8712d7a061bf5bd6d2ca38dc4d50a  train-images-idx3-ubyte
9018921c3c673c538a1fc5bad174d6f9  train-labels-idx1-ubyte
8181f5470baa50b63fa0f6fddb340f0a  t10k-images-idx3-ubyte
15d484375f8d13e6eb1aabb0c3f46965  t10k-labels-idx1-ubyte'

whole() {
    (cd "$target" 2>/dev/null && md5sum --check --status <<<"$sums" 2>/dev/null)
}

# Unpack or copy the four files of a folder; fails if one is not there.
take_from() {
    local name
    mkdir -p "$target"
    while read -r _ name; do
        if [[ -f $1/$name.gz ]]; then
            gunzip -c "$1/$name.gz" >"$target/$name.part"
        elif [[ -f $1/$name ]]; then
            cp "$1/$name" "$target/$name.part"
        else
            return 1
        fi
        mv "$target/$name.part" "$target/$name"
    done <<<"$sums"
}

download() {
    local folder=$1
    echo "Downloading the package $package by apt-get." >&2
    # Its own sandbox user cannot write here.
    (cd "$folder" && apt-get -o APT::Sandbox::User=root download \
        "$package" >/dev/null) &&
        dpkg -x "$folder/$package"_*.deb "$folder"
}

done_with() {
    whole || {
        echo "The files from $1 are not those of Fashion-MNIST: their MD5 in" \
            "$target differ. Remove that folder and take them from elsewhere." >&2
        exit 1
    }
    echo "Fashion-MNIST is in $target."
    exit
}

if whole; then
    done_with "$target"
fi
if (($#)); then
    take_from "$1" || {
        echo "$1 lacks one of the four files; it needs, as they are or .gz:" >&2
        sed 's/.*  /  /' <<<"$sums" >&2
        exit 1
    }
    done_with "$1"
fi
if take_from "$installed"; then
    done_with "$installed"
fi
if command -v apt-get >/dev/null && command -v dpkg >/dev/null; then
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    if download "$scratch"; then
        take_from "$scratch$installed"
        done_with "the package $package"
    fi
fi
cat >&2 <<EOF
Fashion-MNIST is neither in $target nor in $installed,
and apt-get could not download the package $package. Either
  install that package (Debian, Ubuntu: apt-get install $package), or
  get the four .gz files named at https://github.com/zalandoresearch/fashion-mnist
    and run: bash tools/get_fashion_mnist.sh FOLDER
EOF
exit 1
