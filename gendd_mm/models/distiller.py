"""MMRazor's configurable distiller, which can also generate."""

from typing import Any

import torch
from mmrazor.models.distillers import ConfigurableDistiller
from torch import Tensor, nn

from gendd_mm.generative import GenDDLoss, Sampler
from gendd_mm.registry import MODELS


@MODELS.register_module()
class GenDDDistiller(ConfigurableDistiller):
    """A ``ConfigurableDistiller`` that holds one :class:`GenDDLoss`.

    Recorders, connectors, losses and mappings are configured as in MMRazor, so that
    GenDD combines with any of its losses. :class:`GenDD` adds those of the teacher
    that a config leaves out. At test time the mapping of the loss's
    ``condition`` also feeds the sampler.

    Args:
        kwargs: Arguments of :class:`mmrazor.models.distillers.ConfigurableDistiller`.

    Raises:
        ValueError: If there is not exactly one ``GenDDLoss``, or its ``condition`` or
            ``target``, or what its contraction reads, is not mapped.
    """

    loss_forward_mappings: dict[str, dict]
    distill_losses: nn.ModuleDict

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        names = [name for name, loss in self.distill_losses.items() if isinstance(loss, GenDDLoss)]
        if len(names) != 1:
            raise ValueError(
                f'distill_losses holds {len(names)} GenDDLoss ({names}); the GenDD distiller needs '
                'exactly one. Without any, use mmrazor.ConfigurableDistiller.'
            )
        self.gendd_name = names[0]
        self._complete_mappings()

    @property
    def gendd_loss(self) -> GenDDLoss:
        """The GenDD loss, with its generative head."""
        loss = self.distill_losses[self.gendd_name]
        assert isinstance(loss, GenDDLoss)
        return loss

    @torch.no_grad()
    def generate(
        self,
        num_draws: int = 1,
        generator: torch.Generator | None = None,
        sampler: Sampler | None = None,
    ) -> Tensor:
        """Draw teacher features for the student's last recorded forward.

        Args:
            num_draws: Draws K per image, at least 1.
            generator: Source of the randomness.
            sampler: Sampler to use. None takes the head's own.

        Returns:
            Mean of the K draws, shape (B, D).
        """
        mapping = self.loss_forward_mappings[self.gendd_name]
        condition = self.get_record(**mapping['condition'])
        return self.gendd_loss.head.sample(condition, num_draws, generator, sampler).mean(0)

    def _complete_mappings(self) -> None:
        """Check the inputs that the loss reads; drop the others.

        Dropping lets a supervised config run without labels: with strength 0 or teacher
        labels alone, none are looked up.
        """
        mapping = dict(self.loss_forward_mappings.get(self.gendd_name, {}))
        contraction = self.gendd_loss.contraction
        if contraction is not None and contraction.strength == 0:
            contraction = None
        reads = dict(
            condition=True,
            target=True,
            class_centers=contraction is not None,
            class_bias=contraction is not None and contraction.teacher_label_weight > 0,
            labels=contraction is not None and contraction.needs_labels,
        )
        missing = [
            name
            for name, needed in reads.items()
            if needed and name not in mapping and name != 'class_bias'  # a layer may have none
        ]
        if missing:
            raise ValueError(
                f'loss_forward_mappings[{self.gendd_name!r}] lacks {missing}; '
                'see configs/_base_/models/gendd.py and gendd_supervised.py for recorders and '
                'mappings. Those of the teacher are filled in by gendd_mm.GenDD alone.'
            )
        mapping = {name: entry for name, entry in mapping.items() if reads.get(name, True)}
        self.loss_forward_mappings = {**self.loss_forward_mappings, self.gendd_name: mapping}
