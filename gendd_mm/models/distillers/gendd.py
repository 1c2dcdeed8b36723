"""The distiller: MMRazor's configurable one, which can also generate."""

import torch
from mmrazor.models.distillers import ConfigurableDistiller
from torch import Tensor

from gendd_mm.diffusion import Sampler
from gendd_mm.models.losses import GenDDLoss
from gendd_mm.registry import MODELS


@MODELS.register_module()
class GenDDDistiller(ConfigurableDistiller):
    """A ``ConfigurableDistiller`` that holds one :class:`GenDDLoss`.

    Recorders, connectors, losses and mappings are configured as in MMRazor,
    so that GenDD combines with any of its losses. At test time the mapping of
    the loss's ``condition`` also feeds the sampler.

    Args:
        kwargs: Arguments of
            :class:`mmrazor.models.distillers.ConfigurableDistiller`.

    Raises:
        ValueError: If there is not exactly one ``GenDDLoss``, or its
            ``condition`` or ``target``, or what its contraction reads, is
            not mapped.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        names = [name for name, loss in self.distill_losses.items() if isinstance(loss, GenDDLoss)]
        if len(names) != 1:
            raise ValueError(
                f'distill_losses holds {len(names)} GenDDLoss ({names}); the '
                'GenDD distiller needs exactly one. For none use '
                'mmrazor.ConfigurableDistiller.'
            )
        self.gendd_name = names[0]
        self._complete_mappings()

    @property
    def gendd_loss(self) -> GenDDLoss:
        """The GenDD loss, with its generative head."""
        return self.distill_losses[self.gendd_name]

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
            sampler: Draws in place of the generative head's own.

        Returns:
            Mean of the K draws, shape (B, D).
        """
        mapping = self.loss_forward_mappings[self.gendd_name]
        condition = self.get_record(**mapping['condition'])
        other = {} if sampler is None else dict(sampler=sampler)
        return self.gendd_loss.head.sample(condition, num_draws, generator, **other).mean(0)

    def _complete_mappings(self) -> None:
        """Check what the loss reads; drop what it does not.

        Dropping lets a supervised config run without labels: with strength 0
        or teacher labels alone, none are looked up.
        """
        mapping = dict(self.loss_forward_mappings.get(self.gendd_name, {}))
        needed = ['condition', 'target']
        contraction = self.gendd_loss.contraction
        contracts = contraction and contraction.strength > 0
        if contracts:
            needed.append('class_centers')
        else:
            mapping.pop('class_centers', None)
        if contracts and contraction.needs_labels:
            needed.append('labels')
        else:
            mapping.pop('labels', None)
        missing = [name for name in needed if name not in mapping]
        if missing:
            raise ValueError(
                f'loss_forward_mappings[{self.gendd_name!r}] lacks {missing}; '
                'see configs/_base_/models/gendd.py and gendd_supervised.py '
                'for the recorders and mappings.'
            )
        self.loss_forward_mappings = {**self.loss_forward_mappings, self.gendd_name: mapping}
