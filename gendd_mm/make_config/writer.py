"""Write the whole config of a pair, commented."""

import os
import os.path as osp
from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope

from gendd_mm.config_check import check_config
from gendd_mm.engine.model import build_model, measure_model
from gendd_mm.models.algorithms import fill_in_sizes
from gendd_mm.shipped import shipped

from .data import Data, find_data
from .measured import check_image_size, has_classifier, without_weights
from .networks import MEAN, STD, student_of, teacher_of
from .source import assignments

__all__ = ['SETTINGS', 'write_config']

SETTINGS = ('recommended', 'paper')

# What the evaluator of each base config reports.
_ACCURACY = '# gen/top1 by generated features, probe/top1 by the linear probe.\n'
_METRICS = dict(
    gendd_supervised=_ACCURACY,
    gendd='# gen/top1 by generated features.\n',
    gendd_recommended='# probe/top1 by the student that ships, gen/top1 by generated features.\n',
    gendd_features='# student/knn and student/linear, with half of these labels; gen/cosine.\n',
)


def write_config(
    out: str,
    teacher: str,
    student: str,
    data: str,
    teacher_ckpt: str | None = None,
    labels: bool | None = None,
    epochs: int = 100,
    image_size: int = 224,
    batch_size: int = 64,
    val_data: str | None = None,
    setting: str = 'recommended',
) -> str:
    """Write a config that trains a student from a teacher, and check it.

    Args:
        out: The file to write, which must not exist.
        teacher, student: Names as :func:`teacher_of` takes them.
        data: Folder or list of the images, as :func:`find_data` takes it.
        teacher_ckpt: Weights of the teacher. None takes its library's own.
        labels: Whether labels are used. None uses them where there are some.
        epochs: Length of the training.
        image_size: Side of the images that both networks see, in pixels.
        batch_size: Images of a process.
        val_data: Folder or list of the images for validation. None takes ``val`` or
            ``test`` of ``data``.
        setting: ``'recommended'`` (``gendd_recommended.py``) or ``'paper'``. A teacher
            without a classifier teaches its feature either way.

    Returns:
        What was found in the folder, and what its labels are taken for, in words.

    Raises:
        ValueError: If the networks or the images cannot be found or do not fit.
        FileExistsError: If ``out`` exists.
    """
    if not out.endswith('.py'):
        raise ValueError(f'{out} must end with .py: a config is a Python file.')
    if osp.exists(out):
        raise FileExistsError(f'{out} exists; give another name, or remove it.')
    if not osp.basename(out)[:-3].isidentifier():
        raise ValueError(f'{out}: name it with letters, digits and _ alone, not a digit first.')
    if epochs < 2:
        raise ValueError(f'--epochs {epochs} must be at least 2: the rate warms up first.')
    if setting not in SETTINGS:
        raise ValueError(f'--setting {setting} is unknown; choose from {", ".join(SETTINGS)}.')
    settings = teacher_of(teacher, teacher_ckpt, image_size)
    network = without_weights(settings)
    check_image_size(teacher, network, image_size)
    features = not has_classifier(network)
    if features and labels:
        raise ValueError(
            f'--labels, but {teacher} has no classifier: its features are learned from images '
            'alone. Leave it out.'
        )
    found = find_data(data, False if features else labels, val_data)
    parts = student_of(student, image_size)
    check_image_size(student, without_weights(dict(type='ImageClassifier', **parts)), image_size)
    recommended = setting == 'recommended' and not features
    head: dict[str, Any]
    if features:
        head = dict(type='gendd_mm.NoHead')
    elif recommended:
        head = dict(type='gendd_mm.TeacherClassifierHead')
        parts['neck'] = dict(type='gendd_mm.ProjectorNeck')
    elif found.labelled:
        head = dict(type='gendd_mm.LinearProbeHead', standardize=True)
    else:
        head = dict(type='gendd_mm.LinearProbeHead', trainable=False)
    model: dict[str, Any] = dict(
        architecture=dict(type='ImageClassifier', **parts, head=head),
        teacher=settings,
        teacher_ckpt=teacher_ckpt,
    )
    complete = _measured(dict(model, teacher=network), features)
    target_dim = complete['distiller']['distill_losses']['loss_gendd']['head']['target_dim']
    theirs, own = complete['architecture']['head'].get('num_classes'), len(found.classes)
    what = found.found
    if features:
        what += f'. The teacher has no classifier; its feature of {target_dim} numbers is learned'
    elif own and own != theirs:
        what += f'. The {own} classes are not the {theirs} of the teacher'
        if not recommended:
            what += ': they do not contract'
        if found.labelled:
            # In place of the teacher's classifier, which knows other classes.
            head.update(type='gendd_mm.LinearProbeHead', standardize=True, num_classes=own)
            if not recommended:
                model['distiller'] = _loss(contraction=None)
        else:  # nothing could be compared with their labels
            what += '. Nothing is validated'
            found = found._replace(val=None)
    elif own:
        what += (
            f'. The labels are taken for the {theirs} classes of the teacher, in the order of names'
        )
    what += '.'
    if target_dim % 64:
        contraction = model.get('distiller', _loss())['distill_losses']['loss_gendd']
        generative = dict(tokenizer=dict(type='SplitTokenizer', token_dim=_tokens(target_dim)))
        model['distiller'] = _loss(
            **contraction, head=dict(residual=generative) if recommended else generative
        )
    if features:
        base = 'gendd_features'
    elif recommended:
        base = 'gendd_recommended'
    else:
        base = 'gendd_supervised' if found.labelled else 'gendd'
    text = _text(model, base, found, what, epochs, image_size, batch_size, out)
    os.makedirs(osp.dirname(osp.abspath(out)), exist_ok=True)
    with open(out, 'w', encoding='utf-8') as file:
        file.write(text)
    try:
        cfg = Config.fromfile(out)
        check_config(cfg)
        if teacher_ckpt is not None:  # others may have to be fetched
            measure_model(cfg)
            build_model(cfg)
    except Exception:
        os.remove(out)
        raise
    return what


def _loss(**settings: Any) -> dict:
    return dict(distill_losses=dict(loss_gendd=settings))


def _measured(model: dict, features: bool) -> dict:
    """The model with the sizes of its networks."""
    bare = dict(model, type='gendd_mm.GenDD', distiller=_loss(type='gendd_mm.GenDDLoss', head={}))
    if features:
        bare['teacher_classifier'] = None
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return fill_in_sizes(bare)


def _tokens(target_dim: int) -> int:
    """The width of tokens nearest to the paper's 64 that divides a feature."""
    width = max(width for width in range(1, 65) if target_dim % width == 0)
    if width < min(target_dim, 8):
        raise ValueError(
            f"the teacher's feature has {target_dim} numbers, which no width of 8 to 64 divides "
            'into tokens; choose another teacher.'
        )
    return width


def _text(
    model: dict,
    base: str,
    data: Data,
    what: str,
    epochs: int,
    image_size: int,
    batch_size: int,
    out: str,
) -> str:
    bases = osp.relpath(shipped('configs/_base_'), osp.dirname(osp.abspath(out)))
    warmup = max(1, epochs // 10)
    loader = dict(batch_size=batch_size, num_workers=4, persistent_workers=True)
    sections = [
        f'"""Made by gendd-make-config. {what[0].upper()}{what[1:]}\n\n'
        f'    gendd-train {out}\n    bash tools/dist_train.sh {out} 8\n"""\n',
        f"_base_ = [\n    '{bases}/models/{base}.py',\n    '{bases}/default_runtime.py',\n]\n",
        '# Sizes and modules of the pair are measured; what is written here wins.\n'
        + assignments(model=model),
        "# The student's normalisation; the teacher sees its own.\n"
        + assignments(
            data_preprocessor=dict(type='ClsDataPreprocessor', mean=MEAN, std=STD, to_rgb=True)
        ),
        assignments(
            train_pipeline=[
                # Stops at a broken image; skip_broken=True leaves it out.
                dict(type='gendd_mm.LoadImage'),
                dict(type='RandomResizedCrop', scale=image_size),
                dict(type='RandomFlip', prob=0.5, direction='horizontal'),
                dict(type='PackInputs'),
            ],
            test_pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='ResizeEdge', scale=round(image_size * 256 / 224), edge='short'),
                dict(type='CenterCrop', crop_size=image_size),
                dict(type='PackInputs'),
            ],
        ),
        _loader('train', loader, data.train, True),
    ]
    if data.val is not None:
        evaluator = 'FeatureQuality' if base == 'gendd_features' else 'ProbeAccuracy'
        sections += [
            _loader('val', loader, data.val, False),
            _METRICS[base]
            + assignments(val_cfg={}, val_evaluator=dict(type=f'gendd_mm.{evaluator}'))
            + 'test_cfg, test_dataloader = val_cfg, val_dataloader\n'
            'test_evaluator = val_evaluator\n',
        ]
    elif base == 'gendd_features':
        sections += [
            '# There are no images with labels to validate with; the base would validate.\n'
            'val_evaluator = test_evaluator = None\n'
        ]
    sections += [
        "# The paper's, for 512 images a step; gendd-train --auto-scale-lr fits it to yours.\n"
        + assignments(
            optim_wrapper=dict(
                optimizer=dict(type='AdamW', lr=2e-3, betas=(0.9, 0.96), weight_decay=2e-2),
                # The head has no weight decay.
                paramwise_cfg=dict(custom_keys=dict(distiller=dict(decay_mult=0.0))),
            ),
            auto_scale_lr=dict(base_batch_size=512),
            param_scheduler=[
                dict(type='LinearLR', start_factor=1e-3, end=warmup, convert_to_iter_based=True),
                dict(
                    type='CosineAnnealingLR',
                    begin=warmup,
                    end=epochs,
                    eta_min=1e-6,
                    convert_to_iter_based=True,
                ),
                dict(type='gendd_mm.CosineAnnealingBeta2', end=epochs, convert_to_iter_based=True),
            ],
            train_cfg=dict(by_epoch=True, max_epochs=epochs, val_interval=1),
        )
    ]
    return '\n'.join(sections)


def _loader(name: str, loader: dict, dataset: dict, shuffle: bool) -> str:
    pipeline = f'{"train" if name == "train" else "test"}_pipeline'
    settings = dict(
        loader,
        sampler=dict(type='DefaultSampler', shuffle=shuffle),
        dataset=dict(dataset, pipeline='PIPELINE'),
    )
    return assignments(**{f'{name}_dataloader': settings}).replace("'PIPELINE'", pipeline)
