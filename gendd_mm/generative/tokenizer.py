"""Split tokenization: a feature vector as a sequence of short tokens."""

from torch import Tensor


class SplitTokenizer:
    """Cut a feature into contiguous tokens of equal size, and join them.

    A diffusion model over all dimensions of a feature at once does not train well; one
    over short tokens, given the condition and the position, does (arXiv 2507.14503,
    Split Tokenization). With ``token_dim`` equal to ``feature_dim`` there is one token:
    the paper's naive GenDD.

    It has no parameters.

    Args:
        feature_dim: Teacher feature size D, positive.
        token_dim: Token size d, a divisor of ``feature_dim``. Defaults to 64.

    Attributes:
        num_tokens: L = D / d.

    Raises:
        ValueError: If ``token_dim`` does not divide ``feature_dim``.
    """

    def __init__(self, feature_dim: int, token_dim: int = 64) -> None:
        if feature_dim < 1:
            raise ValueError(f'feature_dim={feature_dim} must be positive.')
        if token_dim < 1 or feature_dim % token_dim:
            raise ValueError(
                f'token_dim={token_dim} does not divide the teacher feature size {feature_dim}; '
                f'{_nearest_divisors(feature_dim, token_dim)}.'
            )
        self.feature_dim = feature_dim
        self.token_dim = token_dim
        self.num_tokens = feature_dim // token_dim

    def tokenize(self, feature: Tensor) -> Tensor:
        """Split features, shape (..., D), into tokens, shape (..., L, d).

        Raises:
            ValueError: If the last dimension is not ``feature_dim``.
        """
        if feature.size(-1) != self.feature_dim:
            raise ValueError(
                f'a feature of size {feature.size(-1)} does not fit a head '
                f'built for target_dim={self.feature_dim}; set target_dim to '
                'the size of the recorded teacher feature.'
            )
        return feature.unflatten(-1, (self.num_tokens, self.token_dim))

    def detokenize(self, tokens: Tensor) -> Tensor:
        """Join tokens, shape (..., L, d), into features, shape (..., D)."""
        return tokens.flatten(-2)


def _nearest_divisors(number: int, wanted: int) -> str:
    divisors = [d for d in range(1, number + 1) if number % d == 0]
    below = [d for d in divisors if d < wanted][-1:]
    above = [d for d in divisors if d > wanted][:1]
    return 'nearest divisors: ' + ', '.join(map(str, below + above))
