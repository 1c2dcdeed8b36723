"""SplitTokenizer: contiguous tokens, and nothing lost."""

import pytest
import torch
from mmengine.registry import MODELS

from gendd_mm.generative import SplitTokenizer


def test_merge_inverts_split():
    tokenizer = SplitTokenizer(feature_dim=12, token_dim=4)
    feature = torch.randn(3, 12)
    tokens = tokenizer.tokenize(feature)
    assert tokens.shape == (3, tokenizer.num_tokens, 4) == (3, 3, 4)
    assert tokenizer.detokenize(tokens).equal(feature)


def test_tokens_are_contiguous_pieces():
    tokens = SplitTokenizer(12, token_dim=4).tokenize(torch.arange(12)[None])
    assert tokens.tolist() == [[[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]]


def test_leading_dimensions_are_kept():
    tokenizer = SplitTokenizer(6, token_dim=2)
    draws = torch.randn(5, 4, 6)
    tokens = tokenizer.tokenize(draws)
    assert tokens.shape == (5, 4, 3, 2)
    assert tokenizer.detokenize(tokens).equal(draws)


def test_one_token_of_the_whole_feature_is_naive_gendd():
    tokenizer = SplitTokenizer(12, token_dim=12)
    feature = torch.randn(2, 12)
    assert tokenizer.num_tokens == 1
    assert tokenizer.tokenize(feature)[:, 0].equal(feature)


def test_tokens_have_64_dimensions_by_default():
    assert SplitTokenizer(2048).num_tokens == 32


@pytest.mark.parametrize(
    ('token_dim', 'nearest'),
    [
        (7, '6, 8'),
        (80, '64, 96'),
        (500, '384, 768'),
        (1000, '768'),
        (0, '1'),
    ],
)
def test_a_token_size_that_does_not_divide_is_an_error(token_dim, nearest):
    with pytest.raises(
        ValueError, match=f'token_dim={token_dim} .*768; nearest divisors: {nearest}\\.$'
    ):
        SplitTokenizer(768, token_dim=token_dim)


def test_an_empty_feature_is_an_error():
    with pytest.raises(ValueError, match='feature_dim=0 must be positive'):
        SplitTokenizer(0)


def test_a_feature_of_another_size_is_an_error():
    with pytest.raises(ValueError, match='size 16 .*target_dim=12; set target_dim'):
        SplitTokenizer(12, token_dim=4).tokenize(torch.randn(2, 16))


def test_builds_in_other_projects(build):
    tokenizer = build(MODELS, type='gendd_mm.SplitTokenizer', feature_dim=8, token_dim=2)
    assert isinstance(tokenizer, SplitTokenizer)
