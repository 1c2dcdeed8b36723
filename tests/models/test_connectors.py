"""Labels for losses that take class indices alone."""

import torch


def test_the_dominant_class_is_the_largest_share(build):
    from mmengine.registry import MODELS

    connector = build(MODELS, type='gendd_mm.DominantClass')
    shares = torch.tensor([[0.1, 0.6, 0.3], [0.0, 0.0, 1.0], [0.5, 0.2, 0.3]])
    assert connector(shares).tolist() == [1, 2, 0]
    labels = torch.tensor([4, 0, 2])
    assert connector(labels) is labels
