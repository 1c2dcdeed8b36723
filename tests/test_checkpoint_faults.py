"""What is wrong with the contents of a checkpoint."""

import math

import pytest
import torch

from gendd_mm.checkpoint import nonfinite

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize('value', [NAN, INF, -INF])
@pytest.mark.parametrize(
    'dtype', [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64]
)
@pytest.mark.parametrize('place', [0, 7, 11])
def test_one_bad_number_is_found_in_any_place_and_precision(value, dtype, place):
    tensor = torch.linspace(-1, 1, 12).to(dtype)
    state = dict(good=tensor.clone(), bad=tensor.view(3, 4).clone(), last=tensor.clone())
    state['bad'].view(-1)[place] = value
    assert nonfinite(state) == ['bad']


def test_the_largest_numbers_and_what_has_none_are_finite():
    largest = torch.finfo(torch.float32).max
    state = dict(
        large=torch.full((10,), largest),
        empty=torch.empty(0, 3),
        count=torch.tensor(7),
        mask=torch.tensor([True]),
        meta=torch.empty(3, device='meta'),
        text='nan',
        small=torch.ones(3).to(torch.float8_e4m3fn),
    )
    assert nonfinite(state) == []
    assert nonfinite({}) == []


def test_a_tensor_that_claims_more_than_it_holds_costs_what_it_holds():
    huge = torch.ones(1).expand(10**13)
    assert nonfinite(dict(huge=huge)) == []
    assert nonfinite(dict(huge=(huge[:1] * NAN).expand(10**13))) == ['huge']


def test_a_view_is_looked_at_in_itself():
    whole = torch.tensor([NAN, 1.0, 2.0])
    assert nonfinite(dict(part=whole[1:], first=whole[:1])) == ['first']
