"""The model zoo: what its files name exists, and nothing is left out."""

from pathlib import Path

import pytest
import yaml
from modelindex.load_model_index import load
from small_models import CONFIGS, ROOT

# Folders with a metafile; other experiments join them as they get one.
METAFILES = sorted(CONFIGS.glob('*/metafile.yml'))


@pytest.fixture(scope='module')
def index():
    return load(str(ROOT / 'model-index.yml'))


def test_it_parses_and_imports_every_metafile(index):
    index.build_models_with_collections()
    assert not index.check(silent=True)
    imported = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    assert sorted(ROOT / path for path in imported['Import']) == METAFILES


def test_every_config_of_it_exists_once(index):
    named = [model.config for model in index.models]
    assert len(named) == len(set(named))
    for model in index.models:
        assert (ROOT / model.config).is_file()
        assert Path(model.config).stem == model.name


@pytest.mark.parametrize('folder', ['imagenet', 'cc3m', 'imagenet_lt', 'cifar100'])
def test_every_config_is_in_it(index, folder):
    named = {model.config for model in index.models}
    for path in (CONFIGS / folder).glob('*.py'):
        assert str(path.relative_to(ROOT)) in named, path


def test_a_reported_result_says_so_and_is_the_same_everywhere(index):
    """None of the paper's experiments has been run by us."""
    reported = 0
    for model in index.models:
        for result in model.results or ():
            for name, value in result.metrics.items():
                assert name.endswith('(reported by the authors)')
                reported += 1
                config = (ROOT / model.config).read_text()
                readme = Path(model.filepath).with_name('README.md')
                assert f'{value:.2f}' in config, (model.name, name)
                assert f'{value:.2f}' in readme.read_text(), (model.name, name)
    assert reported > 20
