"""Where a number comes from: code, versions, machine."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from gendd_mm.version import __version__

PACKAGES = (
    'torch',
    'numpy',
    'mmengine',
    'onedl-mmengine',
    'mmpretrain',
    'onedl-mmpretrain',
    'mmrazor',
)
ROOT = Path(__file__).resolve().parents[2]


def provenance() -> dict:
    """``commit``, ``versions`` and ``hardware``, for a record."""
    return dict(commit=commit(), versions=versions(), hardware=hardware())


def commit() -> str:
    """The commit of the checkout, ``-dirty`` if its code was changed.

    ``'unknown'`` where the package is not in a checkout.
    """

    def git(*arguments: str) -> str:
        return subprocess.run(
            ['git', *arguments], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout.strip()

    try:
        head = git('rev-parse', '--short=12', 'HEAD')
        changed = git(
            'status', '--porcelain', '--untracked-files=no', '--', 'gendd_mm', 'configs', 'tools'
        )
    except (OSError, subprocess.CalledProcessError):
        return 'unknown'
    return f'{head}-dirty' if changed else head


def versions() -> dict[str, str]:
    """Versions of what computes."""
    found = dict(python=platform.python_version(), gendd_mm=__version__)
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def hardware() -> str:
    """Processor, cores that may be used, threads, and GPU if any."""
    name = platform.processor() or platform.machine()
    try:
        for line in Path('/proc/cpuinfo').read_text().splitlines():
            if line.startswith('model name'):
                name = line.partition(':')[2].strip()
                break
    except OSError:
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    text = f'{name}, {cores} cores, {torch.get_num_threads()} threads'
    if torch.cuda.is_available():
        text += f', {torch.cuda.get_device_name()}'
    return text
