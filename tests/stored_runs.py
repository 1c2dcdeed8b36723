"""A distillation of the digits, made small, and a store of its teacher."""

from pathlib import Path

import small_models
from mmengine.config import Config

from gendd_mm.engine.options import RunOptions, merge_train, read_complete
from gendd_mm.store_building import StoreBuilder, open_builder

# A tenth of the images stay as they are.
MIXING = dict(
    augments=[dict(type='Mixup', alpha=0.8), dict(type='CutMix', alpha=1.0)], probs=[0.5, 0.4]
)


def config(folder: Path, name: str = 'gendd_digits.py', mixed: bool = False, **more) -> str:
    """Write a config of 24 images, and the checkpoint of its teacher; returns its path."""
    ckpt = folder / 'teacher.pth'
    if not ckpt.exists():
        small_models.digits_teacher(ckpt)
    cfg = small_models.shrunk(name, folder / 'work_dir', str(ckpt))
    cfg.train_cfg.val_interval = 3
    if mixed:
        cfg.model.architecture.train_cfg = MIXING
    cfg.merge_from_dict(more)
    path = folder / f'{Path(name).stem}{"_mixed" * mixed}.py'
    cfg.dump(path)
    return str(path)


def build(path: str, store: Path, num_views: int | None = 3, dtype: str = 'float32', **settings):
    """Build a store in this process; returns the builder."""
    settings = dict(dict(rows_per_shard=10), **settings)
    builder: StoreBuilder = open_builder(
        read_complete(path, settings.pop('cfg_options', None)),
        str(store),
        num_views=num_views,
        dtype=dtype,
        **settings,
    )
    builder.build(0, 1, lambda rows: None)
    return builder


def trained(path: str, work_dir: Path, store: Path | None = None, **options) -> dict:
    """Train, live on the same views or from a store; the weights of the student."""
    views = {} if store else {'views': dict(num_views=3)}
    cfg = merge_train(
        Config.fromfile(path),
        RunOptions(
            work_dir=str(work_dir),
            cfg_options={**views, **options},
            teacher_store=None if store is None else str(store),
        ),
    )
    model = small_models.trained(cfg).model
    return {key: value for key, value in model.state_dict().items() if 'teacher.' not in key}


def same(first: dict, second: dict) -> bool:
    """Whether two state dicts are equal bit for bit."""
    return first.keys() == second.keys() and all(first[key].equal(second[key]) for key in first)
