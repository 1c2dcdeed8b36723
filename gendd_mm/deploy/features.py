"""The pooled features of a student, to fit a linear layer to."""

from collections.abc import Iterator
from typing import Any

import torch
from mmengine.config import Config, ConfigDict
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import Tensor, nn

from gendd_mm.annotations import datasets_in
from gendd_mm.registry import type_name

# Datasets that give the images of another one several times.
_REPEATING = ('RepeatDataset', 'ClassBalancedDataset', 'AugmentedViews')


def test_dataset(cfg: Config) -> dict:
    """The config of the test set, whose pipeline prepares an image for the student.

    Of a wrapped test set it is the one inside that has a pipeline. A run that tests
    nothing has none; then it is the training set with ``test_pipeline``, if the config has
    one. Empty if there is neither.
    """
    tested = (cfg.get('test_dataloader') or {}).get('dataset')
    trained = (cfg.get('train_dataloader') or {}).get('dataset')
    found: Any = tested or {}
    if not tested and trained and cfg.get('test_pipeline'):
        found = ConfigDict(trained, pipeline=cfg.test_pipeline)
    inner: Any = next((each for each in datasets_in(found) if 'pipeline' in each), found)
    return inner


def unaugmented(dataset: dict, pipeline: list) -> dict:
    """The config of a dataset with the test pipeline, without repeats and views.

    What it wraps, at any depth, gets that pipeline too. Each image is in it once, also where
    a run repeats those of rare classes.
    """
    if type_name(dataset['type']) in _REPEATING:
        return unaugmented(dataset['dataset'], pipeline)
    dataset = dict(dataset)
    if 'pipeline' in dataset:
        dataset['pipeline'] = pipeline
    if 'dataset' in dataset:
        dataset['dataset'] = unaugmented(dataset['dataset'], pipeline)
    if 'datasets' in dataset:
        dataset['datasets'] = [unaugmented(each, pipeline) for each in dataset['datasets']]
    return dataset


def batches(dataset: dict, preprocessor: nn.Module) -> Iterator[dict]:
    """Preprocessed batches of a dataset, in its order."""
    loader = Runner.build_dataloader(
        dict(
            dataset=dataset,
            # The activations of 64 images fit into the caches of a CPU.
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
    """The input of a classifier's head for preprocessed images, shape (B, S).

    Feature maps are averaged over their pixels.
    """
    feature = student.extract_feat(inputs)
    feature = feature[-1] if isinstance(feature, tuple) else feature
    return feature.flatten(2).mean(2) if feature.dim() == 4 else feature


@torch.no_grad()
def extract(student: BaseModel, preprocessor: nn.Module, dataset: dict) -> tuple[Tensor, Tensor]:
    """Features of a labelled dataset.

    Args:
        student: A classifier; it is in eval mode afterwards.
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
