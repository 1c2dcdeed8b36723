"""What a wheel and an editable install carry."""

import importlib.metadata
import re
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import gendd_mm

ROOT = Path(__file__).resolve().parent.parent
SOURCES = [
    'gendd_mm',
    'configs',
    'tools',
    'requirements',
    'setup.cfg',
    'setup.py',
    'pyproject.toml',
    'MANIFEST.in',
    'LICENSE',
    'README.md',
    'CHANGELOG.md',
    'model-index.yml',
]


@pytest.fixture(scope='module')
def checkout(tmp_path_factory) -> Path:
    """A copy of the sources: a build writes beside them."""
    target = tmp_path_factory.mktemp('checkout')
    leave = shutil.ignore_patterns('__pycache__', '.mim')
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=leave)
        elif source.exists():
            shutil.copy2(source, target / name)
    # What a configuration file and a cache beside it look like to MIM.
    (target / 'configs' / '__pycache__').mkdir(parents=True, exist_ok=True)
    (target / 'configs' / '__pycache__' / 'a.pyc').touch()
    return target


@pytest.fixture(scope='module')
def wheel(checkout) -> zipfile.ZipFile:
    """The wheel made from the sdist: what users get from an index."""
    # In this environment, not an isolated one: the tests work offline.
    subprocess.run(
        [sys.executable, '-m', 'build', '--no-isolation', '--skip-dependency-check', str(checkout)],
        check=True,
        capture_output=True,
        cwd=checkout.parent,
    )
    return zipfile.ZipFile(next((checkout / 'dist').glob('*.whl')))


def metadata(wheel: zipfile.ZipFile):
    name = next(n for n in wheel.namelist() if n.endswith('/METADATA'))
    return Parser().parsestr(wheel.read(name).decode())


def test_a_wheel_carries_configs_and_tools(wheel):
    carried = {
        name.removeprefix('gendd_mm/.mim/')
        for name in wheel.namelist()
        if name.startswith('gendd_mm/.mim/')
    }
    wanted = {
        str(path.relative_to(ROOT))
        for folder in ('configs', 'tools')
        for path in (ROOT / folder).rglob('*')
        if path.is_file() and '__pycache__' not in path.parts
    }
    if (ROOT / 'model-index.yml').exists():
        wanted.add('model-index.yml')
    assert carried == wanted


def test_a_wheel_carries_the_package_and_no_more(wheel):
    folders = {name.partition('/')[0] for name in wheel.namelist()}
    assert folders == {'gendd_mm', f'gendd_mm-{gendd_mm.__version__}.dist-info'}
    modules = {
        str(path.relative_to(ROOT))
        for path in (ROOT / 'gendd_mm').rglob('*.py')
        if '.mim' not in path.parts
    }
    assert modules <= set(wheel.namelist())
    assert any(name.endswith('LICENSE') for name in wheel.namelist())


def test_an_install_leaves_the_stack_alone(wheel):
    """Without an extra, nothing that could replace torch or OpenMMLab."""
    required = metadata(wheel).get_all('Requires-Dist')
    always = [line for line in required if 'extra ==' not in line]
    assert always == ['numpy']


def test_the_extras_bring_what_they_promise(wheel):
    required = metadata(wheel).get_all('Requires-Dist')

    def brought_by(extra: str) -> set:
        suffix = re.compile(rf';\s*extra == ["\']{extra}["\']$')
        return {suffix.sub('', line).strip() for line in required if suffix.search(line)}

    assert {
        'mmengine==0.10.7',
        'mmcv-lite==2.1.0',
        'mmpretrain==1.2.0',
        'mmrazor==1.0.0',
        'joblib',
    } <= brought_by('mm')
    assert {
        'onedl-mmengine==0.10.12',
        'onedl-mmcv==2.3.6',
        'onedl-mmpretrain==1.3.6',
        'mmrazor==1.0.0',
        'joblib',
    } <= brought_by('onedl')
    # The two stacks import under the same names: `all` has one of them.
    parts = [brought_by(e) for e in ('mm', 'optional', 'tests', 'lint', 'docs')]
    assert brought_by('all') == set().union(*parts)


def test_the_versions_agree(wheel):
    assert metadata(wheel)['Version'] == gendd_mm.__version__
    assert metadata(wheel)['Requires-Python'] == '>=3.10'


def test_an_editable_install_links_configs_and_tools(checkout, tmp_path):
    code = f'from setuptools import build_meta\nbuild_meta.build_editable({str(tmp_path)!r})'
    subprocess.run([sys.executable, '-c', code], check=True, capture_output=True, cwd=checkout)
    mim = checkout / 'gendd_mm' / '.mim'
    assert (mim / 'tools' / 'train.py').samefile(checkout / 'tools/train.py')
    # Relative links: the checkout can be moved.
    assert not (mim / 'tools').readlink().is_absolute()


def test_this_package_is_the_one_under_test():
    assert Path(gendd_mm.__file__).resolve().parent == ROOT / 'gendd_mm'
    assert importlib.metadata.version('gendd_mm') == gendd_mm.__version__
