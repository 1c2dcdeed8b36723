"""The pooled features of a student, for a layer fitted to them."""

from collections.abc import Iterator

import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import Tensor, nn


def without_augmentation(dataset: dict, pipeline: list) -> dict:
    """A dataset's config with the test pipeline, and without repetition."""
    if dataset['type'].rpartition('.')[2] == 'RepeatDataset':
        return without_augmentation(dataset['dataset'], pipeline)
    dataset = dict(dataset)
    if 'pipeline' in dataset:
        dataset['pipeline'] = pipeline
    if 'dataset' in dataset:
        dataset['dataset'] = without_augmentation(dataset['dataset'], pipeline)
    return dataset


def batches(dataset: dict, preprocessor: nn.Module) -> Iterator[dict]:
    """A dataset's images, preprocessed, in its order."""
    loader = Runner.build_dataloader(
        dict(
            dataset=dataset,
            # Their activations fit a CPU's caches, unlike those of 500.
            batch_size=64,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='default_collate'),
        )
    )
    for batch in loader:
        yield preprocessor(batch, False)


@torch.no_grad()
def student_feature(student: BaseModel, inputs: Tensor) -> Tensor:
    """What a classifier's head sees of preprocessed images, shape (B, S).

    Maps are averaged.
    """
    feature = student.extract_feat(inputs)
    feature = feature[-1] if isinstance(feature, tuple) else feature
    return feature.flatten(2).mean(2) if feature.dim() == 4 else feature


@torch.no_grad()
def extract(student: BaseModel, preprocessor: nn.Module, dataset: dict) -> tuple[Tensor, Tensor]:
    """Features of a labelled dataset.

    Args:
        student: A classifier; left in eval mode.
        preprocessor: Data preprocessor of the run.
        dataset: Config of the dataset, with the test pipeline.

    Returns:
        Features, shape (N, S); labels, shape (N, ).
    """
    student.eval()
    features, labels = [], []
    for data in batches(dataset, preprocessor):
        features.append(student_feature(student, data['inputs']))
        labels += [sample.gt_label for sample in data['data_samples']]
    return torch.cat(features).cpu(), torch.cat(labels).cpu()
