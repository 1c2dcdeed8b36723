"""A student from a teacher in one call."""

import os.path as osp
from typing import Any

from torch import nn

__all__ = ['distill']


def distill(
    teacher: str,
    student: str,
    data: str,
    out: str,
    *,
    teacher_ckpt: str | None = None,
    labels: bool | None = None,
    epochs: int = 100,
    image_size: int = 224,
    batch_size: int = 64,
    val_data: str | None = None,
    setting: str = 'recommended',
    resume: bool = False,
    cfg_options: dict[str, Any] | None = None,
) -> nn.Module:
    """Train a student and return it: ``tools/make_config.py``, ``train.py`` and the export.

    Folder ``out`` then holds the config ``config.py``, logs and checkpoints, and
    ``student/``, which mmpretrain and, for networks of timm or torchvision in the paper's
    setting, their own libraries load. For several GPUs, write the config by
    :func:`gendd_mm.make_config.write_config` and use ``tools/dist_train.sh``.

    Args:
        teacher, student: ``timm:NAME``, ``torchvision:NAME``, a name of mmpretrain's model
            zoo or a config file. A teacher without a classifier teaches its feature.
        data: Folder with ``train`` and ``val`` in it, a folder per class in each, or
            whatever else :func:`gendd_mm.make_config.write_config` takes.
        out: Folder to write to.
        teacher_ckpt: Weights of the teacher. None takes its library's own.
        labels: Whether labels are used. None uses them where there are some. Without, the
            student's classifier is fitted to the teacher's scores.
        epochs: Length of the training.
        image_size: Side of the images, in pixels.
        batch_size: Images of a step.
        val_data: Folder of classes or list for validation, where ``data`` has no ``val``.
        setting: ``'recommended'`` or ``'paper'``. The projector that the recommended student
            ships with needs gendd_mm where mmpretrain loads it.
        resume: Whether to go on in ``out``, by the config that is there.
        cfg_options: Settings to override, by dotted name.

    Returns:
        The student as an mmpretrain ``ImageClassifier`` in eval mode. It gives scores, or
        without a head, of a teacher without a classifier, its feature (B, S) in a tuple.

    Raises:
        FileExistsError: If ``out`` holds a config and ``resume`` is False.
        ValueError: If networks or images cannot be found or do not fit.
    """
    # Not at the top: `import gendd_mm` should not wait for them.
    from mmpretrain import get_model

    from gendd_mm.deploy import export_backbone, export_student
    from gendd_mm.engine.latest_checkpoint import latest_checkpoint
    from gendd_mm.engine.options import RunOptions, read_run
    from gendd_mm.engine.stages import train_stages
    from gendd_mm.make_config import write_config

    config = osp.join(out, 'config.py')
    if not (resume and osp.isfile(config)):
        write_config(
            config,
            teacher,
            student,
            data,
            teacher_ckpt=teacher_ckpt,
            labels=labels,
            epochs=epochs,
            image_size=image_size,
            batch_size=batch_size,
            val_data=val_data,
            setting=setting,
        )
    cfg = read_run(config, cfg_options)
    train_stages(config, RunOptions(work_dir=out, resume='auto', cfg_options=cfg_options))
    checkpoint = latest_checkpoint(out)
    assert checkpoint is not None  # the training has just saved it
    folder = osp.join(out, 'student')
    if cfg.model.get('teacher_classifier', 'auto') is None:
        config, weights, *_ = export_backbone(cfg, checkpoint, folder)
    else:
        trained = cfg.model.architecture.head.get('trainable', True)
        probe = 'trained' if trained else 'teacher'
        config, weights, _ = export_student(cfg, checkpoint, folder, probe)
    return get_model(config, pretrained=weights).eval()
