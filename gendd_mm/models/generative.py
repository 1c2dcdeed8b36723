"""The method under its registry names: built from configs, piece by piece.

``gendd_mm.generative`` is plain torch. A component without parts is registered as it
is; one with parts has an adapter here, which builds them from their configs.
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
    generative.LinearRegressionHead,
    generative.MapsToRows,
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
                FutureWarning,  # a DeprecationWarning would be hidden
                stacklevel=2,
            )
            kwargs = dict(num_timesteps=num_steps, **kwargs)
        return process(*args, **kwargs)

    MODELS.register_module(name=process.__name__, module=build)


_register_process(generative.GaussianDiffusion)
_register_process(generative.RectifiedFlow)


def _build(config: dict, **sizes: int) -> Any:
    """Build a part from its config and the sizes that follow from the others."""
    return MODELS.build(dict(config, **sizes, _scope_='gendd_mm'))


def _build_sampler(config: dict) -> generative.Sampler:
    return TASK_UTILS.build(dict(config, _scope_='gendd_mm'))


@MODELS.register_module()
class GenerativeHead(generative.GenerativeHead, BaseModule):
    """:class:`gendd_mm.generative.GenerativeHead` from the configs of its pieces.

    Args:
        condition_dim, target_dim, options: As in that class.
        tokenizer: Config of the tokenizer; ``feature_dim`` is filled in.
        denoiser: Config of the denoiser; its sizes are filled in.
        process: Config of the diffusion process.
        sampling: Config of the sampler. The paper's is
            ``dict(type='ancestral', num_steps=64, start_t=999)``.
        init_cfg: Initialisation config. Defaults to None.
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
    """:class:`gendd_mm.generative.RegressionHead` from the configs of its pieces.

    Args:
        condition_dim, target_dim, target_scale: As in that class.
        tokenizer: Config of the tokenizer; ``feature_dim`` is filled in.
        denoiser: Config of the network; its sizes are filled in.
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
class MeanResidualHead(generative.MeanResidualHead, BaseModule):
    """:class:`gendd_mm.generative.MeanResidualHead` from the configs of its pieces.

    Args:
        condition_dim, target_dim, teaches: As in that class.
        residual: Settings of the :class:`GenerativeHead`; its sizes are filled in. Without
            others it is a rectified flow at unit variance, sampled by 4 steps without
            guidance, whose condition is never dropped.
        init_cfg: Initialisation config. Defaults to None.
    """

    def __init__(
        self,
        condition_dim: int,
        target_dim: int,
        residual: dict | None = None,
        teaches: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        settings = dict(
            type='GenerativeHead',
            process=dict(type='RectifiedFlow'),
            sampling=dict(type='euler', num_steps=4, guidance_scale=1.0),
            condition_drop=0.0,
            target_scale='auto',
        )
        head = functools.partial(_build, dict(settings, **(residual or {})))
        super().__init__(condition_dim, target_dim, head, teaches)
        self.init_cfg = init_cfg


@MODELS.register_module()
class DistributionContraction(generative.DistributionContraction):
    """:class:`gendd_mm.generative.DistributionContraction` from configs.

    Args:
        strength, teacher_label_weight: As in that class.
        centers: Config of ``ClassifierCenters`` or ``FeatureMeanCenters``.
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
    """:class:`gendd_mm.generative.GenDDLoss` from the configs of its pieces.

    A distillation loss for MMRazor's ``ConfigurableDistiller``: its forward arguments
    are filled by ``loss_forward_mappings``.

    Args:
        head, contraction, feature_mixup: Configs; None leaves one out.
        loss_weight, num_rows: As in that class.
        init_cfg: Initialisation config. Defaults to None.
    """

    def __init__(
        self,
        head: dict,
        contraction: dict | None = None,
        feature_mixup: dict | None = dict(type='FeatureMixup'),
        loss_weight: float = 1.0,
        num_rows: int | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            _build(head),
            None if contraction is None else _build(contraction),
            None if feature_mixup is None else _build(feature_mixup),
            loss_weight,
            num_rows,
        )
        self.init_cfg = init_cfg
