"""A damaged checkpoint is refused in our words, or the run that goes on is the same."""

import copy
import math
import random
import traceback
from pathlib import Path
from typing import Any

import pytest
import small_models
import torch
from config_mutations import leaves
from mmengine.config import Config

import gendd_mm
from gendd_mm.engine.launch import run_training
from gendd_mm.engine.options import RunOptions, merge_train
from gendd_mm.engine.resume import resume_from
from gendd_mm.engine.stop_signals import STOP_SIGNALS

NUM_MUTATIONS = 100


@pytest.fixture(scope='module')
def run(tmp_path_factory) -> tuple[Config, Path, dict]:
    """A config, the folder of its unbroken run of three epochs, and the end of that."""
    folder = tmp_path_factory.mktemp('fuzz')
    teacher = small_models.digits_teacher(folder / 'teacher.pth')
    cfg = small_models.shrunk('gendd_digits.py', folder / 'unbroken', teacher)
    cfg.custom_hooks.append(dict(type='EMAHook', momentum=0.1))
    cfg.default_hooks.checkpoint.update(interval=1, max_keep_ckpts=3)
    small_models.trained(copy.deepcopy(cfg))
    return cfg, folder, torch.load(folder / 'unbroken' / 'epoch_3.pth', weights_only=True)


def in_bytes(content: bytearray, draw: random.Random) -> str:
    kind = draw.choice(['flip', 'cut', 'zeros', 'insert', 'swap'])
    at = draw.randrange(len(content))
    if kind == 'flip':
        content[at] ^= 1 << draw.randrange(8)
    elif kind == 'cut':
        del content[at:]
    elif kind == 'zeros':
        content[at : at + 512] = bytes(len(content[at : at + 512]))
    elif kind == 'insert':
        content[at:at] = draw.randbytes(7)
    else:
        other = draw.randrange(len(content))
        content[at : at + 64], content[other : other + 64] = (
            content[other : other + 64],
            content[at : at + 64],
        )
    return f'{kind} at byte {at} of {len(content)}'


def in_contents(checkpoint: dict, draw: random.Random) -> str:
    # A key or a value that fell out, became another type, or is not finite.
    found = [
        each
        for name in checkpoint
        for each in leaves({name: checkpoint[name]})
        # Statistics of the log, which no step reads.
        if not each[0].startswith(('message_hub', 'meta.cfg'))
    ]
    path, owner, key = draw.choice(found)
    kind = draw.choice(['delete', 'text', 'none', 'reshape', 'nan', 'branch'])
    value: Any = owner[key]
    if kind == 'branch':  # all of the part that it lies in
        path = key = path.partition('.')[0]
        del checkpoint[key]
    elif kind == 'delete':
        del owner[key]
    elif isinstance(value, torch.Tensor) and kind in ('reshape', 'nan'):
        owner[key] = torch.cat([value.view(-1), value.view(-1)])
        if kind == 'nan' and value.is_floating_point():
            owner[key] = value.clone()
            owner[key].view(-1)[-1] = math.nan
    else:
        owner[key] = 'text' if kind == 'text' else None
    return f'{kind} {path}'


@pytest.mark.slow
@pytest.mark.fault(
    'Checkpoints',
    'any damage to the file to resume from: bytes, keys, types, shapes, numbers',
    'refused, the file and the fault named, before a step; or the same run',
)
@pytest.mark.parametrize('seed', range(NUM_MUTATIONS))
def test_no_damage_changes_a_result(run, seed, tmp_path):
    cfg, folder, expected = run
    draw = random.Random(seed)
    source = folder / 'unbroken' / 'epoch_2.pth'
    path = tmp_path / 'epoch_2.pth'
    if seed % 2:
        content = bytearray(source.read_bytes())
        what = in_bytes(content, draw)
        path.write_bytes(content)
    else:
        checkpoint = torch.load(source, weights_only=True)
        what = in_contents(checkpoint, draw)
        torch.save(checkpoint, path)
    print(what)

    cfg = copy.deepcopy(cfg)
    cfg.filename = None
    cfg.work_dir = str(tmp_path)
    cfg.experiment_name += str(seed)
    try:
        with small_models.quickly():
            merge_train(cfg, RunOptions())
            resume_from(cfg, str(path))
            run_training(cfg)
    except ValueError as error:
        raised_in = traceback.extract_tb(error.__traceback__)[-1].filename
        assert Path(gendd_mm.__file__).parent in Path(raised_in).parents
        assert not (tmp_path / 'epoch_3.pth').exists()
        return
    finally:
        STOP_SIGNALS.restore()
    final = torch.load(tmp_path / 'epoch_3.pth', weights_only=True)
    for part in ('state_dict', 'ema_state_dict'):
        for key, value in expected[part].items():
            assert value.equal(final[part][key]), (part, key)
