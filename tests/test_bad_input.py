"""Bad input: one clear error before the first step, as a user meets it.

Every case changes a good config, which then goes through the Runner. The
message must name the value, the rule and the remedy.
"""

import os

import pytest
import small_models
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import DATASETS, HOOKS
from small_models import head_of

from gendd_mm.datasets import DigitsDataset


@HOOKS.register_module(force=True)
class NoStepHook(Hook):
    """The run has gone too far."""

    def before_train_iter(self, *args, **kwargs) -> None:
        pytest.fail('training began')


@DATASETS.register_module(force=True)
class MislabeledDigits(DigitsDataset):
    """One label too large."""

    def load_data_list(self) -> list:
        samples = super().load_data_list()
        samples[5]['gt_label'] = 10
        return samples


class Payload:
    def __reduce__(self):
        return os.system, ('true',)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Teacher files, good and bad."""
    folder = tmp_path_factory.mktemp('teachers')
    good = small_models.digits_teacher(folder / 'good.pth')
    state = torch.load(good)['state_dict']
    torch.save(
        dict(state_dict={k: v for k, v in state.items() if 'layer4' not in k}), folder / 'other.pth'
    )
    torch.save(dict(state_dict=state, meta=Payload()), folder / 'unsafe.pth')
    (folder / 'page.pth').write_text('<html>404</html>')
    return folder


def loss_of(cfg: Config) -> dict:
    return cfg.model.distiller.distill_losses.loss_gendd


def token_size(cfg, folder):
    head_of(cfg).tokenizer = dict(type='SplitTokenizer', token_dim=48)


def no_tokens(cfg, folder):
    head_of(cfg).tokenizer = dict(type='SplitTokenizer', token_dim=0)


def train_label(cfg, folder):
    cfg.train_dataloader.dataset.type = 'MislabeledDigits'


def val_label(cfg, folder):
    cfg.val_dataloader.dataset.type = 'MislabeledDigits'


def teacher_missing(cfg, folder):
    cfg.model.teacher_ckpt = str(folder / 'gone.pth')


def teacher_unnamed(cfg, folder):
    cfg.model.teacher_ckpt = None


def teacher_of_another_shape(cfg, folder):
    cfg.model.teacher_ckpt = str(folder / 'other.pth')


def teacher_unsafe(cfg, folder):
    cfg.model.teacher_ckpt = str(folder / 'unsafe.pth')


def teacher_is_a_page(cfg, folder):
    cfg.model.teacher_ckpt = str(folder / 'page.pth')


def strength(value):

    def strength(cfg, folder):
        loss_of(cfg).contraction.strength = value

    return strength


def teacher_label_weight(cfg, folder):
    loss_of(cfg).contraction.teacher_label_weight = 2


def teacher_feature(cfg, folder):
    head_of(cfg).target_dim = 128


def student_feature(cfg, folder):
    head_of(cfg).condition_dim = 12


def condition_norm(cfg, folder):
    cfg.model.distiller.connectors.condition.normalized_shape = 12


def unknown_model(cfg, folder):
    cfg.model.type = 'gendd_mm.GenD'


def unknown_head(cfg, folder):
    head_of(cfg).type = 'gendd_mm.GenerativHead'


def unknown_tokenizer(cfg, folder):
    head_of(cfg).tokenizer = dict(type='WordTokenizer')


def unknown_sampler(cfg, folder):
    head_of(cfg).sampling = dict(type='magic')


def unknown_option(cfg, folder):
    head_of(cfg).repeat = 5


def val_draws(cfg, folder):
    cfg.model.val_num_draws = 0


def test_draws(cfg, folder):
    cfg.model.test_num_draws = 0


def repeats(cfg, folder):
    head_of(cfg).repeats = 0


def guidance_alone(cfg, folder):
    head_of(cfg).condition_drop = 0


def drop_all(cfg, folder):
    head_of(cfg).condition_drop = 1.0


def start_t(cfg, folder):
    head_of(cfg).sampling.start_t = 1000


def mixup_lost(cfg, folder):
    cfg.model.architecture.train_cfg = dict(augments=dict(type='Mixup', alpha=1.0))


def other_target(cfg, folder):
    distiller = cfg.model.distiller
    distiller.teacher_recorders = dict(
        target=dict(type='mmrazor.ModuleOutputs', source='backbone.layer3')
    )
    distiller.loss_forward_mappings.loss_gendd.target = dict(recorder='target', from_student=False)


def labels_missing(cfg, folder):
    del cfg.model.distiller.loss_forward_mappings.loss_gendd.labels


def classifier_name(cfg, folder):
    cfg.model.teacher_classifier = 'head'


def two_losses(cfg, folder):
    losses = cfg.model.distiller.distill_losses
    losses.loss_second = losses.loss_gendd.to_dict()


test_draws.__test__ = False

# (change, error, what the message says: value, rule, remedy)
CASES = [
    (token_size, ValueError, 'token_dim=48 does not divide .*256.*32, 64'),
    (no_tokens, ValueError, 'token_dim=0 does not divide .*nearest divisors'),
    (
        train_label,
        ValueError,
        r'1 labels .*\[0, 10\).*first is 10 at sample '
        r'\d+. Check',
    ),
    (val_label, ValueError, r'1 labels .*\[0, 10\).*first is 10'),
    (teacher_missing, FileNotFoundError, 'gone.pth.*does not exist.*train it'),
    (teacher_unnamed, ValueError, 'no weights.*set teacher_ckpt'),
    (
        teacher_of_another_shape,
        ValueError,
        r'other.pth.*missing keys .*layer4'
        '.*give the checkpoint',
    ),
    (teacher_unsafe, ValueError, 'unsafe.pth.*weights_only.*Get it again'),
    (teacher_is_a_page, ValueError, 'page.pth.*not a torch file'),
    (strength(1.5), ValueError, r'strength=1.5 is outside \[0, 1\]'),
    (strength(-0.1), ValueError, r'strength=-0.1 is outside \[0, 1\]'),
    (teacher_label_weight, ValueError, r'weight=2 is outside \[0, 1\]'),
    (teacher_feature, ValueError, 'target_dim=128 .*256; set target_dim=256'),
    (student_feature, ValueError, 'condition_dim=12 .*set condition_dim='),
    (condition_norm, ValueError, 'normalized_shape=.*12.*make them equal'),
    (unknown_model, KeyError, 'gendd_mm.GenD is not in'),
    (unknown_head, KeyError, 'gendd_mm.GenerativHead is not in'),
    (unknown_tokenizer, KeyError, 'WordTokenizer is not in'),
    (unknown_sampler, KeyError, 'magic is not in'),
    (unknown_option, TypeError, "unexpected keyword argument 'repeat'"),
    (val_draws, ValueError, 'val_num_draws=0 must be at least 1'),
    (test_draws, ValueError, 'test_num_draws=0 must be at least 1'),
    (repeats, ValueError, 'repeats=0 must be at least 1'),
    (guidance_alone, ValueError, 'guidance_scale=2.0 .*condition_drop=0; set'),
    (drop_all, ValueError, r'condition_drop=1.0 is outside \[0, 1\)'),
    (start_t, ValueError, r'start_t=1000 .*\(0 to 999\).*default is'),
    (mixup_lost, ValueError, 'put data_preprocessor into the student'),
    (other_target, ValueError, "loss_gendd'.*target.* not what enters 'head.fc'.*leave"),
    (labels_missing, ValueError, r"lacks \['labels'\]; see configs"),
    (classifier_name, ValueError, "'head' is not a linear layer.*head.fc"),
    (two_losses, ValueError, r"'loss_second'\] lacks \['target'.*see configs"),
]


@pytest.mark.parametrize(
    ('change', 'error', 'message'),
    CASES,
    ids=[f'{change.__name__}-{i}' for i, (change, *_) in enumerate(CASES)],
)
def test_it_is_one_clear_error_before_training(change, error, message, folder, tmp_path):
    cfg = small_models.shrunk('gendd_digits.py', tmp_path, str(folder / 'good.pth'))
    cfg.custom_hooks.append(dict(type='NoStepHook'))
    change(cfg, folder)
    with pytest.raises(error, match=f'(?s){message}') as raised:
        small_models.trained(cfg)
    # A user reads the last line; it is the one that says it.
    assert type(raised.value) is error
    assert not list(tmp_path.glob('*.pth'))


def test_a_wrong_label_is_also_found_when_testing(folder, tmp_path):
    cfg = small_models.shrunk('gendd_digits.py', tmp_path, str(folder / 'good.pth'))
    cfg.test_dataloader.dataset.type = 'MislabeledDigits'
    with pytest.raises(ValueError, match='first is 10'):
        small_models.runner_of(cfg).test()


def test_the_good_config_trains(folder, tmp_path):
    """What the cases start from; without it they might fail for a reason."""
    cfg = small_models.shrunk('gendd_digits.py', tmp_path, str(folder / 'good.pth'))
    cfg.custom_hooks.append(dict(type='NoStepHook'))
    with pytest.raises(pytest.fail.Exception, match='training began'):
        small_models.trained(cfg)


def test_a_student_of_another_size_than_all_sizes_say(folder, tmp_path):
    """Nothing but a forward pass can tell, so it is the first step's."""
    cfg = small_models.shrunk('gendd_digits.py', tmp_path, str(folder / 'good.pth'))
    cfg.model.architecture.head.in_channels = 12
    head_of(cfg).condition_dim = 12
    cfg.model.distiller.connectors.condition.normalized_shape = 12
    with pytest.raises(ValueError, match='(?s)12.*in_channels'):
        small_models.trained(cfg)
