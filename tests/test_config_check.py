"""Settings that cannot be meant so: one line before anything is built."""

import math
import sys

import config_mutations
import published_configs
import pytest
import small_models
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, MODELS
from published_configs import EXPERIMENTS

from gendd_commands.command_line import is_user_error, user_errors
from gendd_mm.config_check import ConfigError, check_config

HEAD = 'model.distiller.distill_losses.loss_gendd.head'
LOSS = 'model.distiller.distill_losses.loss_gendd'
MAPPING = 'model.distiller.loss_forward_mappings.loss_gendd'
INFINITE, NAN = float('inf'), float('nan')

WRONG = [
    ('optim_wrapper.optimizer.lr', INFINITE, 'not a finite number'),
    ('optim_wrapper.optimizer.lr', -0.1, 'at least 0'),
    ('optim_wrapper.optimizer.lr', '0.1', 'must be a number.*write 0.1 without quotes'),
    ('optim_wrapper.optimizer.lr', True, 'True and False are no numbers'),
    ('optim_wrapper.optimizer.betas', (0.9, 1.5), r'within \[0, 1\)'),
    ('optim_wrapper.optimizer.betas', 0.9, 'must be a list'),
    ('optim_wrapper.optimizer.betas', (0.9, [0.9]), 'must be a list of 2'),
    ('optim_wrapper.optimizer.weight_decay', NAN, 'not a finite number'),
    ('optim_wrapper.optimizer.momentun', 0.9, 'is not a setting of AdamW'),
    ('optim_wrapper.optimizer.type', 'AdamV', "did you mean 'Adam'"),
    ('optim_wrapper.clip_gard', {}, 'did you mean clip_grad'),
    ('optim_wrapper.clip_grad', {'max_nrom': 1}, 'did you mean max_norm'),
    ('optim_wrapper.paramwise_cfg.custom_key', {}, 'did you mean custom_keys'),
    (f'{HEAD}.target_scale', INFINITE, 'not a finite number'),
    (f'{HEAD}.sampling', {'type': 'ancestral', 'guidance_scale': NAN}, 'not a finite number'),
    (f'{HEAD}.sampling', {'type': 'ancestral', 'num_steps': 2.5}, 'must be a whole number'),
    (f'{HEAD}.sampling', {'type': 'magic'}, "'magic' is no"),
    (f'{HEAD}.row_chunk', 1.5, 'must be a whole number'),
    (f'{HEAD}.row_chunk', -1, 'row_chunk=-1 must be at least 1'),
    (f'{HEAD}.repeats', True, 'must be a whole number'),
    (f'{HEAD}.repeat', 5, 'did you mean repeats'),
    (f'{HEAD}.condition_drop', 1.0, r'head.condition_drop=1.0 is outside \[0, 1\)'),
    (f'{HEAD}.tokenizer', None, 'must be a dict'),
    (f'{HEAD}.tokenizer.token_dim', 48, 'head.tokenizer.token_dim=48 does not divide'),
    (f'{HEAD}.denoiser.width', -8, 'at least 1'),
    (f'{HEAD}.process', {'type': 'GaussianDiffusion', 'schedule': 'cos'}, "schedule='cos'"),
    (f'{HEAD}.type', 'gendd_mm.GenerativHead', "did you mean 'gendd_mm.GenerativeHead'"),
    (f'{LOSS}.loss_weight', -1, 'at least 0'),
    (f'{LOSS}.contraction.strength', 1.5, r'contraction.strength=1.5 is outside \[0, 1\]'),
    ('model.type', 'mmrazor.GenDD', "did you mean 'gendd_mm.GenDD'"),
    ('model.distiler', {}, 'did you mean distiller'),
    ('model.channels_last', 'False', 'write False without quotes'),
    ('model.val_num_draws', 1.5, 'must be a whole number'),
    ('model.distiller.student_recorders.labels.type', 'mmrazor.ModuleInput', 'did you mean'),
    (f'{MAPPING}.labels.recorder', 'label', "not among student_recorders; did you mean 'labels'"),
    (f'{MAPPING}.labels.connector', 'condition_', 'not among connectors'),
    (f'{MAPPING}.labels.data_id', -1, "did you mean 'data_idx'"),
    (f'{MAPPING}.labels', {'recorder': 'labels'}, 'labels.from_student is missing'),
    (f'{MAPPING}.labels', 'labels', 'must be a dict'),
    ('model.distiller.loss_forward_mappings.loss', {}, 'not among distill_losses'),
    (
        f'{LOSS}.head.denoiser.modulation',
        'shard',
        "modulation='shard' is unknown",
    ),
    ('data_preprocessor.std', [0, 0, 0], 'must be positive'),
    ('data_preprocessor.mean', [-123.7, 0, 0], 'must not be negative'),
    ('data_preprocessor.std', [1.0], 'as long as mean'),
    ('train_cfg.max_epochs', 0, 'at least 1'),
    ('train_cfg.val_interval', 0, 'at least 1'),
    ('train_cfg.max_epoch', 2, 'did you mean max_epochs'),
    ('train_cfg.by_epoch', 'True', 'must be True or False'),
    ('train_dataloader.batch_size', 0, 'at least 1'),
    ('train_dataloader.batch_size', None, 'must be a whole number'),
    ('train_dataloader.num_workers', -1, 'at least 0'),
    ('train_dataloader.num_workers', '0', 'write 0 without quotes'),
    ('train_dataloader.num_worker', 1, 'did you mean num_workers'),
    ('train_dataloader.dataset.splt', 'train', 'did you mean split'),
    ('train_dataloader.sampler.shuffle', 'False', 'write False without quotes'),
    ('param_scheduler.1.eta_min', 1.0, 'must not be above lr'),
    ('param_scheduler.0.start_factor', 0, r'within \(0, 1\]'),
    ('model.teacher.head.in_channels', [256], 'must not be a list'),
    ('model.teacher.head.in_channels', '256', 'write 256 without quotes'),
    ('model.architecture.backbone.strides', (1, 2), 'must have num_stages=1 items'),
    ('default_hooks.checkpoint.backend_args.backend', None, 'must be a text'),
    ('model.architecture.backbone.num_stages', [1, 1], 'must not be a list'),
    ('optim_wrapper.paramwise_cfg.custom_keys.distiller.decay_mult', [0.0], 'not be a list'),
    ('param_scheduler.1.begin', 30, 'must be above begin=30'),
    ('param_scheduler.1.type', 'CosineAnealingLR', "did you mean 'CosineAnnealingLR'"),
    ('default_hooks.checkpoint.interval', 0, 'or -1'),
    ('default_hooks.checkpoint.intervall', 1, 'did you mean interval'),
    ('custom_hooks.0.sed', 1, 'did you mean seed'),
    ('randomness.seed', '0', 'write 0 without quotes'),
    ('randomness', {'deterministic': True}, 'randomness.seed is missing'),
    ('randomness.sead', 0, 'did you mean seed'),
    ('env_cfg.dist_cfg.timeout', 0, 'must be a number of seconds above 0'),
    ('env_cfg.dist_cfg.timeout', '600', 'must be a number of seconds above 0'),
]


def digits() -> Config:
    return Config.fromfile(small_models.CONFIGS / 'gendd_digits.py')


def changed(cfg: Config, path: str, value) -> Config:
    """A copy with one setting replaced, not merged."""
    config = config_mutations.as_lists(cfg.to_dict())
    *parents, key = path.split('.')
    node = config
    for name in parents:
        node = node[int(name)] if isinstance(node, list) else node[name]
    node[key] = value
    return Config(config, filename=cfg.filename)


@pytest.mark.fault('Configs', 'a value, a name or a type that is wrong', 'one line names it')
@pytest.mark.parametrize(('path', 'value', 'message'), WRONG, ids=[f'{p}={v}' for p, v, _ in WRONG])
def test_a_wrong_setting_is_one_line(path, value, message):
    with pytest.raises(ConfigError, match=message) as raised:
        check_config(changed(digits(), path, value))
    assert '\n' not in str(raised.value)
    assert path.split('.')[-1] in str(raised.value)


def test_a_section_under_a_misspelled_name_is_found():
    cfg = digits()
    cfg.optim_wraper = cfg.pop('optim_wrapper')
    with pytest.raises(ConfigError, match='did you mean optim_wrapper'):
        check_config(cfg)


@pytest.mark.parametrize('experiment', EXPERIMENTS, ids=str)
def test_published_configs_pass(experiment):
    cfg = experiment.read()
    check_config(cfg)
    if cfg.get('stage1') and not experiment.stage1:
        check_config(published_configs.read_stage1(cfg))


# How tools say it.
def test_an_error_of_the_user_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['train.py'])
    with pytest.raises(SystemExit) as ended, user_errors():
        check_config(changed(digits(), 'train_cfg.max_epochs', 0))
    assert ended.value.code == 1
    assert (
        capsys.readouterr().err == 'error: train_cfg.max_epochs=0 must be at least 1; change it.\n'
    )


def test_its_traceback_is_shown_when_asked(monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['train.py', '--traceback'])
    with pytest.raises(ConfigError), user_errors():
        check_config(changed(digits(), 'train_cfg.max_epochs', 0))


def test_what_fails_while_it_is_built_names_the_part(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['train.py'])
    backbone = dict(type='mmpretrain.ResNet', depth=18, stem_channels=[8, 8])
    with pytest.raises(SystemExit), user_errors():
        MODELS.build(dict(type='mmpretrain.ImageClassifier', backbone=backbone))
    assert capsys.readouterr().err.startswith(
        'error: mmpretrain.ResNet of the config cannot be built: TypeError: '
    )


def test_a_bug_keeps_its_traceback():
    for fails in (lambda: None.missing, lambda: [][1], lambda: torch.ones(2) @ torch.ones(3)):
        with pytest.raises((AttributeError, IndexError, RuntimeError)), user_errors():
            fails()


def test_a_missing_file_is_the_users(tmp_path):
    with pytest.raises(FileNotFoundError) as raised:
        (tmp_path / 'gone').read_text()
    assert is_user_error(raised.value)


# Fuzz.
class SecondStep(Exception):
    """The mutated config trains."""


@HOOKS.register_module(force=True)
class TwoStepsHook(Hook):
    """Stop after two steps with finite losses."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        assert all(math.isfinite(float(loss.detach())) for loss in outputs.values())
        if batch_idx >= 1:
            raise SecondStep


@pytest.mark.slow
@pytest.mark.fault('Configs', '200 random mutations', 'refused in one line, or they train')
def test_mutations_are_refused_or_train(tmp_path):
    names = ('gendd_digits.py', 'digits/gendd_digits_unsupervised.py', 'digits/warmup_digits.py')
    teacher = small_models.digits_teacher(tmp_path / 'teacher.pth')
    accepted, unclear = [], []
    for seed in range(200):
        cfg = small_models.shrunk(names[seed % 3], tmp_path / 'run', teacher)
        cfg, what = config_mutations.mutated(cfg, seed)
        try:
            check_config(cfg)
        except ConfigError:
            continue
        cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), dict(type='TwoStepsHook')]
        try:
            small_models.trained(cfg)
        except SecondStep:
            accepted.append(what)
        except Exception as error:
            if not is_user_error(error):
                unclear.append(f'{what}: {error!r}'[:300])
    assert not unclear, '\n'.join(['unclear:', *unclear, 'accepted:', *accepted])
    assert len(accepted) < 60, '\n'.join(accepted)
