"""What a wheel, an sdist and an editable install carry."""

import importlib.metadata
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from configparser import ConfigParser
from email.parser import Parser
from pathlib import Path

import pytest
import yaml

import gendd_mm

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ('gendd_mm', 'gendd_commands')
FOR_MIM = ('configs', 'tools', 'model-index.yml')
METADATA = (
    'requirements',
    'setup.cfg',
    'setup.py',
    'pyproject.toml',
    'MANIFEST.in',
    'LICENSE',
    'README.md',
    'CHANGELOG.md',
    'CITATION.cff',
)
# What a user's work leaves in a checkout, and earlier builds.
STRAY = (
    'configs/my_pair.py',
    'configs/__pycache__/a.pyc',
    'configs/work_dirs/my_pair/epoch_1.pth',
    'tools/scratch.sh',
    'gendd_mm/notes.py',
    'gendd_mm/mine/__init__.py',
    'gendd_mm/data/train.jsonl',
    'gendd_mm_old/__init__.py',
    'requirements/mine.txt',
    'work_dirs/run/epoch_1.pth',
    'data/images/0.png',
    'checkpoints/teacher.pth',
    'build/lib/gendd_mm/gone.py',
    'build/lib/gendd_mm/.mim/configs/gone.py',
)


def repository_files() -> set[str]:
    """Files of this repository that packages are made from."""
    if not (ROOT / '.git').exists():
        pytest.skip('what is tracked is known in a checkout alone')
    own = [*PACKAGES, *FOR_MIM, *METADATA]
    listed = subprocess.run(
        ['git', 'ls-files', '-z', '--', *own], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    return {name for name in listed.split('\0') if name and (ROOT / name).exists()}


def copy_files(target: Path) -> Path:
    for name in repository_files():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target / name)
    return target


@pytest.fixture(scope='module')
def checkout(tmp_path_factory) -> Path:
    """A copy of the sources in a repository of its own, amid the work of a user."""
    target = copy_files(tmp_path_factory.mktemp('checkout'))
    for command in (['init', '-q'], ['add', '-A']):
        subprocess.run(['git', *command], cwd=target, check=True)
    for name in STRAY:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text('# not for others\n')
    # As an earlier build has listed them.
    (target / 'gendd_mm.egg-info').mkdir()
    (target / 'gendd_mm.egg-info' / 'SOURCES.txt').write_text('\n'.join(STRAY))
    return target


def build(folder: Path, out: Path, *options: str) -> Path:
    """Build packages into a folder; without options, an sdist and the wheel made from it."""
    # In this environment, not an isolated one: the tests work offline.
    subprocess.run(
        [
            *(sys.executable, '-m', 'build', '--no-isolation', '--skip-dependency-check'),
            *('--outdir', str(out), *options, str(folder)),
        ],
        check=True,
        capture_output=True,
        cwd=folder.parent,
    )
    return out


@pytest.fixture(scope='module')
def packages(checkout) -> Path:
    """The folder of what users get from an index."""
    return build(checkout, checkout / 'dist')


@pytest.fixture(scope='module')
def wheel(packages) -> zipfile.ZipFile:
    return zipfile.ZipFile(next(packages.glob('*.whl')))


def metadata(wheel: zipfile.ZipFile):
    name = next(n for n in wheel.namelist() if n.endswith('/METADATA'))
    return Parser().parsestr(wheel.read(name).decode())


def expected_in_a_wheel() -> set[str]:
    files = repository_files()
    packages = {name for name in files if name.startswith(tuple(f'{p}/' for p in PACKAGES))}
    return packages | {
        f'gendd_mm/.mim/{name}' for name in files if name.partition('/')[0] in FOR_MIM
    }


def files_in(wheel: zipfile.ZipFile) -> set[str]:
    return {name for name in wheel.namelist() if '.dist-info/' not in name}


def test_a_wheel_carries_what_the_repository_has_and_no_more(wheel):
    assert files_in(wheel) == expected_in_a_wheel()
    assert any(name.endswith('LICENSE') for name in wheel.namelist())
    assert {f'{package}/py.typed' for package in PACKAGES} <= files_in(wheel)


def test_so_does_a_wheel_that_is_built_in_the_checkout(checkout, tmp_path):
    made = build(checkout, tmp_path, '--wheel')
    assert files_in(zipfile.ZipFile(next(made.glob('*.whl')))) == expected_in_a_wheel()


def test_an_sdist_carries_what_the_repository_has_and_no_more(packages):
    with tarfile.open(next(packages.glob('*.tar.gz'))) as archive:
        names = [member.name for member in archive.getmembers() if member.isfile()]
        listed = archive.extractfile(
            next(archive.getmember(name) for name in names if name.endswith('/SOURCES.txt'))
        )
        sources = listed.read().decode().split('\n')
    carried = {name.partition('/')[2] for name in names}
    made = {name for name in carried if name == 'PKG-INFO' or '.egg-info/' in name}
    assert carried - made == repository_files()
    assert not set(sources) & set(STRAY)


def test_where_there_is_no_git_the_manifest_says_what_is_packed(tmp_path):
    folder = copy_files(tmp_path / 'sources')
    for name in ('work_dirs/run/epoch_1.pth', 'configs/run/epoch_1.pth', 'configs/a.pyc'):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    made = build(folder, tmp_path / 'dist', '--wheel')
    assert files_in(zipfile.ZipFile(next(made.glob('*.whl')))) == expected_in_a_wheel()


def test_a_wheel_has_the_commands(wheel):
    name = next(n for n in wheel.namelist() if n.endswith('/entry_points.txt'))
    scripts = ConfigParser()
    scripts.read_string(wheel.read(name).decode())
    for command, target in scripts['console_scripts'].items():
        module, _, function = target.partition(':')
        assert command.startswith('gendd-')
        assert f'{module.replace(".", "/")}.py' in wheel.namelist()
        assert function == 'main'
    assert {
        'gendd-train',
        'gendd-test',
        'gendd-export',
        'gendd-make-config',
        'gendd-check',
    } <= set(scripts['console_scripts'])


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
    cited = yaml.safe_load((ROOT / 'CITATION.cff').read_text())
    assert cited['version'] == gendd_mm.__version__


def test_the_citation_is_that_of_the_readme():
    cited = yaml.safe_load((ROOT / 'CITATION.cff').read_text())['preferred-citation']
    bibtex = (ROOT / 'README.md').read_text().partition('```bibtex')[2]
    for name in ('title', 'journal', 'year'):
        assert re.search(rf'{name}\s*= ' + re.escape(f'{{{cited[name]}}}'), bibtex)


@pytest.mark.parametrize('may_link', [True, False])
def test_an_editable_install_has_configs_and_tools(may_link, checkout, tmp_path):
    """As links, or as copies where the system refuses links."""
    code = f'from setuptools import build_meta\nbuild_meta.build_editable({str(tmp_path)!r})'
    if not may_link:
        code = f'import pathlib\npathlib.Path.symlink_to = lambda *a: open("/no/such")\n{code}'
    subprocess.run([sys.executable, '-c', code], check=True, capture_output=True, cwd=checkout)
    mim = checkout / 'gendd_mm' / '.mim'
    assert (mim / 'tools' / 'train.py').samefile(checkout / 'tools/train.py') == may_link
    assert (mim / 'tools' / 'train.py').read_text() == (ROOT / 'tools/train.py').read_text()
    if may_link:  # relative links: the checkout can be moved
        assert not (mim / 'tools').readlink().is_absolute()
    else:
        assert not (mim / 'configs' / 'my_pair.py').exists()


def test_this_package_is_the_one_under_test():
    assert Path(gendd_mm.__file__).resolve().parent == ROOT / 'gendd_mm'
    assert importlib.metadata.version('gendd_mm') == gendd_mm.__version__
