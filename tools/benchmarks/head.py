"""Cost of the generative head, against a plain implementation.

    python tools/benchmarks/head.py
    python tools/benchmarks/head.py --quick --json
    python tools/benchmarks/head.py --device cuda

Every ratio is plain / ours, from one run in which the two take turns. The plain
one is tests/reference_head.py in float32, which the tests hold the head
against; a name that ends in ``_onednn`` is ours with oneDNN's products. Width
1024, depth 3, tokens of 64. docs/performance.md explains the numbers.
``--quick`` takes fewer rounds and samples 8 of the paper's 64 steps: under 4
minutes on two CPU cores. It needs torch alone.

On CUDA the cases have more images, and there are more numbers: training in bfloat16
against the plain head in bfloat16, compiled layers, and ``row_chunk`` in rows of width
1024; the latter two are ratios to our own step as it is by default.
"""

import argparse
import json
from functools import partial

import torch
from head_runs import (
    ANTITHETIC,
    DEFAULT_DRAWS,
    FLOW,
    PAPER_DRAWS,
    PAPER_GUIDANCE,
    PAPER_START,
    PAPER_STEPS,
    RECOMMENDED,
    REPEATS,
    Case,
    Run,
    by_onednn,
    cases,
    plain_sample,
    plain_train_step,
    sample,
    train_step,
)
from measure import MatrixProduct, add_device, gradient_variances, peak_bytes, seconds

from gendd_mm.generative import AncestralSampler, DDIMSampler, TokenDenoiser
from gendd_mm.generative.cost import multiply_adds
from gendd_mm.generative.linear import has_onednn, linear

# Beside the default of CUDA, 16,384.
ROW_CHUNKS = (2048, 4096, 8192, 32768, 65536)


def ratios(plain: dict[str, Run], ours: dict[str, tuple[str, Run]], rounds: int, device) -> dict:
    """Time of a plain run over that of ours, with either library of products.

    Args:
        plain: Runs of the plain head.
        ours: The plain run to compare with and our run, by the number's name.
        rounds: Rounds to take the median of.
        device: Where it runs.

    Returns:
        Each number, and with ``_onednn`` behind its name, where torch has it,
        the one with oneDNN's products.
    """
    runs = {name: run for name, (_, run) in ours.items()}
    if has_onednn() and device.type == 'cpu':
        runs.update({f'{name}_onednn': by_onednn(run) for name, run in runs.items()})
    times = seconds({**plain, **runs}, rounds, device)
    return {name: times[ours[name.removesuffix('_onednn')][0]] / times[name] for name in runs}


def training(case: Case, name: str, rounds: int, device: torch.device) -> dict:
    """Speed of training, exact and antithetic."""
    ours = {
        f'train_exact_{name}': ('plain', train_step(case)),
        f'train_antithetic_{name}': ('plain', train_step(case, **ANTITHETIC)),
    }
    return ratios(dict(plain=plain_train_step(case)), ours, rounds, device)


def on_gpu(case: Case, chunks: tuple[int, ...], rounds: int, device: torch.device) -> dict:
    """What matters on a GPU: half precision, fused kernels, rows a chunk.

    Args:
        case: Sizes.
        chunks: Values of ``row_chunk`` to compare with the default.
        rounds, device: As for :func:`measure.seconds`.
    """
    half = torch.bfloat16
    runs = {
        'plain_bfloat16': plain_train_step(case, half),
        'train_bfloat16': train_step(case, half),
        'train': train_step(case),
        'train_compiled': train_step(case, compiled=True),
        'train_bfloat16_compiled': train_step(case, half, compiled=True),
        **{f'row_chunk_{rows}': train_step(case, row_chunk=rows) for rows in chunks},
    }
    against = dict.fromkeys(runs, 'train')
    against.update(train_bfloat16='plain_bfloat16', train_bfloat16_compiled='train_bfloat16')
    times = seconds(runs, rounds, device)
    return {
        name: times[against[name]] / times[name]
        for name in runs
        if name not in ('plain_bfloat16', 'train')
    }


def products(case: Case, rounds: int, device: torch.device) -> dict:
    """Rates of matrix products, and the share of torch's that training reaches."""
    step = train_step(case)
    rows = 16384 if device.type == 'cuda' else 1280
    product = MatrixProduct(rows=rows)
    runs: dict[str, Run] = dict(step=step, torch=product)
    if has_onednn() and device.type == 'cpu':
        runs['onednn'] = by_onednn(MatrixProduct(linear, rows))
    times = seconds(runs, rounds, device)
    rates = {name: product.multiply_adds / times[name] for name in runs if name != 'step'}
    result = dict(gemm_share=multiply_adds(step) / times['step'] / rates['torch'])
    if 'onednn' in rates:
        result['gemm_rate_onednn'] = rates['onednn'] / rates['torch']
    return result


def variance(case: Case, steps: int = 100, draws: int = 20) -> float:
    """Gradient variance of antithetic rows over that of independent ones.

    The worse of the two of condition and parameters, on four images after
    some training on sixteen a step. Width 256, for time.
    """
    denoiser = partial(TokenDenoiser, width=256)
    independent = case.head(denoiser=denoiser)
    antithetic = case.head(denoiser=denoiser, **ANTITHETIC)
    batches = _trained(antithetic, case, steps)
    independent.load_state_dict(antithetic.state_dict())
    condition, target = next(batches)
    condition = condition[:4].detach().requires_grad_()
    ours, plain = (
        gradient_variances(partial(head.loss, condition, target[:4]), condition, head, draws)
        for head in (antithetic, independent)
    )
    return float((ours / plain).max())


def efficiency(
    case: Case, rounds: int, device: torch.device, steps: int = 100, draws: int = 40
) -> dict[str, float]:
    """What the generative part of the recommended setting saves, for the same flow.

    A step costs time, and leaves noise in the student's gradient; more repeats lessen the one
    by as much as they add to the other. So what counts is time x variance: that of the plain
    head, with torch's products and the paper's repeats, over ours. The variance is of the
    condition's gradient, of the same trained weights with either noise, on four images; width
    256, for time.
    """
    shared = partial(TokenDenoiser, modulation='shared')
    times = seconds(
        dict(
            plain=plain_train_step(case),
            ours=train_step(case, denoiser=shared, **RECOMMENDED),
        ),
        rounds,
        device,
    )
    narrow = partial(TokenDenoiser, width=256, modulation='shared')
    ours, plain = (case.head(denoiser=narrow, **each) for each in (RECOMMENDED, FLOW))
    condition, target = next(_trained(ours, case, steps))
    plain.load_state_dict(ours.state_dict())
    condition = condition[:4].detach().requires_grad_()
    variances = [
        gradient_variances(partial(head.loss, condition, target[:4]), condition, head, draws)[0]
        for head in (plain, ours)
    ]
    speed, quiet = times['plain'] / times['ours'], float(variances[0] / variances[1])
    return dict(recommended_speed=speed, efficiency_recommended=speed * quiet)


def _trained(head, case: Case, steps: int):
    """Train a head on sixteen images a step; the batches that would come next."""
    torch.manual_seed(1)
    batches = case.batches(16)
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        head.loss(*next(batches)).backward()
        optimizer.step()
    return batches


def sampling(case: Case, rounds: int, device: torch.device, num_steps: int) -> dict:
    """Speed of sampling.

    Args:
        case: Sizes.
        rounds, device: As for :func:`measure.seconds`.
        num_steps: Steps to take of the paper's, for time; their cost is
            linear in the steps, as ``growth_time_steps`` shows.
    """
    paper = AncestralSampler(num_steps, PAPER_START, PAPER_GUIDANCE)
    plain = {f'plain_{draws}': plain_sample(case, draws, num_steps) for draws in (1, PAPER_DRAWS)}
    ours = {
        'sample_exact_5': ('plain_5', sample(case, PAPER_DRAWS, sampler=paper)),
        'sample_exact_1': ('plain_1', sample(case, 1, sampler=paper)),
        'sample_default': ('plain_5', sample(case, DEFAULT_DRAWS)),
    }
    numbers = ratios(plain, ours, rounds, device)
    for name in numbers:
        if name.startswith('sample_default'):
            numbers[name] *= PAPER_STEPS / num_steps
    return numbers


def headline(
    small: Case, large: Case, rounds: int, device: torch.device, num_steps: int
) -> dict[str, float]:
    """The numbers that the head is judged by."""
    memory = peak_bytes(partial(plain_train_step, large), device) / peak_bytes(
        partial(train_step, large), device
    )
    return dict(
        **training(small, 'small', rounds, device),
        **training(large, 'large', rounds, device),
        memory_large=memory,
        variance_antithetic_small=variance(small),
        variance_antithetic_large=variance(large),
        **{f'{name}_small': value for name, value in efficiency(small, rounds, device).items()},
        **{f'{name}_large': value for name, value in efficiency(large, rounds, device).items()},
        **sampling(small, rounds, device, num_steps),
        gmacs_default=multiply_adds(sample(small, DEFAULT_DRAWS)) / small.batch_size / 1e9,
        **products(small, rounds, device),
    )


def growth(large: Case, rounds: int, device: torch.device) -> dict[str, float]:
    """Cost of four times as much, over the cost of once: a narrow head."""
    # A GPU must be busy.
    images, row_chunk = (512, 16384) if device.type == 'cuda' else (16, 1280)
    base = Case(images, 128, 512)
    denoiser = partial(TokenDenoiser, width=256)
    step = partial(train_step, denoiser=denoiser, row_chunk=row_chunk)
    draw = partial(sample, base, denoiser=denoiser)
    pairs = {
        'batch': (step(base), step(base._replace(batch_size=4 * images))),
        'tokens': (step(base), step(base._replace(target_dim=2048))),
        'repeats': (step(base), step(base, repeats=4 * REPEATS)),
        'draws': (draw(2), draw(8)),
        'steps': (
            draw(2, sampler=DDIMSampler(4)),
            draw(2, sampler=DDIMSampler(16)),
        ),
    }
    times = seconds(
        {(name, size): runs[size] for name, runs in pairs.items() for size in (0, 1)},
        rounds,
        device,
    )
    numbers = {f'growth_time_{name}': times[name, 1] / times[name, 0] for name in pairs}
    many = dict(denoiser=denoiser, row_chunk=row_chunk, repeats=4 * REPEATS)
    numbers['growth_memory_repeats'] = peak_bytes(
        partial(train_step, large, **many), device
    ) / peak_bytes(partial(train_step, large, **dict(many, repeats=REPEATS)), device)
    return numbers


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--json', action='store_true', help='print one JSON object')
    parser.add_argument(
        '--quick', action='store_true', help='fewer rounds and steps: under 4 minutes'
    )
    parser.add_argument(
        '--images', type=int, help='images of both cases (default: 32 and 64; 256 each on CUDA)'
    )
    add_device(parser)
    args = parser.parse_args()
    if args.images is not None and args.images < 1:
        parser.error(f'--images {args.images} must be at least 1.')
    return args


def main() -> None:
    args = parse_args()
    small, large = cases(args.device, args.images)
    # The plain head's normal distributions would read their values back from a GPU.
    torch.distributions.Distribution.set_default_validate_args(False)
    rounds = 2 if args.quick else 7
    if args.device.type == 'cuda':
        rounds *= 3  # they are short
    with args.device:
        numbers = headline(small, large, rounds, args.device, 8 if args.quick else PAPER_STEPS)
        numbers.update(growth(large, rounds, args.device))
        if args.device.type == 'cuda':
            numbers.update(on_gpu(large, ROW_CHUNKS, rounds, args.device))
    if args.json:
        print(json.dumps(numbers))
        return
    print(f'torch {torch.__version__}, {args.device}, {torch.get_num_threads()} threads')
    for name, value in numbers.items():
        print(f'{name:28}{value:10.2f}')


if __name__ == '__main__':
    main()
