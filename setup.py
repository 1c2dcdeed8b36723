"""What a wheel and an sdist hold, and the configs and tools where MIM looks for them.

All metadata is in setup.cfg; this file holds what cannot be declared. In a checkout only
files that git knows are packed: nothing that a user left beside them, such as a config of
their own. Elsewhere, in an unpacked sdist for instance, that is what MANIFEST.in names.
"""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.egg_info import egg_info

MIM_FILES = ('configs', 'tools', 'model-index.yml')
MIM_SUFFIXES = ('.py', '.sh', '.yml', '.md', '.txt')
ROOT = Path(__file__).resolve().parent


@cache
def tracked() -> frozenset[str] | None:
    """Files that git knows, with slashes; None if this is no checkout, or git is missing."""
    if not (ROOT / '.git').exists():
        return None
    # The checkout may be another user's, in a container for instance.
    command = ['git', '-c', 'safe.directory=*', 'ls-files', '-z']
    try:
        listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return frozenset(os.fsdecode(listed).split('\0'))


def is_ours(path: str | Path) -> bool:
    """Whether a file is one of the project."""
    known = tracked()
    return known is None or Path(os.path.relpath(path, ROOT)).as_posix() in known


def mim_files() -> list[Path]:
    """The files for MIM, relative to the root."""
    found = []
    for name in MIM_FILES:
        found += [ROOT / name, *sorted((ROOT / name).rglob('*'))]
    return [
        path.relative_to(ROOT)
        for path in found
        if path.is_file() and path.suffix in MIM_SUFFIXES and is_ours(path)
    ]


class SourcesOfTheProject(egg_info):
    """Leave files that are not ours out of an sdist, and out of its list of sources."""

    def find_sources(self) -> None:
        super().find_sources()
        own = Path(self.egg_info).name
        kept = [path for path in self.filelist.files if is_ours(path) or own in Path(path).parts]
        self.filelist.files = kept
        Path(self.egg_info, 'SOURCES.txt').write_text(
            ''.join(f'{Path(path).as_posix()}\n' for path in kept), encoding='utf-8'
        )


class BuildWithMim(build_py):
    """Copy the MIM files into a wheel; link them in an editable install."""

    def run(self) -> None:
        if not self.editable_mode:
            # Anew each time: the folder of an earlier build may hold files that are gone.
            shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()
        package = (ROOT if self.editable_mode else Path(self.build_lib)) / 'gendd_mm'
        mim = package / '.mim'
        shutil.rmtree(mim, ignore_errors=True)
        mim.mkdir(parents=True)
        if self.editable_mode:
            self._link(mim)
        else:
            self._copy(mim)

    def find_package_modules(self, package: str, package_dir: str) -> list:
        found = super().find_package_modules(package, package_dir)
        return [module for module in found if is_ours(module[-1])]

    def _link(self, mim: Path) -> None:
        try:
            for name in MIM_FILES:
                # Relative, so that the checkout can be moved.
                (mim / name).symlink_to(Path('..', '..', name))
        except OSError:  # Windows, where not every user may make links
            self._copy(mim)

    def _copy(self, mim: Path) -> None:
        for path in mim_files():
            (mim / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, mim / path)


setup(cmdclass={'build_py': BuildWithMim, 'egg_info': SourcesOfTheProject})
