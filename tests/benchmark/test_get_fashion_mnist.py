"""tools/get_fashion_mnist.sh: what it takes, and what it refuses, offline."""

import gzip
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / 'data' / 'fashion_mnist'
NAMES = [
    f'{part}-{kind}-ubyte' for part in ('train', 't10k') for kind in ('images-idx3', 'labels-idx1')
]


@pytest.fixture
def fetch(tmp_path):
    """Run it into a folder of the test, with an apt-get that is offline."""
    commands = tmp_path / 'bin'
    commands.mkdir()
    offline = commands / 'apt-get'
    offline.write_text('#!/bin/sh\nexit 100\n')
    offline.chmod(0o755)
    environment = dict(
        os.environ, PATH=f'{commands}:{os.environ["PATH"]}', FASHION_MNIST=str(tmp_path / 'target')
    )

    def run(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            ['bash', str(ROOT / 'tools/get_fashion_mnist.sh'), *arguments],
            env=environment,
            capture_output=True,
            text=True,
        )

    return run


def write(folder: Path, names: list) -> str:
    folder.mkdir()
    for name in names:
        with gzip.open(folder / f'{name}.gz', 'wb') as file:
            file.write(b'not images')
    return str(folder)


def test_it_names_the_files_that_a_folder_lacks(fetch, tmp_path):
    done = fetch(write(tmp_path / 'some', NAMES[:3]))
    assert done.returncode == 1
    assert all(name in done.stderr for name in NAMES)


def test_it_refuses_other_files_of_these_names(fetch, tmp_path):
    done = fetch(write(tmp_path / 'other', NAMES))
    assert done.returncode == 1
    assert 'MD5' in done.stderr


@pytest.mark.skipif(
    Path('/usr/share/datasets/fashion-mnist').exists(), reason='the package is installed'
)
def test_offline_it_says_how_to_get_them(fetch):
    done = fetch()
    assert done.returncode == 1
    assert 'apt-get install dataset-fashion-mnist' in done.stderr


@pytest.mark.skipif(
    not all((DATA / name).is_file() for name in NAMES),
    reason='Fashion-MNIST is not in data/fashion_mnist',
)
def test_it_unpacks_them_once(fetch, tmp_path):
    published = tmp_path / 'published'
    published.mkdir()
    for name in NAMES:
        with (
            open(DATA / name, 'rb') as source,
            gzip.open(published / f'{name}.gz', 'wb', compresslevel=0) as target,
        ):
            shutil.copyfileobj(source, target)
    assert fetch(str(published)).returncode == 0
    shutil.rmtree(published)
    target = tmp_path / 'target'
    assert sorted(file.name for file in target.iterdir()) == sorted(NAMES)
    before = [(target / name).stat().st_mtime_ns for name in NAMES]
    assert fetch().returncode == 0  # offline, and nothing to do
    assert before == [(target / name).stat().st_mtime_ns for name in NAMES]
