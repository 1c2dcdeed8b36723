"""What a student learns from a network of other images, without labels.

    bash tools/get_efficientnet_lite0.sh && bash tools/get_fashion_mnist.sh
    python tools/benchmarks/foundation.py --seeds 0 1 2

Trains the student of configs/foundation by each method and seed, and classifies the
10,000 test images by its frozen feature: by the 20 nearest of the 4,000 training images,
weighted, and by a linear layer fitted to their labels. ``start`` is the student before
training, ``teacher`` the teacher itself. A line per run goes to --out; what is there
already is not run again.
"""

import argparse
import itertools
import os
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import DefaultScope
from torch import Tensor

from gendd_commands.command_line import add_traceback, user_errors
from gendd_mm.benchmark.records import append_record, provenance, read_records
from gendd_mm.benchmark.report import cell, markdown
from gendd_mm.benchmark.statistics import Summary
from gendd_mm.checkpoint import load_all, read_state_dict
from gendd_mm.deploy.features import batches, student_feature, test_dataset, unaugmented
from gendd_mm.engine.latest_checkpoint import latest_checkpoint
from gendd_mm.engine.model import build_model
from gendd_mm.engine.options import RunOptions, read_run
from gendd_mm.engine.stages import train_stages
from gendd_mm.evaluation.feature_quality import knn_labels
from gendd_mm.evaluation.linear_fit import fit_linear

CONFIG = str(
    Path(__file__).parents[2] / 'configs' / 'foundation' / 'efficientnet-lite0_fashion-mnist.py'
)
METHODS = ('gendd', 'gendd_flow', 'mse', 'cosine')
NAMES = dict(
    teacher='the teacher',
    start='the student before training',
    cosine='the student, regression by cosine',
    mse='the student, regression by MSE',
    gendd_flow='the student, GenDD by a flow',
    gendd="the student, GenDD by the paper's process",
)
METRICS = ('knn', 'linear')
ITERATIONS = 200


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--seeds', type=int, nargs='+', default=[0])
    parser.add_argument('--methods', nargs='+', choices=METHODS, default=METHODS)
    parser.add_argument('--out', default='docs/benchmark/foundation.jsonl')
    parser.add_argument('--work-dir', default='work_dirs/foundation')
    add_traceback(parser)
    args = parser.parse_args()
    with user_errors():
        for seed, method in itertools.product(args.seeds, ('teacher', 'start', *args.methods)):
            done = {(each['method'], each['seed']) for each in read_records(args.out)}
            if method == 'teacher':  # has no seed
                seed = None
            if (method, seed) in done:
                continue
            work_dir = Path(args.work_dir) / f'{method}-{seed}'
            record = dict(method=method, seed=seed, **measured(method, seed, str(work_dir)))
            append_record(args.out, record | provenance())
            print(record, flush=True)
    print(table(read_records(args.out)))


def table(records: list[dict]) -> str:
    """Mean and standard deviation over seeds of each method, in Markdown."""
    rows = []
    for method, name in NAMES.items():
        found = [each for each in records if each['method'] == method]
        if found:
            accuracies = [Summary.of([each[metric] for each in found]) for metric in METRICS]
            rows.append([name, *(cell(each, digits=1) for each in accuracies), str(len(found))])
    return markdown(['features of', 'kNN', 'linear', 'seeds'], rows)


def measured(method: str, seed: int | None, work_dir: str) -> dict[str, float]:
    """Train if the method does; kNN and linear accuracy, in percent."""
    os.environ['METHOD'] = method if method in METHODS else METHODS[0]
    options = {'randomness.seed': seed or 0}
    if method in METHODS:
        train_stages(
            CONFIG,
            RunOptions(work_dir=work_dir, resume='auto', validate=False, cfg_options=options),
        )
    cfg = read_run(CONFIG, options)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        torch.manual_seed(seed or 0)
        model: Any = build_model(cfg)
        model.init_weights()
        if method in METHODS:
            misfit = load_all(model, dict(read_state_dict(latest_checkpoint(work_dir))))
            if misfit:
                raise ValueError(f'{work_dir} holds the checkpoint of another model: {misfit}.')
        model.eval()
        test = cfg.test_dataloader.dataset.to_dict()
        pipeline = test_dataset(cfg)['pipeline']
        train = unaugmented(cfg.train_dataloader.dataset.to_dict(), pipeline)
        bank, labels = features(model, train, method == 'teacher')
        queries, truth = features(model, test, method == 'teacher')
    layer = fit_linear(bank, labels, 10, ITERATIONS)
    with torch.no_grad():
        linear = layer(queries.double()).argmax(1)
    found = dict(knn=knn_labels(queries, bank, labels), linear=linear)
    return {name: 100 * (each == truth).double().mean().item() for name, each in found.items()}


@torch.no_grad()
def features(model: Any, dataset: dict, of_teacher: bool) -> tuple[Tensor, Tensor]:
    """Features (N, S) of student or teacher, and labels (N, )."""
    found, labels = [], []
    for data in batches(dataset, model.data_preprocessor):
        inputs = data['inputs']
        found.append(
            model.teacher.extract_feat(inputs)[0]
            if of_teacher
            else student_feature(model.student, inputs)
        )
        labels += [sample.gt_label for sample in data['data_samples']]
    return torch.cat(found), torch.cat(labels)


if __name__ == '__main__':
    main()
