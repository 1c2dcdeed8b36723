"""On another number of processes, a run keeps its place in its epochs."""

import copy

import pytest
import small_models
import torch

from gendd_mm.engine.epoch_length import follow_epoch_length, scaled


def test_whole_epochs_stay_whole():
    for old, new in ((20, 40), (40, 20), (7, 3), (3, 7), (1, 5)):
        for epochs in range(5):
            assert scaled(epochs * old, old, new) == epochs * new


def test_the_place_is_kept_and_stays_inside_its_epoch():
    for old, new in ((20, 40), (40, 20), (7, 3), (3, 7)):
        places = [scaled(k, old, new) for k in range(4 * old)]
        assert places == sorted(places)
        for k, place in enumerate(places):
            assert k // old == place // new
            assert abs(k / old - place / new) <= 1 / min(old, new)


def resumed(tmp_path, batch_size: int):
    """Values of rate and beta2 by epoch: a run of six epochs, stopped after two."""
    teacher = small_models.digits_teacher(tmp_path / 'teacher.pth')
    cfg = small_models.shrunk('gendd_digits.py', tmp_path / 'run', teacher)
    cfg.train_cfg.max_epochs = 6
    for scheduler in cfg.param_scheduler:
        if scheduler.end == 3:
            scheduler.end = 6
    cfg.default_hooks.checkpoint.update(interval=1, max_keep_ckpts=-1)
    first = copy.deepcopy(cfg)
    first.train_cfg.max_epochs = 2
    small_models.trained(first)
    cfg.experiment_name += 'b'
    cfg.resume = True
    cfg.train_dataloader.batch_size = batch_size
    runner = small_models.trained(cfg)
    groups = [
        torch.load(f'{cfg.work_dir}/epoch_{n}.pth', weights_only=True)['optimizer']['param_groups'][
            0
        ]
        for n in range(1, 7)
    ]
    return runner, [(group['lr'], group['betas'][1]) for group in groups]


@pytest.mark.fault(
    'Resuming',
    'on another number of processes, or with another batch size',
    'a warning with both numbers; schedules by epoch keep their place in the epochs',
)
def test_schedules_by_epoch_follow(tmp_path):
    """Eight images a step are three steps an epoch, four are six."""
    (tmp_path / 'same').mkdir()
    (tmp_path / 'half').mkdir()
    unchanged, expected = resumed(tmp_path / 'same', 8)
    runner, values = resumed(tmp_path / 'half', 4)
    assert unchanged.iter == 18
    assert runner.iter == 6 * 6
    # The schedules are of iterations; the last of an epoch is nearer to its end.
    for (lr, beta2), (true_lr, true_beta2) in zip(values[2:-1], expected[2:-1]):
        assert lr == pytest.approx(true_lr, rel=0.2)
        assert beta2 == pytest.approx(true_beta2, abs=2e-3)
    # Both end within a step of the end of the cosine.
    assert 0 <= values[-1][0] <= expected[-1][0] < 0.1 * expected[0][0]
    assert values[-1][1] == pytest.approx(0.999)
    assert expected[-1][1] == pytest.approx(0.999)


def test_the_place_inside_an_epoch_follows():
    checkpoint = dict(meta=dict(epoch=2, iter=25, batches_done=5))
    follow_epoch_length(checkpoint, None, old=10, new=20)
    assert checkpoint['meta'] == dict(epoch=2, iter=50, batches_done=10)
