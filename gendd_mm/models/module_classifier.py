"""A classifier of any library, as MMEngine's models are called."""

from typing import Any

from mmengine.model import BaseModel
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from gendd_mm.registry import MODELS

from .build_network import build_network


@MODELS.register_module()
class ModuleClassifier(BaseModel):
    """Any ``torch.nn.Module`` that gives scores, above all as a teacher.

    As mmpretrain's ``TimmClassifier`` for timm; this one takes torchvision's networks,
    HuggingFace's and one's own.

    Args:
        network: The module, or its config as of :func:`build_network`, such as
            ``dict(type='torchvision.models.resnet18', weights=None)``. It gives scores
            (B, C), or an object that has them as ``logits``.
        data_preprocessor: What images it was trained on, as of mmpretrain's classifiers:
            ``dict(mean=..., std=..., to_rgb=True)``. None takes images as the run
            prepares them. Defaults to None.
        pretrained: Whether the network was built with its trained weights, so that a
            teacher needs no ``teacher_ckpt``: ``dict(type='torchvision.models.resnet18',
            weights='DEFAULT')``. Defaults to False.
        init_cfg: Initialisation config. Defaults to None.

    Raises:
        ValueError: If ``network`` is no module, or would run code of its files.

    Example:
        >>> import torch
        >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 3))
        >>> model = ModuleClassifier(network)
        >>> model(torch.randn(2, 3, 2, 2)).shape
        torch.Size([2, 3])
    """

    def __init__(
        self,
        network: nn.Module | dict,
        data_preprocessor: dict | nn.Module | None = None,
        pretrained: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        if isinstance(data_preprocessor, dict):
            data_preprocessor = {'type': 'mmpretrain.ClsDataPreprocessor', **data_preprocessor}
        super().__init__(data_preprocessor, init_cfg)
        built = build_network(network)
        if not isinstance(built, nn.Module):
            raise ValueError(
                f'network={network!r} is a {type(built).__name__}, no torch.nn.Module; give the '
                'import path of a class, or of a function that returns a network.'
            )
        self.network = built
        self.pretrained = pretrained

    def forward(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None, mode: str = 'tensor'
    ) -> Any:
        """Scores, or samples with predictions.

        Args:
            inputs: Preprocessed images, shape (B, C, H, W).
            data_samples: Samples to write predictions to. None makes new ones.
            mode: ``'tensor'`` gives the scores, shape (B, C), before any softmax;
                ``'predict'`` samples with ``pred_score`` and ``pred_label``.

        Raises:
            ValueError: If ``mode`` is another: it is not trained here.
        """
        if mode not in ('tensor', 'predict'):
            raise ValueError(f"mode={mode!r}: ModuleClassifier has 'tensor' and 'predict' alone.")
        output = self.network(inputs)
        scores = getattr(output, 'logits', output)
        if mode == 'tensor':
            return scores
        if data_samples is None:
            data_samples = [DataSample() for _ in range(len(inputs))]
        for sample, score in zip(data_samples, scores.softmax(-1), strict=True):
            sample.set_pred_score(score).set_pred_label(score.argmax())
        return data_samples
