"""MMRazor's configurable distiller, which can also generate."""

from typing import Any

import torch
from mmrazor.models.distillers import ConfigurableDistiller
from torch import Tensor, nn

from gendd_mm.generative import GenDDLoss, Sampler
from gendd_mm.registry import MODELS


@MODELS.register_module()
class GenDDDistiller(ConfigurableDistiller):
    """A ``ConfigurableDistiller`` that holds a :class:`GenDDLoss`, or several.

    Recorders, connectors, losses and mappings are configured as in MMRazor, so that
    GenDD combines with any of its losses. :class:`GenDD` adds those of the teacher
    that a config leaves out. At test time the mapping of the loss's
    ``condition`` also feeds the sampler. Several losses learn several features of the
    teacher by heads of their own; one of them generates.

    Args:
        primary: Name of the loss that generates. None means the first. Defaults to None.
        kwargs: Arguments of :class:`mmrazor.models.distillers.ConfigurableDistiller`.

    Raises:
        ValueError: If there is no ``GenDDLoss``, or the ``condition`` or ``target`` of one, or
            what its contraction reads, is not mapped.
    """

    loss_forward_mappings: dict[str, dict]
    distill_losses: nn.ModuleDict

    def __init__(self, primary: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        names = [name for name, loss in self.distill_losses.items() if isinstance(loss, GenDDLoss)]
        if not names:
            raise ValueError(
                'distill_losses holds 0 GenDDLoss; the GenDD distiller needs one. Without any, use '
                'mmrazor.ConfigurableDistiller.'
            )
        if primary not in (None, *names):
            raise ValueError(f'primary={primary!r} is no GenDDLoss; choose from {names}.')
        self.gendd_names = tuple(names)
        self.gendd_name = primary or names[0]
        for name in names:
            self._complete_mappings(name)

    @property
    def gendd_loss(self) -> GenDDLoss:
        """The GenDD loss that generates, with its head."""
        loss = self.distill_losses[self.gendd_name]
        assert isinstance(loss, GenDDLoss)
        return loss

    def condition(self) -> Tensor:
        """The student's last recorded feature, before its connector, (B, S)."""
        entry = self.loss_forward_mappings[self.gendd_name]['condition']
        return self.get_record(**{**entry, 'connector': None})

    def target(self) -> Tensor:
        """The teacher's last recorded feature that is generated, (B, D)."""
        return self.get_record(**self.loss_forward_mappings[self.gendd_name]['target'])

    @torch.no_grad()
    def draws(
        self,
        num_draws: int = 1,
        generator: torch.Generator | None = None,
        sampler: Sampler | None = None,
        noise: Tensor | None = None,
    ) -> Tensor:
        """Draw teacher features for the student's last recorded forward.

        Args:
            num_draws: Draws K per image, at least 1.
            generator: Source of the randomness.
            sampler: Sampler to use. None takes the head's own.
            noise: Where the draws begin. None draws it.

        Returns:
            The K draws, shape (K, B, D).
        """
        mapping = self.loss_forward_mappings[self.gendd_name]
        condition = self.get_record(**mapping['condition'])
        return self.gendd_loss.head.sample(condition, num_draws, generator, sampler, noise)

    def generate(
        self,
        num_draws: int = 1,
        generator: torch.Generator | None = None,
        sampler: Sampler | None = None,
    ) -> Tensor:
        """The mean of :meth:`draws`, shape (B, D)."""
        return self.draws(num_draws, generator, sampler).mean(0)

    def _complete_mappings(self, loss: str) -> None:
        """Check the inputs that a loss reads; drop the others.

        Dropping lets a supervised config run without labels: with strength 0 or teacher
        labels alone, none are looked up.
        """
        mapping = dict(self.loss_forward_mappings.get(loss, {}))
        contraction: Any = self.distill_losses[loss].contraction
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
                f'loss_forward_mappings[{loss!r}] lacks {missing}; '
                'see configs/_base_/models/gendd.py and gendd_supervised.py for recorders and '
                'mappings. Those of the teacher are filled in by gendd_mm.GenDD alone.'
            )
        mapping = {name: entry for name, entry in mapping.items() if reads.get(name, True)}
        self.loss_forward_mappings = {**self.loss_forward_mappings, loss: mapping}
