"""An exported student, with images of its run to compare formats on."""

import os.path as osp
import tempfile
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import DATASETS, DefaultScope
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmpretrain.apis import get_model
from torch import Tensor, nn

from ..export import ExportedStudent, class_names, gives_rgb
from ..features import test_dataset

__all__ = ['StudentGraph', 'TrainedStudent', 'read_student']

NUM_IMAGES = 8


class StudentGraph(nn.Module):
    """From images to scores as one module, for formats that keep a graph.

    Args:
        model: An ``ImageClassifier`` in eval mode.
        with_preprocessing: Whether images are RGB (or grey) levels of 0 to 255, which are
            put into the network's channel order and normalised here. Otherwise they are
            what the network takes.
        preprocessor: That says how. None takes the model's own.

    Raises:
        ValueError: If the preprocessor pads or scales images by itself.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: Any, with_preprocessing: bool, preprocessor: Any = None) -> None:
        super().__init__()
        self.model = model
        self.with_preprocessing = with_preprocessing
        preprocessor = preprocessor or model.data_preprocessor
        if with_preprocessing and getattr(preprocessor, 'pad_size_divisor', 1) > 1:
            raise ValueError(
                f'pad_size_divisor={preprocessor.pad_size_divisor} pads images by their size, '
                'which a graph cannot hold; export without --with-preprocessing.'
            )
        mean = getattr(preprocessor, 'mean', None)
        self.is_normalized = with_preprocessing and mean is not None
        if self.is_normalized:
            self.register_buffer('mean', preprocessor.mean.reshape(1, -1, 1, 1).clone())
            self.register_buffer('std', preprocessor.std.reshape(1, -1, 1, 1).clone())
        # Images of files are BGR to mmpretrain; swapped once, the network takes RGB.
        self.takes_bgr = not getattr(preprocessor, 'to_rgb', False)

    def forward(self, images: Tensor) -> Tensor:
        """Scores of all classes, shape (B, C), which sum to 1, of images (B, 3 or 1, H, W)."""
        return self.model(self.prepared(images), mode='tensor').softmax(1)

    def prepared(self, images: Tensor) -> Tensor:
        """Images as the network takes them."""
        if self.with_preprocessing:
            if self.takes_bgr and images.size(1) == 3:
                images = images.flip(1)
            if self.is_normalized:
                images = (images - self.mean) / self.std
        return images


@dataclass(frozen=True)
class TrainedStudent:
    """What a format is written of and compared with.

    Attributes:
        exported: The files of the mmpretrain format.
        model: The student, an ``ImageClassifier`` in eval mode.
        images: What its network takes, shape (N, channels, H, W), float32.
        levels: The same images in RGB or grey, 0 to 255.
        scores: Of these images, shape (N, C).
        classes: Names, if known.
        source: What the images are, in words.
    """

    exported: ExportedStudent
    model: Any
    images: Tensor
    levels: Tensor
    scores: Tensor
    classes: list[str] | None
    source: str


@torch.no_grad()
def read_student(cfg: Config, exported: ExportedStudent) -> TrainedStudent:
    """Load an exported student, and its scores of some test images of the run.

    Where these cannot be read, noise through the test pipeline takes their place, and
    ``source`` says so.

    Raises:
        ValueError: If neither gives images of one size.
    """
    model = get_model(exported.config, pretrained=exported.weights).eval()
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        try:
            bgr = _test_images(cfg)
            source = f'{len(bgr)} test images of the run'
        except (OSError, ValueError) as error:
            bgr = _noise(Config.fromfile(exported.config))
            cause = ' '.join(str(error).split())
            source = f'noise, because the test images cannot be read ({cause})'
    images = model.data_preprocessor(dict(inputs=list(bgr)), False)['inputs']
    levels = bgr.flip(1) if bgr.size(1) == 3 else bgr
    scores = StudentGraph(model, False)(images)
    classes = class_names(cfg, exported.weights)
    return TrainedStudent(exported, model, images, levels.float(), scores, classes, source)


def _test_images(cfg: Config) -> Tensor:
    dataset: Any = DATASETS.build(dict(test_dataset(cfg), lazy_init=False))
    places = np.unique(np.linspace(0, len(dataset) - 1, NUM_IMAGES).astype(int))
    images = [dataset[int(place)]['inputs'] for place in places]
    if len({image.shape for image in images}) > 1:
        raise ValueError('they are of several sizes; crop or resize all to one in test_pipeline')
    stacked = torch.stack(images)
    return stacked.flip(1) if gives_rgb(cfg) and stacked.size(1) == 3 else stacked


def _noise(exported: Config) -> Tensor:
    import cv2

    pipeline = exported.test_dataloader.dataset.pipeline
    compose = Compose([MMENGINE_TRANSFORMS.build(step) for step in pipeline])
    random = np.random.RandomState(0)
    images = []
    with tempfile.TemporaryDirectory() as folder:
        for index in range(2):
            path = osp.join(folder, f'{index}.png')
            cv2.imwrite(path, random.randint(0, 256, (256, 256, 3), dtype=np.uint8))
            try:
                images.append(compose(dict(img_path=path))['inputs'])
            except KeyError as error:
                raise ValueError(
                    'neither the test images nor the test pipeline give an image to compare '
                    f'formats on (the pipeline needs {error}); put the test images in their '
                    'place, or set test_dataloader.dataset by --cfg-options.'
                ) from error
    return torch.stack(images)
