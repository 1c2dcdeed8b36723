"""The shims of gendd_mm.compat: what they allow, refuse and give back."""

import importlib.metadata
import io
import json
import pickle
import subprocess
import sys
import warnings
from pickle import UnpicklingError

import mmcv
import mmengine.runner.checkpoint as mmengine_checkpoint
import numpy as np
import pytest
import torch
import torch.nn as nn
from mmengine.evaluator import BaseMetric
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader
from torch.torch_version import TorchVersion

import gendd_mm  # noqa: F401
from gendd_mm import checkpoint_shims, compat

protected = pytest.mark.skipif(
    compat.digit_version(torch.__version__) < compat.digit_version('2.6.0'),
    reason='torch.load protects by default since torch 2.6',
)


class ToyModel(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 1)

    def forward(self, inputs, mode):
        outputs = self.linear(torch.stack(list(inputs)))
        if mode == 'loss':
            return dict(loss=outputs.square().mean())
        return [dict(value=value) for value in outputs]


class ToyMetric(BaseMetric):
    """Returns a numpy number, as a metric may."""

    def process(self, data_batch, data_samples) -> None:
        self.results.extend(data_samples)

    def compute_metrics(self, results) -> dict:
        return dict(score=np.float32(len(results)))


def make_runner(work_dir, name: str, max_epochs: int, **settings) -> Runner:
    generator = torch.Generator().manual_seed(0)
    loader = dict(
        dataset=list(torch.randn(8, 2, generator=generator)),
        batch_size=4,
        num_workers=0,
        collate_fn=lambda samples: dict(inputs=samples),
    )
    sampler = dict(type='DefaultSampler', shuffle=True)
    torch.manual_seed(0)
    return Runner(
        model=ToyModel(),
        work_dir=str(work_dir),
        experiment_name=f'{work_dir.parent.name}-{work_dir.name}-{name}',
        train_dataloader={**loader, 'sampler': sampler},
        val_dataloader={**loader, 'sampler': dict(type='DefaultSampler', shuffle=False)},
        val_evaluator=[ToyMetric()],
        train_cfg=dict(by_epoch=True, max_epochs=max_epochs),
        val_cfg=dict(),
        optim_wrapper=dict(optimizer=dict(type='Adam', lr=0.01)),
        param_scheduler=dict(type='CosineAnnealingLR', T_max=4),
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=1),
            checkpoint=dict(type='CheckpointHook', interval=1, save_best='score', rule='greater'),
        ),
        randomness=dict(seed=0),
        default_scope='mmengine',
        **settings,
    )


def pickle_bytes(value, protocol: int = 2) -> bytes:
    return pickle.dumps(value, protocol=protocol)


def load_bytes(data: bytes):
    """Read a bare pickle as torch.load does under protection."""
    from torch import _weights_only_unpickler

    return _weights_only_unpickler.load(io.BytesIO(data))


# Shims 4, 5 and 10: MMRazor.
def test_versions_read_as_what_they_are():
    assert torch.__version__ == torch.version.__version__
    assert type(torch.__version__) is TorchVersion
    assert mmcv.__version__ == mmcv.version.__version__


def test_mmrazor_loads_and_knows_the_true_torch():
    from mmrazor.models.algorithms import FpnTeacherDistill  # noqa: F401
    from mmrazor.models.distillers import ConfigurableDistiller  # noqa: F401

    true = sys.modules['mmengine.utils'].digit_version
    told = {
        name
        for name, module in sys.modules.items()
        if name.partition('.')[0] == 'mmrazor'
        and getattr(module, 'digit_version', true) is not true
    }
    assert not told


def test_recursion_has_an_end():
    assert sys.getrecursionlimit() < 10_000
    with pytest.raises(RecursionError):
        json.loads(100_000 * '[')


def test_applying_twice_changes_nothing():
    before = (list(sys.meta_path), torch.__version__, mmcv.__version__)
    allowed = len(torch.serialization.get_safe_globals())
    compat.apply()
    assert before == (list(sys.meta_path), torch.__version__, mmcv.__version__)
    assert allowed == len(torch.serialization.get_safe_globals())


# Makes an interpreter blind to an installed module.
HIDE = """
import sys


class Blind:
    # Wraps a finder of modules.
    def __init__(self, finder, hidden):
        self.finder = finder
        self.hidden = hidden

    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] == self.hidden:
            return None
        return self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)


def hide(name):
    sys.meta_path[:] = [Blind(finder, name) for finder in sys.meta_path]
"""

# A fresh interpreter with a newer mmcv and without pkg_resources.
UNKIND_MACHINE = (
    HIDE
    + """
hide('pkg_resources')
import mmcv
mmcv.__version__ = '2.3.9'
import gendd_mm
assert mmcv.__version__ == '2.3.9', mmcv.__version__
import gendd_mm
from mmrazor.models.algorithms import SingleTeacherDistill

from mmengine.hub import get_config
from mmengine.utils import get_installed_path, is_installed
assert is_installed('mmrazor') and is_installed('numpy')
assert not is_installed('no_such_package')
assert get_installed_path('mmrazor').endswith('mmrazor')
config = get_config('mmpretrain::resnet/resnet18_8xb32_in1k.py')
assert config.model.backbone.depth == 18
print('all well')
"""
)


def test_newer_mmcv_and_missing_pkg_resources_do_not_matter():
    done = subprocess.run([sys.executable, '-c', UNKIND_MACHINE], capture_output=True, text=True)
    # The forks print a line of their own before.
    assert done.stdout.endswith('all well\n'), done.stderr


def test_half_a_stack_is_told_that_nothing_is_registered():
    """MMEngine would only say that it does not know a type of ours."""
    code = HIDE + "hide('mmrazor')\nimport gendd_mm"
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.returncode == 0
    assert 'registers nothing, because mmrazor is not installed' in done.stderr
    assert "pip install -e '.[mm]'" in done.stderr


def test_pytest_can_extend_the_path_beside_the_stand_in(monkeypatch, tmp_path):
    module = type(sys)('pkg_resources')
    compat._PkgResourcesFinder().exec_module(module)
    monkeypatch.setitem(sys.modules, 'pkg_resources', module)
    monkeypatch.syspath_prepend(tmp_path)
    assert sys.path[0] == str(tmp_path)


def test_the_stand_in_for_pkg_resources_tells_what_metadata_says():
    loader = compat._PkgResourcesFinder()
    module = type(sys)('pkg_resources')
    loader.exec_module(module)
    numpy = module.get_distribution('numpy')
    assert np.__file__.startswith(numpy.location)
    assert numpy.has_metadata('METADATA')
    assert numpy.get_metadata('METADATA').startswith('Metadata-Version')
    with pytest.raises(module.DistributionNotFound):
        module.get_distribution('no_such_package')
    assert loader.find_spec('os') is None
    assert importlib.metadata.version('numpy') == np.__version__


# Shims 2 and 3: checkpoints.
@protected
def test_a_run_resumes_under_protection(tmp_path):
    whole = make_runner(tmp_path / 'whole', 'whole', max_epochs=2)
    whole.train()
    halfway = tmp_path / 'whole' / 'epoch_1.pth'
    checkpoint = torch.load(halfway, weights_only=True)
    scalars = checkpoint['message_hub']['log_scalars']
    assert isinstance(scalars['train/loss'], HistoryBuffer)

    resumed = make_runner(
        tmp_path / 'resumed', 'resumed', max_epochs=2, load_from=str(halfway), resume=True
    )
    resumed.train()
    assert resumed.epoch == whole.epoch == 2
    assert resumed.iter == whole.iter == 4
    torch.testing.assert_close(resumed.model.state_dict(), whole.model.state_dict(), rtol=0, atol=0)
    losses = [runner.message_hub.get_scalar('train/loss').data[0] for runner in (resumed, whole)]
    np.testing.assert_array_equal(*losses)


@protected
def test_a_history_keeps_its_statistics():
    history = HistoryBuffer([1.0, 3.0], [1, 1])
    loaded = load_bytes(pickle_bytes(history))
    for name in ('min', 'max', 'current', 'mean'):
        assert loaded.statistics(name) == history.statistics(name)


@protected
@pytest.mark.parametrize(
    'value',
    [
        np.float64(0.5),
        np.float32(0.5),
        np.int64(3),
        np.arange(3.0),
        np.arange(3),
    ],
)
def test_numbers_of_either_numpy_can_be_read(value):
    data = pickle_bytes(value)
    if b'numpy._core' in data:
        other = data.replace(b'numpy._core', b'numpy.core')
    else:
        other = data.replace(b'numpy.core', b'numpy._core')
    assert other != data
    for written in (data, other):
        np.testing.assert_array_equal(load_bytes(written), value)


class Malicious:
    """Creates a file when it is unpickled."""

    def __init__(self, path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, 'w')


@pytest.fixture
def malicious(tmp_path):
    path = tmp_path / 'malicious.pth'
    torch.save(dict(state_dict={}, meta=Malicious(tmp_path / 'was_here')), path)
    return path


@protected
def test_a_malicious_checkpoint_is_refused(malicious):
    with pytest.raises(ValueError, match='refuses the checkpoint.*open'):
        CheckpointLoader.load_checkpoint(str(malicious))
    with pytest.raises(ValueError, match='refuses the checkpoint.*open'):
        mmengine_checkpoint.load_checkpoint(ToyModel(), str(malicious))
    assert not (malicious.parent / 'was_here').exists()


@protected
@pytest.mark.parametrize('resume', [False, True])
def test_no_run_starts_from_a_malicious_checkpoint(malicious, resume):
    runner = make_runner(
        malicious.parent / 'run',
        f'resume-{resume}',
        max_epochs=1,
        load_from=str(malicious),
        resume=resume,
    )
    with pytest.raises(ValueError, match='refuses the checkpoint.*open'):
        runner.train()
    assert not (malicious.parent / 'was_here').exists()


@protected
def test_the_malicious_checkpoint_would_have_done_harm(malicious):
    """Without protection it does: the tests above test something."""
    with open(malicious, 'rb') as file, warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.load(file, weights_only=False)
    assert (malicious.parent / 'was_here').exists()


class Getattr:
    """Pickled as getattr(owner, name)."""

    def __init__(self, owner, name: str) -> None:
        self.call = (owner, name)

    def __reduce__(self):
        return getattr, self.call


@protected
@pytest.mark.parametrize(
    ('owner', 'name'),
    [
        (HistoryBuffer, '__init__'),
        (HistoryBuffer, '__setstate__'),
        (HistoryBuffer, 'register_statistics'),
        (np.ndarray, 'tofile'),
        (np.ndarray, 'mean'),
    ],
)
def test_a_checkpoint_cannot_use_getattr(owner, name):
    with pytest.raises(UnpicklingError, match=f'{name}.*only the statistics'):
        load_bytes(pickle_bytes(Getattr(owner, name)))


@protected
def test_a_fork_that_falls_back_is_kept_from_it(monkeypatch, malicious):

    def fall_back(file, map_location=None, weights_only=None):
        return torch.load(file, map_location, weights_only=False)

    monkeypatch.setattr(mmengine_checkpoint, '_safe_torch_load', fall_back, raising=False)
    checkpoint_shims.keep_weights_only_on()
    with pytest.raises(ValueError, match='refuses'):
        mmengine_checkpoint._safe_torch_load(str(malicious))
    assert not (malicious.parent / 'was_here').exists()


def test_a_torch_without_protection_is_named(monkeypatch):
    monkeypatch.setattr(torch, '__version__', '2.5.1')
    with pytest.warns(UserWarning, match='2.5.1.*install torch>=2.6'):
        checkpoint_shims.allow_mmengine_checkpoints()


# Shim 6: no CUDA.
def test_launchers_set_no_device_and_give_the_function_back(monkeypatch):
    set_device = torch.cuda.set_device
    calls = []

    def init_dist(launcher, **options):
        torch.cuda.set_device(0)  # would raise on a machine without CUDA
        calls.append((launcher, options))

    monkeypatch.setattr(compat, 'init_dist', init_dist)
    compat.init_gloo('slurm', dict(backend='nccl', port=1234))
    assert calls == [('slurm', dict(backend='gloo', port=1234))]
    assert torch.cuda.set_device is set_device
