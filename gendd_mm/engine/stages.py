"""Training in two stages by one command (arXiv 2507.14503, the warm-up).

A config names the config of its first stage::

    stage1 = dict(config='{{ fileDirname }}/warmup.py')

The other keys of ``stage1`` override that config, as does
``--cfg-options stage1.train_cfg.max_epochs=5``. Parts of the pair that it does not name
are those of stage 2. Both stages run one after the other in the same processes: under
torchrun the process group and its store belong to these, and others could not join.
"""

import copy
import os.path as osp
from dataclasses import replace

from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from gendd_mm.engine.latest_checkpoint import is_final, latest_checkpoint
from gendd_mm.engine.launch import end_distributed, run_training, start_processes
from gendd_mm.engine.options import RunOptions, merge_train, read_config
from gendd_mm.engine.ranks import on_rank_0
from gendd_mm.engine.resume import check_on_all_ranks, resume_from
from gendd_mm.engine.views import classifier_of
from gendd_mm.engine.work_dir import claimed
from gendd_mm.registry import type_name
from gendd_mm.teacher_store import TeacherStore

__all__ = ['read_stage1', 'train_stages']


def train_stages(config: str, options: RunOptions) -> None:
    """Train a config in its stages, or in the one that ``options.stage`` names.

    Stage 1 is skipped if its final checkpoint exists, or if stage 2 is resumed,
    whose checkpoint has the weights already.

    Raises:
        FileNotFoundError: If stage 2 is to run alone and stage 1 has left no checkpoint.
        ValueError: If stage 1 is to run alone and the config has none, if the stages do
            not fit together, or if the work dir is another run's or cannot be written.
    """
    second = merge_train(read_config(config), options)
    start_processes(second)
    with claimed(second.work_dir):
        _train_merged(second, options)
    end_distributed()


def _train_merged(second: Config, options: RunOptions) -> None:
    """Train in stages in a work dir that is claimed."""
    if options.stage != 1:
        resume_from(second, options.resume)
    if options.stage == 1 or not second.get('resume'):
        first = read_stage1(second, options)
        if first is not None:
            _check_same_backbone(first, second)
            _start_from(second, _finished(first, options))
        elif options.stage == 1:
            raise ValueError(
                f'--stage 1: {second.filename} has no stage1. Leave '
                '--stage out, or set stage1=dict(config=...).'
            )
    if options.stage != 1:
        _run(second)


def _run(cfg: Config) -> None:
    """Train; if a signal stops the run, which has saved, leave the group in order."""
    try:
        run_training(cfg)
    except SystemExit:
        end_distributed()
        raise


def read_stage1(cfg: Config, options: RunOptions) -> Config | None:
    """Read and merge the first stage that a merged config names.

    It gets the same options, the seed of ``cfg``, the pair of ``cfg`` where it
    names none, and the folder ``stage1`` in the work dir. ``cfg.stage1.config`` becomes
    absolute, so that a dumped ``cfg`` still finds it.

    Args:
        cfg: Config of stage 2, merged.
        options: How to run both.

    Returns:
        The config of stage 1, or None if ``cfg`` has none.

    Raises:
        FileNotFoundError: If there is no such config.
        ValueError: If ``stage1`` names no config, or one in two stages.
    """
    if cfg.get('stage1') is None:
        return None
    settings = cfg.stage1.to_dict()
    if settings.get('config') is None:
        raise ValueError(
            f'stage1={settings} names no config; set stage1.config to a path, relative to '
            f'{cfg.filename}.'
        )
    path = osp.join(osp.dirname(cfg.filename), settings.pop('config'))
    cfg.stage1.config = path
    first = read_config(path)
    if first.get('stage1') is not None:
        raise ValueError(
            f'stage1.config={path} has a stage1 of its own; training has two stages at most.'
        )
    if 'randomness' in cfg:
        first.randomness = copy.deepcopy(cfg.randomness)
    first.merge_from_dict(settings)
    _complete_pair(first, cfg)
    name = osp.splitext(osp.basename(path))[0]
    # Loggers and message hubs are global by this name.
    first.experiment_name = f'{first.get("experiment_name", name)}_stage1'
    work_dir = osp.join(cfg.work_dir, 'stage1')
    options = replace(options, cfg_options=None, work_dir=work_dir, teacher_store=None)
    return merge_train(first, options)


def _complete_pair(first: Config, second: Config) -> None:
    """Fill in the pair of stage 2 where stage 1 names none."""
    student, teacher = (second.model.get(part) or {} for part in ('architecture', 'teacher'))
    head = first.model.get('head') or {}
    if not type_name(head.get('type')).endswith('ReusedClassifierHead'):
        return
    if type_name(teacher.get('type')) == 'StoredTeacher':
        store = TeacherStore(teacher['store'])
        borrowed = classifier_of(store.description, store.classifier_file)
        head.update(borrowed, teacher_dim=store.description.features['target'])
    for part, key, value in (
        (first.model, 'backbone', student.get('backbone')),
        (head, 'in_channels', student.get('head', {}).get('in_channels')),
        (head, 'teacher_dim', teacher.get('head', {}).get('in_channels')),
        (head, 'teacher_ckpt', second.model.get('teacher_ckpt')),
    ):
        if value is not None:
            part.setdefault(key, copy.deepcopy(value))


def _finished(first: Config, options: RunOptions) -> str:
    """The final checkpoint of stage 1; trains it first if there is none."""

    def of_its_last_epoch() -> str | None:
        latest = latest_checkpoint(first.work_dir)
        return latest if latest is not None and is_final(latest, first.train_cfg) else None

    final = on_rank_0(of_its_last_epoch)
    if final is None:
        if options.stage == 2:
            raise FileNotFoundError(
                f'--stage 2 starts from stage 1, but {first.work_dir} has no '
                'checkpoint of its last epoch. Leave --stage out to train it '
                'first, or start from scratch by --cfg-options stage1=None.'
            )
        # A checkpoint that is named belongs to stage 2, unless stage 1 runs alone.
        named = options.resume is not None and options.stage != 1
        with claimed(first.work_dir):
            resume_from(first, 'auto' if named else options.resume)
            _run(first)
        final = on_rank_0(lambda: latest_checkpoint(first.work_dir))
        if final is None:
            raise FileNotFoundError(
                f'stage 1 left no checkpoint in {first.work_dir}; its CheckpointHook must save the '
                'last epoch there (save_last=True, no out_dir).'
            )
    check_on_all_ranks(final, resumable=False)
    return _best_or(final, first)


def _best_or(final: str, first: Config) -> str:
    """The best checkpoint where stage 1 keeps one (``save_best``), or the final."""
    if not first.get('default_hooks', {}).get('checkpoint', {}).get('save_best'):
        return final
    return osp.join(osp.dirname(final), 'best_*.pth')


def _start_from(cfg: Config, checkpoint: str) -> None:
    """Let the student of stage 2 start from the backbone of stage 1."""
    hook = dict(type='gendd_mm.WarmStartHook', checkpoint=checkpoint)
    if 'architecture' not in cfg.model:  # a classifier, no MMRazor algorithm
        hook['target'] = 'backbone'
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), hook]


def _check_same_backbone(first: Config, second: Config) -> None:
    """Compare the networks before stage 1 is trained, not after it.

    Raises:
        ValueError: If their weights differ in a name or a shape.
    """
    student = second.model.get('architecture', second.model)
    if 'backbone' not in student or 'backbone' not in first.model:
        return  # by cfg_path; the hook compares them later
    shapes = []
    for cfg, backbone in ((first, first.model.backbone), (second, student.backbone)):
        with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
            weights = MODELS.build(backbone.to_dict()).state_dict()
        shapes.append({(key, *value.shape) for key, value in weights.items()})
    differing = sorted(shapes[0] ^ shapes[1])
    if differing:
        raise ValueError(
            f'the backbones of stage 1 ({first.filename}) and of stage 2 '
            f'differ in {len(differing)} weights, the first {differing[:3]}; '
            'write the same backbone in both configs.'
        )
