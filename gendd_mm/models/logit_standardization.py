"""Logit standardisation: distillation that ignores shift and scale of logits."""

import torch.nn.functional as F
from torch import Tensor, nn

from gendd_mm.registry import MODELS

# Far below the variance of real logits; only for logits that are all equal,
# such as those of a classifier that starts at zero.
MIN_VARIANCE = 1e-7


@MODELS.register_module()
class LogitStandardizationLoss(nn.Module):
    """KL divergence between standardised logits.

    Sun et al., arXiv 2403.01427 (Algorithms 1 and 2):
    ``loss_weight * tau^2 * KL(softmax(Z(preds_T) / tau) || softmax(Z(preds_S) / tau))``,
    summed over classes,
    averaged over the batch. Z makes the mean of a sample's logits 0 and their variance
    (over C, not C - 1) 1, so that only their relations are learned. The arguments are
    those of MMRazor's ``KLDivergence``, which it can replace.

    Args:
        tau: Base temperature, positive. Defaults to 2 (CIFAR-100).
        loss_weight: Weight of the loss. Defaults to 9, beside cross-entropy with 0.1
            (CIFAR-100).

    Raises:
        ValueError: If ``tau`` is not positive.
    """

    def __init__(self, tau: float = 2.0, loss_weight: float = 9.0) -> None:
        super().__init__()
        if not tau > 0:
            raise ValueError(f'tau={tau} must be positive: logits are divided by it.')
        self.tau = tau
        self.loss_weight = loss_weight

    def forward(self, preds_S: Tensor, preds_T: Tensor) -> Tensor:
        """The loss of a batch.

        Args:
            preds_S: Logits of the student, shape (B, C).
            preds_T: Logits of the teacher, shape (B, C); no gradient.

        Returns:
            Scalar loss.
        """
        divergence = F.kl_div(
            self._log_softmax(preds_S),
            self._log_softmax(preds_T.detach()),
            reduction='batchmean',
            log_target=True,
        )
        return self.loss_weight * self.tau**2 * divergence

    def _log_softmax(self, logits: Tensor) -> Tensor:
        # A z-score is a layer norm without weights.
        scores = F.layer_norm(logits, logits.shape[-1:], eps=MIN_VARIANCE)
        return (scores / self.tau).log_softmax(-1)
