"""A checkpoint given by URL never runs its pickle, and its config is only text."""

import http.server
import os
import threading
from functools import partial
from unittest import mock

import mmengine.runner.checkpoint as mmengine_checkpoint
import pytest
import small_models
import torch
from mmengine.config import Config
from mmengine.model import BaseModule
from torch import nn

from gendd_mm.checkpoint import read_state_dict
from gendd_mm.converters.convert import convert_checkpoint
from gendd_mm.converters.gendd_authors import convert_gendd
from gendd_mm.deploy.student_weights import student_weights
from gendd_mm.engine.hooks import WarmStartHook
from gendd_mm.engine.options import RunOptions, merge_test, merge_train
from gendd_mm.engine.resume import resume_from
from gendd_mm.models import ReusedClassifierHead


class Trap:
    def __init__(self, folder) -> None:
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args) -> None:
        pass


@pytest.fixture
def trap(tmp_path, monkeypatch):
    """Address of a checkpoint that would make a folder, and that folder."""
    served, sprung = tmp_path / 'served', tmp_path / 'sprung'
    served.mkdir()
    torch.save(dict(state_dict=dict(weight=torch.ones(1)), meta=Trap(sprung)), served / 'a.pth')
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    server = http.server.ThreadingHTTPServer(
        ('127.0.0.1', 0), partial(Quiet, directory=str(served))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{server.server_port}/a.pth', sprung
    server.shutdown()
    server.server_close()


def pretrained(url: str) -> None:
    class Layer(BaseModule):
        def __init__(self) -> None:
            super().__init__(init_cfg=dict(type='Pretrained', checkpoint=url))
            self.weight = nn.Parameter(torch.zeros(1))

    Layer().init_weights()


def hub(scheme: str, table: str):
    def read(url: str) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(mmengine_checkpoint, table, lambda: dict(net=url))
            read_state_dict(f'{scheme}://net')

    return read


def warm_start(url: str) -> None:
    WarmStartHook(url).before_train(mock.Mock(iter=0, model=small_models.built()))


def digits_run(**settings) -> Config:
    folder = os.environ['TORCH_HOME']
    os.makedirs(folder, exist_ok=True)
    teacher = small_models.digits_teacher(f'{folder}/teacher.pth')
    cfg = small_models.shrunk('gendd_digits.py', folder, teacher)
    cfg.update(settings)
    return cfg


def resumed(url: str) -> None:
    cfg = merge_train(digits_run(), RunOptions())
    resume_from(cfg, url)
    small_models.trained(cfg)


def started(url: str) -> None:
    small_models.trained(merge_train(digits_run(load_from=url), RunOptions()))


def evaluated(url: str) -> None:
    small_models.runner_of(merge_test(digits_run(), url, RunOptions())).test()


@pytest.mark.fault('Checkpoints', 'a URL whose pickle runs code', 'refused; nothing runs')
@pytest.mark.parametrize(
    'read',
    [
        read_state_dict,
        pretrained,
        lambda url: mmengine_checkpoint.load_checkpoint(nn.Linear(1, 1), url),
        hub('torchvision', 'get_torchvision_models'),
        hub('openmmlab', 'get_external_models'),
        hub('mmcls', 'get_mmcls_models'),
        lambda url: small_models.built(teacher=small_models.teacher(), teacher_ckpt=url),
        lambda url: ReusedClassifierHead(3, 4, 8, teacher_ckpt=url),
        warm_start,
        resumed,
        started,
        evaluated,
        student_weights,
        lambda url: convert_checkpoint(url, 'never.pth', architecture=None),
        lambda url: convert_gendd(url, 'never.pth', cfg=None),
    ],
    ids=[
        'weights',
        'init_cfg',
        'mmengine',
        'torchvision',
        'openmmlab',
        'mmcls',
        'teacher',
        'reused_classifier',
        'stage_1',
        'resume',
        'load_from',
        'test',
        'export',
        'converter',
        'authors',
    ],
)
def test_the_pickle_of_a_url_is_refused(trap, read):
    url, sprung = trap
    with pytest.raises(ValueError, match='refuses the checkpoint.*mkdir') as raised:
        read(url)
    assert 'weights_only=False' not in str(raised.value).replace(' ', '')
    assert not sprung.exists()
    # It works where nothing protects.
    torch.hub.load_state_dict_from_url(url, weights_only=False)
    assert sprung.exists()


@pytest.mark.fault('Checkpoints', 'Python in meta.config', 'never evaluated')
def test_a_saved_config_does_not_reach_mmengine(tmp_path):
    path = tmp_path / 'a.pth'
    code = f'import os; os.mkdir({str(tmp_path / "sprung")!r})'
    torch.save(dict(state_dict={}, meta=dict(config=code, iter=3)), path)
    loaded = mmengine_checkpoint.CheckpointLoader.load_checkpoint(str(path))
    assert loaded['meta'] == dict(iter=3)


def test_a_resumed_run_does_not_evaluate_it(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    cfg = digits_run()
    cfg.train_cfg.max_epochs = 1
    small_models.trained(cfg.copy())
    checkpoint = torch.load(f'{cfg.work_dir}/epoch_1.pth', weights_only=True)
    sprung = tmp_path / 'sprung'
    checkpoint['meta']['config'] = f'import os; os.mkdir({str(sprung)!r})'
    torch.save(checkpoint, tmp_path / 'a.pth')
    cfg.train_cfg.max_epochs = 2
    cfg.update(resume=True, load_from=str(tmp_path / 'a.pth'))
    cfg.experiment_name += 'b'
    assert small_models.trained(cfg).epoch == 2
    assert not sprung.exists()


@pytest.mark.fault('Checkpoints', 'a teacher with NaN in its weights', 'refused, the weight named')
def test_weights_that_are_not_finite_are_refused(tmp_path):
    path = str(tmp_path / 'a.pth')
    torch.save(dict(a=torch.ones(2), b=torch.tensor([1.0, float('nan')])), path)
    with pytest.raises(ValueError, match="a.pth.*NaN or infinity in 1 weights, the first 'b'"):
        read_state_dict(path)
