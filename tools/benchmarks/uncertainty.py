"""What the spread of the draws is worth, beside the softmax of the student's own classifier.

    for seed in 0 1 2; do
        python tools/train.py configs/gendd_digits.py --work-dir work_dirs/digits/seed$seed \
            --cfg-options randomness.seed=$seed
    done
    python tools/benchmarks/uncertainty.py configs/gendd_digits.py \
        work_dirs/digits/seed{0,1,2}/epoch_20.pth --foreign configs/fashion_mnist/gendd_flow.py

Classifies the test images of a run by GenDDInferencer, and the test images of --foreign, resized.
Each checkpoint gives a line in --out for each guidance; what is there already is not computed
again. The table has mean and standard deviation over the checkpoints of a config.
"""

import argparse
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope
from mmengine.structures import BaseDataElement
from sklearn.metrics import roc_auc_score
from torch import Tensor

from gendd_commands.command_line import add_cfg_options, add_traceback, user_errors
from gendd_mm.benchmark.records import append_record, provenance, read_records
from gendd_mm.benchmark.report import cell, markdown
from gendd_mm.benchmark.statistics import Summary
from gendd_mm.checkpoint import read_checkpoint
from gendd_mm.deploy.features import test_dataset, unaugmented
from gendd_mm.engine.options import read_run
from gendd_mm.inference import GenDDInferencer, calibration_error, risk_coverage_area

COLUMNS = {
    'top1': 'top-1',
    'calibration': 'ECE, %',
    'risk': 'risk over coverage, %',
    'auroc': 'foreign images, AUROC, %',
}
# Which answer, and which doubt of it.
DOUBTS = {
    'own classifier': 'entropy of its softmax',
    'generative': 'entropy of the mean of the draws',
    'generative, spread': 'mutual information of class and draw',
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config')
    parser.add_argument('checkpoints', nargs='+')
    parser.add_argument('--foreign', required=True, help='config whose test images are foreign')
    parser.add_argument('--num-draws', type=int, default=16)
    parser.add_argument('--guidance', type=float, nargs='+', help="default: the config's, and 1")
    parser.add_argument('--batch-size', type=int, default=256)
    parser.add_argument('--out', default='docs/benchmark/uncertainty.jsonl')
    add_cfg_options(parser)
    add_traceback(parser)
    args = parser.parse_args()
    with user_errors():
        foreign, _ = images_and_labels(read_run(args.foreign))
        for checkpoint in args.checkpoints:
            measure(args, checkpoint, foreign)
    print(table(read_records(args.out)))


def measure(args: argparse.Namespace, checkpoint: str, foreign: list[np.ndarray]) -> None:
    """Append a line for each guidance of a checkpoint."""
    meta: Any = read_checkpoint(checkpoint)['meta']
    inferencer = GenDDInferencer(
        args.config, checkpoint, num_draws=args.num_draws, cfg_options=args.cfg_options
    )
    images, labels = images_and_labels(read_run(args.config, args.cfg_options))
    size = images[0].shape[1::-1]
    foreign = [mmcv.imresize(image, size, interpolation='area') for image in foreign]
    head = inferencer.model.distiller.gendd_loss.head
    sampler = getattr(head, 'residual', head).sampler
    for guidance in args.guidance or sorted({1.0, sampler.guidance_scale}):
        key = dict(
            config=Path(args.config).stem,
            epochs=meta['epoch'],
            seed=meta['seed'],
            guidance=guidance,
            num_draws=args.num_draws,
        )
        if any(key.items() <= each.items() for each in read_records(args.out)):
            continue
        sampler.guidance_scale = guidance
        answers = [
            inferencer(each, return_datasamples=True, batch_size=args.batch_size)
            for each in (images, foreign)
        ]
        record = dict(**key, foreign=args.foreign, measures=measures(*answers, labels))
        append_record(args.out, record | provenance())
        print(record, flush=True)


def images_and_labels(cfg: Config) -> tuple[list[np.ndarray], Tensor]:
    """The test images of a config as they are, (H, W, 3) or (H, W), uint8, and their labels."""
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        dataset: Any = DATASETS.build(unaugmented(test_dataset(cfg), []))
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    images = [
        np.asarray(info['img']) if 'img' in info else mmcv.imread(info['img_path'])
        for info in infos
    ]
    return images, torch.tensor([int(info['gt_label']) for info in infos])


def measures(
    known: list[BaseDataElement], foreign: list[BaseDataElement], labels: Tensor
) -> dict[str, dict[str, float]]:
    """Of each answer and doubt, the columns of the table, in percent."""
    own = _field(known, 'probe_score')
    drawn = _field(known, 'draw_scores').mean(1)
    entropy = torch.special.entr(own).sum(1)
    of_foreign = {
        'own classifier': torch.special.entr(_field(foreign, 'probe_score')).sum(1),
        'generative': _field(foreign, 'predictive_entropy'),
        'generative, spread': _field(foreign, 'mutual_information'),
    }
    found = {}
    for name, scores, doubt in (
        ('own classifier', own, entropy),
        ('generative', drawn, _field(known, 'predictive_entropy')),
        ('generative, spread', drawn, _field(known, 'mutual_information')),
    ):
        confidence, answer = scores.max(1)
        correct = answer == labels
        is_foreign = np.repeat([0, 1], [len(known), len(foreign)])
        values = dict(
            top1=correct.double().mean().item(),
            calibration=calibration_error(confidence, correct),
            risk=risk_coverage_area(doubt, correct),
            auroc=roc_auc_score(is_foreign, torch.cat([doubt, of_foreign[name]]).numpy()),
        )
        found[name] = {column: 100 * float(value) for column, value in values.items()}
    return found


def _field(samples: list[BaseDataElement], name: str) -> Tensor:
    return torch.stack([sample.get(name) for sample in samples]).cpu().double()


def table(records: list[dict]) -> str:
    """Mean and standard deviation over the seeds of each config and guidance, in Markdown."""
    rows = []
    groups = {(each['config'], each['epochs'], each['guidance']) for each in records}
    for config, epochs, guidance in sorted(groups):
        found = [
            each
            for each in records
            if (each['config'], each['epochs'], each['guidance']) == (config, epochs, guidance)
        ]
        for name, doubt in DOUBTS.items():
            if name == 'own classifier' and guidance != 1:
                continue  # guidance does not touch it
            each_seed = [each['measures'][name] for each in found]
            cells = [
                cell(Summary.of([values[column] for values in each_seed]), digits=2)
                for column in COLUMNS
            ]
            path = name if name == 'own classifier' else f'generative, guidance {guidance:g}'
            rows.append([f'{config}, {epochs} epochs', path, doubt, *cells, str(len(found))])
    return markdown(['run', 'answer', 'doubt', *COLUMNS.values(), 'seeds'], rows)


if __name__ == '__main__':
    main()
