"""Puts the configs and tools where MIM looks for them: ``gendd_mm/.mim``.

All metadata is in setup.cfg; this file holds what cannot be declared.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

MIM_FILES = ('configs', 'tools', 'model-index.yml')
ROOT = Path(__file__).resolve().parent


class BuildWithMim(build_py):
    """Copy the MIM files into a wheel; link them in an editable install."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            self._fill(ROOT / 'gendd_mm' / '.mim', link=True)
        else:
            self._fill(Path(self.build_lib) / 'gendd_mm' / '.mim', link=False)

    def _fill(self, mim: Path, link: bool) -> None:
        # Anew each time: a build folder may hold files that are gone.
        shutil.rmtree(mim, ignore_errors=True)
        mim.mkdir(parents=True)
        for name in MIM_FILES:
            source = ROOT / name
            if link:
                # Relative, so that the checkout can be moved.
                (mim / name).symlink_to(Path('..', '..', name))
            elif source.is_dir():
                shutil.copytree(
                    source, mim / name, ignore=shutil.ignore_patterns('__pycache__', '*.pyc')
                )
            elif source.exists():
                shutil.copy2(source, mim / name)


setup(cmdclass={'build_py': BuildWithMim})
