"""The model zoo: what its files name exists, and nothing is left out.

That every config of ours is in it, tests/test_configs.py says.
"""

from pathlib import Path

import pytest
import yaml
from modelindex.load_model_index import load
from published_configs import CHOICES, of_file
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


def test_every_model_is_an_experiment_of_its_config(index):
    """By the name of the file, or of the choice that the file takes."""
    names = [model.name for model in index.models]
    assert len(names) == len(set(names))
    for model in index.models:
        path = ROOT / model.config
        assert path.is_file()
        choices = of_file(str(path.relative_to(CONFIGS)))
        folders = [experiment.read().get('work_dir', '') for experiment in choices]
        assert model.name in {path.stem, *(Path(folder).name for folder in folders)}


def test_a_config_of_several_models_is_one_that_takes_a_choice(index):
    configs = [str(Path(model.config).relative_to('configs')) for model in index.models]
    shared = {name for name in configs if configs.count(name) > 1}
    assert shared
    for name in shared:
        assert configs.count(name) == len(CHOICES[name])
        notes = (CONFIGS / name).with_name('metafile.yml').read_text().split('Models:')[0]
        for variable in CHOICES[name][0]:
            assert variable in notes, 'what chooses among them'


def test_a_reported_result_says_so_and_is_the_same_everywhere(index):
    """None of the paper's experiments has been run by us."""
    reported = 0
    for model in index.models:
        for result in model.results or ():
            for name, value in result.metrics.items():
                assert name.endswith(
                    ('(reported by the authors)', '(reported by the CRD benchmark)')
                )
                reported += 1
                readme = Path(model.filepath).with_name('README.md')
                assert f'{value:.2f}' in readme.read_text(), (model.name, name)
                # Of a shared config the numbers are in the README alone.
                if str(Path(model.config).relative_to('configs')) not in CHOICES:
                    config = (ROOT / model.config).read_text()
                    assert f'{value:.2f}' in config, (model.name, name)
    assert reported > 26
