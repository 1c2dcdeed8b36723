"""Classify images by the generative path, and say how far its draws agree."""

import os
import os.path as osp
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, default_collate
from mmengine.device import get_device
from mmengine.registry import DefaultScope
from mmpretrain.apis import ImageClassificationInferencer
from mmpretrain.datasets import ImageNet
from mmpretrain.registry import TRANSFORMS
from mmpretrain.structures import DataSample

from gendd_mm.datasets.load_image import LoadImage
from gendd_mm.deploy import class_names, generative_model, gives_rgb
from gendd_mm.deploy.features import test_dataset
from gendd_mm.deploy.named_types import named_types
from gendd_mm.engine.options import read_run
from gendd_mm.registry import type_name

from .spread import Spread, spread

__all__ = ['GenDDInferencer']

LOADERS = ('LoadImageFromFile', 'LoadImage')


class GenDDInferencer(ImageClassificationInferencer):
    """Classify images by a GenDD run, with the spread over its draws.

    It is called as mmpretrain's ``ImageClassificationInferencer``: with a path, a URL, an
    array, a folder, a list of these, or an array of several images; ``batch_size`` images
    at a time, with a progress bar. An array is uint8, (H, W, 3) as OpenCV reads it (BGR) or
    grey, (H, W). Images are prepared by the run's test pipeline, and go grey or RGB where
    its data set was. The noise begins anew with each call: the same images in the same
    batches give the same answer.

    Each answer is a dict of mmpretrain's ``pred_scores`` (C,), ``pred_label``,
    ``pred_score`` and ``pred_class``, those of ``tools/test.py``, and of the three floats
    of :class:`Spread`, in nats. With ``return_datasamples=True`` it is a ``DataSample``
    that also has the ``draw_scores`` (K, C) and the probe's ``probe_score`` (C,).

    Args:
        config: Config file of the run, whose teacher must be there too.
        checkpoint: Checkpoint of the run.
        device: Where to compute. None takes a GPU if there is one.
        num_draws: Draws K per image, at least 2.
        classes: Class names. None takes those that the run knew.
        cfg_options: Settings of the config to override, by dotted name.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If there are less than 2 draws, the config is of no GenDD run, has no
            test pipeline or a teacher without the student's classes, or the checkpoint is
            damaged or of another run.

    Example:
        >>> import numpy as np
        >>> from gendd_mm import GenDDInferencer
        >>> inferencer = GenDDInferencer('config.py', 'epoch_3.pth', num_draws=4)
        >>> black, white = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)
        >>> answer, _ = inferencer([black, white], batch_size=2)
        >>> answer['pred_class'] == str(answer['pred_label'])
        True
        >>> doubt = answer['expected_entropy'] + answer['mutual_information']
        >>> abs(doubt - answer['predictive_entropy']) < 1e-6
        True
    """

    def __init__(
        self,
        config: str,
        checkpoint: str,
        device: str | torch.device | None = None,
        num_draws: int = 16,
        classes: Sequence[str] | None = None,
        cfg_options: Mapping[str, Any] | None = None,
    ) -> None:
        if num_draws < 2:
            raise ValueError(
                f'num_draws={num_draws} must be at least 2: one draw has no spread. '
                'gendd-test predicts with one.'
            )
        cfg = Config(named_types(read_run(config, cfg_options).to_dict()))
        if 'pipeline' not in test_dataset(cfg):
            raise ValueError(
                f'{config} does not say how to prepare an image; set test_pipeline or '
                'test_dataloader.'
            )
        model = generative_model(cfg, checkpoint)
        self.num_draws = num_draws
        model._config = cfg  # where mmpretrain's inferencers look for it
        super().__init__(
            model,
            device=device or get_device(),
            classes=classes or class_names(cfg, checkpoint),
        )

    def __call__(
        self, inputs: Any, return_datasamples: bool = False, batch_size: int = 1, **kwargs: Any
    ) -> Any:
        """Classify images.

        Args:
            inputs: A path, an array, or several, as the class says.
            return_datasamples: Whether to return samples in place of dicts.
            batch_size: Images of a batch, at least 1. Images of one batch need one size
                behind the test pipeline.
            kwargs: ``show_dir`` and the like of mmpretrain's inferencer, which draw the
                images with their scores.

        Returns:
            An answer for each image, in the order of the inputs; those of a folder are in
            the order of their names.

        Raises:
            OSError: If an image does not exist or cannot be read.
            ValueError: If ``batch_size`` is below 1, a folder has no images, an array is no
                image, or sizes in a batch differ.
        """
        if batch_size < 1:
            raise ValueError(f'batch_size={batch_size} must be at least 1.')
        self.model.eval()  # restarts the noise
        if isinstance(inputs, np.ndarray) and inputs.ndim == 4:
            inputs = list(inputs)
        if not isinstance(inputs, (list, tuple)):
            inputs = [inputs]
        images = [image for each in inputs for image in _images_of(each)]
        return super().__call__(images, return_datasamples, batch_size, **kwargs)

    def preprocess(self, inputs: list, batch_size: int = 1) -> Iterator[dict]:
        """Batches of images behind the test pipeline."""
        for start in range(0, len(inputs), batch_size):
            batch = [self.pipeline(each) for each in inputs[start : start + batch_size]]
            shapes = {tuple(each['inputs'].shape) for each in batch}
            if len(shapes) > 1:
                raise ValueError(
                    f'images of one batch have shapes {sorted(shapes)} behind the test pipeline; '
                    'add a Resize or a CenterCrop to it, or set batch_size=1.'
                )
            yield default_collate(batch)

    def forward(self, inputs: dict, **kwargs: Any) -> list[DataSample]:
        """Predict a batch."""
        data = self.model.data_preprocessor(inputs, False)
        samples = self.model.predict(
            data['inputs'], data['data_samples'], self.num_draws, with_draws=True
        )
        for sample in samples:
            for name, value in spread(sample.draw_scores.cpu())._asdict().items():
                sample.set_field(value, name)
        return samples

    def postprocess(
        self, preds: list[DataSample], visualization: Any, return_datasamples: bool = False
    ) -> list:
        """A dict for each sample, unless samples are asked for."""
        results = super().postprocess(preds, visualization, return_datasamples)
        if not return_datasamples:
            for result, sample in zip(results, preds, strict=True):
                result.update({name: sample.get(name).item() for name in Spread._fields})
        return results

    def _init_pipeline(self, cfg: Config) -> Callable[[Any], dict]:
        pipeline = test_dataset(cfg)['pipeline']
        loaders = [each for each in pipeline if type_name(each['type']) in LOADERS]
        mean = getattr(self.model.data_preprocessor, 'mean', None)
        grey = mean is not None and len(mean) == 1
        with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
            load = (
                TRANSFORMS.build(loaders[0])
                if loaders
                else LoadImage(color_type='grayscale' if grey else 'color')
            )
            rest = [TRANSFORMS.build(each) for each in pipeline if each not in loaders]
        grey = grey or load.color_type == 'grayscale'
        rgb = gives_rgb(cfg)

        def read(image: Any) -> dict:
            if isinstance(image, str):
                image = load(dict(img_path=image))['img']
            image = _with_channels(image, grey)
            if rgb and not grey:  # as the data set of the run gave it
                image = mmcv.bgr2rgb(image)
            return dict(img=image, img_shape=image.shape[:2], ori_shape=image.shape[:2])

        return Compose([read, *rest])


def _images_of(source: Any) -> list:
    """The image, or all images of a folder."""
    if isinstance(source, os.PathLike):
        source = str(source)
    if not isinstance(source, str) or '://' in source or osp.isfile(source):
        return [source]
    if not osp.isdir(source):
        raise FileNotFoundError(
            f'image {source!r} is neither a file nor a folder (from {os.getcwd()}).'
        )
    found = sorted(
        str(path)
        for path in Path(source).iterdir()
        if path.suffix.lower() in ('.webp', *ImageNet.IMG_EXTENSIONS)
    )
    if not found:
        raise ValueError(
            f'folder {source!r} has no images ({", ".join(ImageNet.IMG_EXTENSIONS)}, .webp); its '
            'own folders are not searched.'
        )
    return found


def _with_channels(image: Any, grey: bool) -> np.ndarray:
    """An image as a run reads it, (H, W) or (H, W, 3), of one with either."""
    shape = getattr(image, 'shape', None)
    if (
        not isinstance(image, np.ndarray)
        or image.dtype != np.uint8
        or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (1, 3)))
    ):
        raise ValueError(
            f'an input is a {type(image).__name__} of {getattr(image, "dtype", "no dtype")} and '
            f'shape {shape}; give paths, or uint8 arrays (H, W, 3) in BGR or (H, W).'
        )
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    if grey:
        return image if image.ndim == 2 else mmcv.bgr2gray(image)
    return mmcv.gray2bgr(image) if image.ndim == 2 else image
