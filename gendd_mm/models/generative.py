"""The method under its registry names: built from configs, piece by piece.

``gendd_mm.generative`` is plain torch. What takes no other piece is registered
as it is; what does is built here from the configs of its pieces.
"""

import functools
import warnings
from typing import Any

from mmengine.model import BaseModule
from torch import nn

from gendd_mm import generative
from gendd_mm.registry import MODELS, TASK_UTILS

for _module in (
    generative.ClassifierCenters,
    generative.FeatureMeanCenters,
    generative.FeatureMixup,
    generative.SplitTokenizer,
    generative.TokenDenoiser,
):
    MODELS.register_module(module=_module)

TASK_UTILS.register_module(name='ancestral', module=generative.AncestralSampler)
# On a rectified flow, DDIM is Euler's method.
TASK_UTILS.register_module(name=['ddim', 'euler'], module=generative.DDIMSampler)
TASK_UTILS.register_module(name='dpmpp_2m', module=generative.DPMSolverPPSampler)
TASK_UTILS.register_module(name='midpoint', module=generative.MidpointSampler)
TASK_UTILS.register_module(name='one_step', module=generative.OneStepSampler)


def _register_process(process: type[generative.DiffusionProcess]) -> None:
    """Register a process; its configs may still say ``num_steps``."""

    @functools.wraps(process, updated=())
    def build(*args: Any, num_steps: int | None = None, **kwargs: Any) -> nn.Module:
        if num_steps is not None:
            warnings.warn(
                f'num_steps of {process.__name__} is now num_timesteps; samplers keep num_steps.',
                DeprecationWarning,
                stacklevel=2,
            )
            kwargs['num_timesteps'] = num_steps
        return process(*args, **kwargs)

    MODELS.register_module(name=process.__name__, module=build)


_register_process(generative.GaussianDiffusion)
_register_process(generative.RectifiedFlow)


def _build(config: dict, **sizes: int) -> Any:
    """A piece from its config, with the sizes that follow from the others."""
    return MODELS.build(dict(config, **sizes, _scope_='gendd_mm'))


def _build_sampler(config: dict) -> generative.Sampler:
    return TASK_UTILS.build(dict(config, _scope_='gendd_mm'))


@MODELS.register_module()
class GenerativeHead(generative.GenerativeHead, BaseModule):
    """:class:`gendd_mm.generative.GenerativeHead` from configs.

    Args:
        condition_dim: Size S of the condition, the student's feature.
        target_dim: Size D of the teacher's feature.
        tokenizer: Config of the tokenizer; ``feature_dim`` is filled in.
            Defaults to ``dict(type='SplitTokenizer', token_dim=64)``.
        denoiser: Config of the denoiser; its sizes are filled in. Defaults to
            ``dict(type='TokenDenoiser', width=1024, depth=3)``.
        process: Config of the diffusion process. Defaults to
            ``dict(type='GaussianDiffusion')``.
        sampling: Config of the sampler. Defaults to ``dict(type='dpmpp_2m',
            num_steps=3, guidance_scale=2.0)``. The paper's setting is
            ``dict(type='ancestral', num_steps=64, start_t=999)``.
        init_cfg: Initialisation config. Defaults to None.
        options: ``repeats``, ``condition_drop``, ``noise_sampling``,
            ``target_scale`` and ``row_chunk``, as there.
    """

    def __init__(
        self,
        condition_dim: int,
        target_dim: int,
        tokenizer: dict = dict(type='SplitTokenizer', token_dim=64),
        denoiser: dict = dict(type='TokenDenoiser', width=1024, depth=3),
        process: dict = dict(type='GaussianDiffusion'),
        sampling: dict = dict(type='dpmpp_2m', num_steps=3, guidance_scale=2.0),
        init_cfg: dict | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            condition_dim,
            target_dim,
            tokenizer=functools.partial(_build, tokenizer),
            denoiser=functools.partial(_build, denoiser),
            process=_build(process),
            sampler=_build_sampler(sampling),
            **options,
        )
        self.init_cfg = init_cfg


@MODELS.register_module()
class RegressionHead(generative.RegressionHead, BaseModule):
    """:class:`gendd_mm.generative.RegressionHead` from configs.

    Args:
        condition_dim: Size S of the condition, the student's feature.
        target_dim: Size D of the teacher's feature.
        tokenizer: Config of the tokenizer; ``feature_dim`` is filled in.
            Defaults to ``dict(type='SplitTokenizer', token_dim=64)``.
        denoiser: Config of the network; its sizes are filled in. Defaults to
            ``dict(type='TokenDenoiser', width=1024, depth=3)``.
        target_scale: Factor on the targets, a positive number or ``'auto'``
            for unit variance. Defaults to 1.
        init_cfg: Initialisation config. Defaults to None.
    """

    def __init__(
        self,
        condition_dim: int,
        target_dim: int,
        tokenizer: dict = dict(type='SplitTokenizer', token_dim=64),
        denoiser: dict = dict(type='TokenDenoiser', width=1024, depth=3),
        target_scale: float | str = 1.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            condition_dim,
            target_dim,
            tokenizer=functools.partial(_build, tokenizer),
            denoiser=functools.partial(_build, denoiser),
            target_scale=target_scale,
        )
        self.init_cfg = init_cfg


@MODELS.register_module()
class DistributionContraction(generative.DistributionContraction):
    """:class:`gendd_mm.generative.DistributionContraction` from configs.

    Args:
        strength: How far to pull, in [0, 1]. Defaults to 0.9.
        teacher_label_weight: Share of the teacher's own opinion in the
            labels, in [0, 1]. Defaults to 0.
        centers: Config of the centres, ``ClassifierCenters`` or
            ``FeatureMeanCenters``. Defaults to
            ``dict(type='ClassifierCenters')``.
    """

    def __init__(
        self,
        strength: float = 0.9,
        teacher_label_weight: float = 0.0,
        centers: dict = dict(type='ClassifierCenters'),
    ) -> None:
        super().__init__(strength, teacher_label_weight, _build(centers))


@MODELS.register_module()
class GenDDLoss(generative.GenDDLoss, BaseModule):
    """:class:`gendd_mm.generative.GenDDLoss` from configs.

    A distillation loss for MMRazor's ``ConfigurableDistiller``: its forward
    arguments are filled by ``loss_forward_mappings``.

    Args:
        head: Config of the generative head.
        contraction: Config of the distribution contraction. None means
            unsupervised: no contraction. Defaults to None.
        feature_mixup: Config of the feature mixup. None means none. Defaults
            to ``dict(type='FeatureMixup')``.
        loss_weight: Weight of the loss. Defaults to 1.
        init_cfg: Initialisation config. Defaults to None.
    """

    def __init__(
        self,
        head: dict,
        contraction: dict | None = None,
        feature_mixup: dict | None = dict(type='FeatureMixup'),
        loss_weight: float = 1.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            _build(head),
            None if contraction is None else _build(contraction),
            None if feature_mixup is None else _build(feature_mixup),
            loss_weight,
        )
        self.init_cfg = init_cfg
