"""Accuracy of samplers on trained heads, paired with the paper's setting.

    python tools/benchmarks/sampling.py configs/gendd_digits.py \
        work_dirs/digits_rivals/gendd_digits/*-seed{0,1,2}/epoch_20.pth \
        --cfg-options \
        model.teacher_ckpt=$(ls work_dirs/digits_rivals/teacher_digits/*/epoch_20.pth)

Every image is classified by each sampler from the same student feature; the
difference to the paper's 64 ancestral steps from 999 with 5 draws is over all
images of all heads, with its 95 % interval. ``--json`` prints the rows.
"""

import argparse
import json
from functools import partial
from typing import NamedTuple

import torch
from measure import add_device
from mmengine.config import Config
from rich.console import Console
from rich.table import Table
from torch import Tensor

import gendd_mm  # noqa: F401  the shims come first
from gendd_commands.command_line import add_cfg_options, add_traceback, user_errors
from gendd_mm.engine.launch import build_runner
from gendd_mm.engine.options import read_run
from gendd_mm.generative import (
    AncestralSampler,
    DDIMSampler,
    DPMSolverPPSampler,
    MidpointSampler,
    OneStepSampler,
    Sampler,
)
from gendd_mm.generative.cost import multiply_adds
from gendd_mm.models import GenDD

PAPER = 'ancestral 64 from 999, 5 draws'
SAMPLERS = {
    PAPER: (AncestralSampler(64, start_t=999), 5),
    'ancestral 64, 5 draws': (AncestralSampler(64), 5),
    'ancestral 64, 1 draw': (AncestralSampler(64), 1),
    'ddim 8, 2 draws': (DDIMSampler(8), 2),
    'dpmpp_2m 4, 2 draws': (DPMSolverPPSampler(4), 2),
    'dpmpp_2m 3, 5 draws': (DPMSolverPPSampler(3), 5),
    'dpmpp_2m 3, 2 draws (default)': (DPMSolverPPSampler(3), 2),
    'dpmpp_2m 3, 1 draw': (DPMSolverPPSampler(3), 1),
    'dpmpp_2m 2, 2 draws': (DPMSolverPPSampler(2), 2),
    'midpoint 2, 2 draws': (MidpointSampler(2), 2),
    'one_step, 1 draw': (OneStepSampler(), 1),
    'one_step without guidance': (OneStepSampler(guidance_scale=1.0), 1),
}


class Trained(NamedTuple):
    """A trained model, with its student's conditions for the test images."""

    model: GenDD
    condition: Tensor
    labels: Tensor


@torch.no_grad()
def load(cfg: Config, checkpoint: str, device: torch.device) -> Trained:
    """Load a checkpoint and run the student over the test set."""
    cfg = cfg.copy()
    cfg.load_from, cfg.work_dir = checkpoint, 'work_dirs/sampling'
    cfg.launcher = 'none'
    runner = build_runner(cfg)
    runner.load_or_resume()
    model = runner.model.to(device).eval()  # MMEngine takes a GPU if there is one
    distiller = model.distiller
    mapping = distiller.loss_forward_mappings[distiller.gendd_name]
    conditions, labels = [], []
    for batch in runner.test_dataloader:
        data = model.data_preprocessor(batch, False)
        with distiller.student_recorders:
            model.student(data['inputs'], mode='tensor')
        conditions.append(distiller.get_record(**mapping['condition']))
        labels += [sample.gt_label for sample in data['data_samples']]
    return Trained(model, torch.cat(conditions), torch.cat(labels))


def correct(trained: Trained, sampler: Sampler, num_draws: int) -> Tensor:
    """Whether each image is classified correctly, as 0 or 1."""
    head = trained.model.distiller.gendd_loss.head
    generator = torch.Generator(trained.condition.device).manual_seed(0)
    features = head.sample(trained.condition, num_draws, generator, sampler).mean(0)
    answers = trained.model.teacher.classify(features).argmax(1)
    return (answers == trained.labels).double()


def compare(heads: list[Trained]) -> list[dict]:
    """One row for each sampler."""
    rows, baseline = [], None
    for name, (sampler, num_draws) in SAMPLERS.items():
        right = torch.stack([correct(trained, sampler, num_draws) for trained in heads])
        baseline = right if baseline is None else baseline
        gain = right - baseline
        head = heads[0].model.distiller.gendd_loss.head
        condition = heads[0].condition[:64]
        macs = multiply_adds(partial(head.sample, condition, num_draws, sampler=sampler))
        rows.append(
            dict(
                sampler=name,
                top1=100 * right.mean().item(),
                of_each=[100 * r.mean().item() for r in right],
                gain=100 * gain.mean().item(),
                interval=100 * 1.96 * gain.std().item() / gain.numel() ** 0.5,
                mmacs=macs / len(condition) / 1e6,
            )
        )
    return rows


def report(rows: list[dict]) -> None:
    """Print a table."""
    table = Table(title='Generative top-1')
    for name in ('sampler', 'top-1', 'of each head', f'gain on {PAPER}', 'M multiply-adds'):
        table.add_column(name)
    for row in rows:
        table.add_row(
            row['sampler'],
            f'{row["top1"]:.2f}',
            ' '.join(f'{top1:.2f}' for top1 in row['of_each']),
            f'{row["gain"]:+.2f} +- {row["interval"]:.2f}',
            f'{row["mmacs"]:.1f}',
        )
    Console().print(table)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config')
    parser.add_argument('checkpoints', nargs='+')
    parser.add_argument('--json', action='store_true')
    add_device(parser)
    add_cfg_options(parser)
    add_traceback(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    cfg = read_run(args.config, args.cfg_options)
    rows = compare([load(cfg, checkpoint, args.device) for checkpoint in args.checkpoints])
    if args.json:
        print(json.dumps(rows))
    else:
        report(rows)


if __name__ == '__main__':
    with user_errors():
        main()
