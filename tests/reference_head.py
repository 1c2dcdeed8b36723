"""The generative head of GenDD written out plainly, as an oracle.

Nothing of ``gendd_mm`` is imported and nothing is saved: every row has its
own step, condition and position, means are computed instead of their closed
difference, the unconditional estimate is always evaluated. In float64 it is
what the tests compare with, in float32 the baseline of
``tools/benchmarks/head.py``.

Symbols as in arXiv 2507.14503 and 2102.09672: x token, z condition, abar the
signal's share of the variance.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

NUM_STEPS = 1000


def cosine_alpha_bar() -> list:
    """abar after each of the 1,000 steps."""

    def signal(s: float) -> float:
        return math.cos((s + 0.008) / 1.008 * math.pi / 2) ** 2

    alpha_bar, product = [], 1.0
    for i in range(NUM_STEPS):
        ratio = signal((i + 1) / NUM_STEPS) / signal(i / NUM_STEPS)
        product *= 1 - min(1 - ratio, 0.999)
        alpha_bar.append(product)
    return alpha_bar


class ReferenceDenoiser(nn.Module):
    """An MLP with adaptive layer norm; one condition per row."""

    def __init__(
        self, token_dim: int, condition_dim: int, num_tokens: int, width: int, depth: int
    ) -> None:
        super().__init__()
        self.x_in = nn.Linear(token_dim, width)
        self.time_1 = nn.Linear(256, width)
        self.time_2 = nn.Linear(width, width)
        self.z_in = nn.Linear(condition_dim, width)
        self.position_in = nn.Embedding(num_tokens, width)
        self.norm = nn.ModuleList(nn.LayerNorm(width, eps=1e-6) for _ in range(depth))
        self.mlp_1 = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.mlp_2 = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.modulation = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(depth))
        self.out_modulation = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, 2 * token_dim)

    def forward(self, x: Tensor, t: Tensor, z: Tensor, position: Tensor) -> Tensor:
        frequencies = torch.tensor(
            [math.exp(-math.log(10000) * i / 128) for i in range(128)], dtype=torch.float64
        )
        angles = t.double()[:, None] * frequencies
        sinusoids = torch.cat([torch.cos(angles), torch.sin(angles)], dim=1)
        sinusoids = sinusoids.to(x.dtype)
        time = self.time_2(F.silu(self.time_1(sinusoids)))
        e = time + self.z_in(z) + self.position_in(position)

        h = self.x_in(x)
        for norm, mlp_1, mlp_2, modulation in zip(
            self.norm, self.mlp_1, self.mlp_2, self.modulation
        ):
            shift, scale, gate = modulation(F.silu(e)).chunk(3, dim=1)
            inner = norm(h) * (1 + scale) + shift
            h = h + gate * mlp_2(F.silu(mlp_1(inner)))

        shift, scale = self.out_modulation(F.silu(e)).chunk(2, dim=1)
        return self.out(F.layer_norm(h, h.shape[1:], eps=1e-6) * (1 + scale) + shift)


class ReferenceHead(nn.Module):
    """Loss and samples of the generative head, all randomness given."""

    def __init__(
        self,
        condition_dim: int,
        target_dim: int,
        token_dim: int,
        width: int,
        depth: int,
        repeats: int,
    ) -> None:
        super().__init__()
        self.token_dim = token_dim
        self.num_tokens = target_dim // token_dim
        self.repeats = repeats
        self.denoiser = ReferenceDenoiser(token_dim, condition_dim, self.num_tokens, width, depth)
        self.alpha_bar = torch.tensor(cosine_alpha_bar(), dtype=torch.float64)
        self.double()

    @classmethod
    def like(cls, head: nn.Module) -> 'ReferenceHead':
        """The reference with the sizes and weights of a GenerativeHead."""
        reference = cls(
            condition_dim=head.condition_dim,
            target_dim=head.target_dim,
            token_dim=head.tokenizer.token_dim,
            width=head.denoiser.input.out_features,
            depth=len(head.denoiser.blocks),
            repeats=head.repeats,
        )
        theirs = head.state_dict()
        names = reference.names_in_head()
        assert sorted(names.values()) == sorted(theirs)
        reference.load_state_dict({mine: theirs[name] for mine, name in names.items()})
        return reference

    def names_in_head(self) -> dict:
        """Name of a parameter here -> its name in a GenerativeHead."""
        layers = {
            'x_in': 'input',
            'time_1': 'time_embedding.mlp.0',
            'time_2': 'time_embedding.mlp.2',
            'z_in': 'condition_embedding',
            'position_in': 'token_embedding',
            'out_modulation': 'modulation.output',
            'out': 'output',
        }
        for i in range(len(self.denoiser.norm)):
            layers[f'norm.{i}'] = f'blocks.{i}.norm'
            layers[f'mlp_1.{i}'] = f'blocks.{i}.mlp.0'
            layers[f'mlp_2.{i}'] = f'blocks.{i}.mlp.2'
            layers[f'modulation.{i}'] = f'modulation.blocks.{i}'
        names = {}
        for name, _ in self.denoiser.named_parameters():
            layer, kind = name.rsplit('.', 1)
            names[f'denoiser.{name}'] = f'denoiser.{layers[layer]}.{kind}'
        return names

    @property
    def dtype(self) -> torch.dtype:
        return self.denoiser.out.weight.dtype

    def loss(
        self, condition: Tensor, target: Tensor, t: Tensor, noise: Tensor, keep: Tensor
    ) -> Tensor:
        """The mean over the rows (image, token, repeat).

        Args:
            condition: (B, S).
            target: (B, D).
            t, noise, keep: One entry per row: (N,), (N, d), (N,).
        """
        rows_per_image = self.num_tokens * self.repeats
        assert len(condition) * rows_per_image == len(t) == len(noise)
        z = condition.to(self.dtype).repeat_interleave(rows_per_image, 0)
        z = torch.where(keep[:, None], z, torch.zeros_like(z))
        tokens = target.to(self.dtype).reshape(-1, self.token_dim)
        x_0 = tokens.repeat_interleave(self.repeats, 0)
        position = (
            torch.arange(self.num_tokens).repeat_interleave(self.repeats).repeat(len(condition))
        )
        noise = noise.to(self.dtype)

        abar = self.column(self.alpha_bar.to(t.device)[t])
        x_t = abar.sqrt() * x_0 + (1 - abar).sqrt() * noise
        estimate, v = self.denoiser(x_t, t, z, position).chunk(2, dim=1)
        error = (noise - estimate).square().mean(1)
        bound = self.bound(x_0, x_t, t, estimate.detach(), v)
        return (error + bound).mean()

    def column(self, values: Tensor) -> Tensor:
        return values[:, None].to(self.dtype)

    def bound(self, x_0: Tensor, x_t: Tensor, t: Tensor, estimate: Tensor, v: Tensor) -> Tensor:
        """A term of the variational bound, in bits per dimension."""
        all_abar = self.alpha_bar.to(t.device)
        before = torch.cat([all_abar.new_ones(1), all_abar[:-1]])
        variance = posterior_variance(all_abar, before)
        variance[0] = variance[1]  # the posterior variance of step 0 is zero
        smallest = self.column(variance[t].log())
        largest = self.column((1 - all_abar / before)[t].log())
        abar, before = all_abar[t][:, None], before[t][:, None]
        predicted_x_0 = (x_t - (1 - abar).sqrt() * estimate) / abar.sqrt()
        mean = posterior_mean(predicted_x_0, x_t, abar, before).to(self.dtype)
        frac = (v + 1) / 2
        log_variance = frac * largest + (1 - frac) * smallest
        model = Normal(mean, (log_variance / 2).exp())
        true = Normal(
            posterior_mean(x_0, x_t, abar, before).to(self.dtype),
            (smallest / 2).exp().expand_as(mean),
        )
        divergence = kl_divergence(true, model)
        # Where only one of the two counts, the other must not be infinite.
        at_0 = (t == 0)[:, None]
        log_mass = log_bin_mass(
            torch.where(at_0, x_0, 0),
            torch.where(at_0, mean, 0),
            torch.where(at_0, model.stddev, 1),
        )
        nats = torch.where(at_0, -log_mass.clamp(min=math.log(1e-12)), divergence)
        return nats.mean(1) / math.log(2)

    @torch.no_grad()
    def sample(
        self, condition: Tensor, noise: list, num_steps: int, start_t: int, guidance_scale: float
    ) -> Tensor:
        """Ancestral samples, shape (K, B, D).

        Args:
            condition: (B, S).
            noise: ``num_steps`` tensors of shape (K * B * L, d): the start,
                then what each step but the last adds.
            num_steps, start_t, guidance_scale: Of the sampler.
        """
        rows_per_draw = len(condition) * self.num_tokens
        num_draws = len(noise[0]) // rows_per_draw
        z = condition.to(self.dtype).repeat_interleave(self.num_tokens, 0)
        z = z.repeat(num_draws, 1)
        token = torch.arange(self.num_tokens).repeat(num_draws * len(condition))
        steps = [round(start_t * i / (num_steps - 1)) for i in range(num_steps)]
        noise = list(noise)
        x = noise.pop(0).to(self.dtype)
        for i in reversed(range(num_steps)):
            # Both halves of guidance as one batch.
            both = self.denoiser(
                torch.cat([x, x]),
                torch.full((2 * len(x),), steps[i]),
                torch.cat([z, torch.zeros_like(z)]),
                torch.cat([token, token]),
            )
            with_z, without_z = both.chunk(2, dim=0)
            eps_cond, v = with_z.chunk(2, dim=1)
            eps_null, _ = without_z.chunk(2, dim=1)
            estimate = eps_null + guidance_scale * (eps_cond - eps_null)

            abar = float(self.alpha_bar[steps[i]])
            before = float(self.alpha_bar[steps[i - 1]]) if i > 0 else 1.0
            predicted_x_0 = (x - math.sqrt(1 - abar) * estimate) / math.sqrt(abar)
            x = posterior_mean(predicted_x_0, x, abar, before)
            if i > 0:
                frac = (v + 1) / 2
                log_variance = frac * math.log(1 - abar / before) + (1 - frac) * math.log(
                    posterior_variance(abar, before)
                )
                x = x + (log_variance / 2).exp() * noise.pop(0).to(self.dtype)
        assert not noise
        return x.reshape(num_draws, len(condition), -1)


def posterior_mean(x_0: Tensor, x_t: Tensor, abar, before) -> Tensor:
    """Mean of q(x_{t-1} | x_t, x_0); ``before`` is abar one step earlier."""
    alpha = abar / before
    return (
        before**0.5 * (1 - alpha) / (1 - abar) * x_0 + alpha**0.5 * (1 - before) / (1 - abar) * x_t
    )


def posterior_variance(abar, before):
    """Variance of q(x_{t-1} | x_t, x_0)."""
    return (1 - before) / (1 - abar) * (1 - abar / before)


def log_bin_mass(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Log mass of a Gaussian within 1/255 of x; open beyond +-0.999."""
    upper = (x + 1 / 255 - mean) / std
    lower = (x - 1 / 255 - mean) / std
    # In the lower tail, where log_ndtr keeps its digits.
    mirror = lower + upper > 0
    high = torch.special.log_ndtr(torch.where(mirror, -lower, upper))
    low = torch.special.log_ndtr(torch.where(mirror, -upper, lower))
    closed = high + torch.log1p(-(low - high).exp())
    left = torch.special.log_ndtr(upper)
    right = torch.special.log_ndtr(-lower)
    return torch.where(x < -0.999, left, torch.where(x > 0.999, right, closed))


def randomize(module: nn.Module, std: float = 0.3) -> nn.Module:
    """Draw every parameter anew: at its initialisation a head gives zeros."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=std)
    return module
