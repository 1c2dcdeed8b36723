"""RandAugment of A1 and A2 is timm's ``rand-m7-n2-mstd0.5``, draw by draw."""

import math
import random

import numpy as np
import pytest
from mmengine.config import Config
from mmpretrain.registry import TRANSFORMS
from PIL import Image
from small_models import CONFIGS

auto_augment = pytest.importorskip('timm.data.auto_augment', reason='timm is in the extra tests')

MEAN = (124, 116, 104)
SIZE = (48, 40)
# What our magnitude is in timm's argument. OpenCV's maps run from the input to
# the output, Pillow's back; MMPretrain rounds up what timm rounds down.
IN_TIMMS_TERMS = dict(
    Rotate=lambda m: -m,
    Shear=lambda m: -m,
    Translate=lambda m: -m,
    Posterize=math.ceil,
    Solarize=math.ceil,
    SolarizeAdd=math.floor,
    ColorTransform=lambda m: 1 + m,
    Contrast=lambda m: 1 + m,
    Brightness=lambda m: 1 + m,
    Sharpness=lambda m: 1 + m,
)
# Largest difference of a pixel: rounding, and the fraction at which OpenCV and
# Pillow interpolate. All others agree.
ROUNDING = dict(
    Rotate=3, Shear=3, Translate=3, ColorTransform=1, Contrast=1, Brightness=1, Sharpness=1
)


@pytest.fixture(scope='module')
def ours():
    cfg = Config.fromfile(CONFIGS / '_base_' / 'datasets' / 'imagenet_a1.py')
    (found,) = [
        transform
        for transform in cfg.train_dataloader.dataset.pipeline
        if transform.type == 'RandAugment'
    ]
    return TRANSFORMS.build(found.to_dict())


@pytest.fixture(scope='module')
def theirs():
    hparams = dict(img_mean=MEAN, interpolation=Image.Resampling.BILINEAR)
    return auto_augment.rand_augment_transform('rand-m7-n2-mstd0.5', hparams)


@pytest.fixture
def one_stream(monkeypatch):
    """Let MMPretrain's operations draw from the stream of timm's."""
    monkeypatch.setattr(np.random, 'rand', random.random)
    monkeypatch.setattr(np.random, 'normal', random.gauss)


def smooth_image(seed: int) -> np.ndarray:
    """RGB waves with a narrow range of values, which differs by channel."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    waves = [
        np.sin(x * a + y * b + c)
        for a, b, c in draw.uniform((0.02, 0.02, 0), (0.12, 0.12, 6), (3, 3))
    ]
    middle, height = draw.uniform(90, 190, 3), draw.uniform(20, 60, 3)
    return (np.stack(waves, -1) * height + middle).clip(0, 255).astype(np.uint8)


def apply_ours(op, image: np.ndarray, seed: int) -> tuple[np.ndarray, list]:
    """The image in RGB, and the magnitude that was used, if any."""
    used = []

    def noted(function):
        def note(*args):
            used[:] = [function(*args)]
            return used[0]

        return note

    draws = {name: noted(getattr(op, name)) for name in ('random_magnitude', 'random_negative')}
    vars(op).update(draws)
    random.seed(seed)
    result = op(dict(img=image[..., ::-1].copy()))['img'][..., ::-1]
    for name in draws:
        delattr(op, name)
    return result, used


def apply_theirs(op, image: np.ndarray, seed: int) -> tuple[np.ndarray, list]:
    used = []
    function = op.aug_fn

    def note(image, *args, **settings):
        used[:] = args
        return function(image, *args, **settings)

    op.aug_fn = note
    random.seed(seed)
    result = np.array(op(Image.fromarray(image)))
    op.aug_fn = function
    return result, used


def comparable(name: str, our_op, their_op, seed: int) -> np.ndarray:
    """Pixels that neither the fill nor, in sharpening, the border touches."""
    inside = np.ones(SIZE[::-1], bool)
    if name == 'Sharpness':  # OpenCV mirrors there, Pillow leaves the pixels
        inside[[0, -1]] = inside[:, [0, -1]] = False
    if name in ('Rotate', 'Shear', 'Translate'):
        black = np.zeros((*SIZE[::-1], 3), np.uint8)
        for apply, op in ((apply_ours, our_op), (apply_theirs, their_op)):
            inside &= apply(op, black, seed)[0].max(-1) == 0
    return inside


@pytest.mark.parametrize('index', range(15))
def test_each_operation_has_timms_magnitude_and_pixels(ours, theirs, one_stream, index):
    our_op, their_op = ours.transforms[index], theirs.ops[index]
    name = type(our_op).__name__
    done = 0
    for seed in range(200):
        image = smooth_image(seed)
        found, magnitude = apply_ours(our_op, image, seed)
        expected, argument = apply_theirs(their_op, image, seed)
        if name in IN_TIMMS_TERMS:
            terms = [IN_TIMMS_TERMS[name](value) for value in magnitude]
            assert terms == pytest.approx(argument), seed
        inside = comparable(name, our_op, their_op, seed)
        assert inside.mean() > 0.4
        difference = np.abs(found.astype(int) - expected)[inside]
        assert difference.max() <= ROUNDING.get(name, 0), seed
        done += not np.array_equal(found, image)
    # By half of the seeds.
    assert 70 < done < 130


def test_the_fill_is_the_mean_colour(ours, theirs, one_stream):
    white = np.full((*SIZE[::-1], 3), 255, np.uint8)
    seed = next(seed for seed in range(9) if apply_ours(ours.transforms[3], white, seed)[1])
    for apply, op in ((apply_ours, ours.transforms[3]), (apply_theirs, theirs.ops[3])):
        assert tuple(apply(op, white, seed)[0][0, 0]) == MEAN


def test_the_same_two_operations_are_chosen(ours, theirs):
    for seed in range(20):
        np.random.seed(seed)
        chosen = ours.random_policy_indices()
        np.random.seed(seed)
        names = np.random.choice([op.name for op in theirs.ops], theirs.num_layers)
        assert [theirs.ops[i].name for i in chosen] == [*names]


def test_at_level_7_thresholds_and_factors_are_those_of_the_recipe(ours):
    level = {
        type(op).__name__: IN_TIMMS_TERMS[type(op).__name__](
            0.7 * (op.magnitude_range[1] - op.magnitude_range[0]) + op.magnitude_range[0]
        )
        for op in ours
        if op.magnitude_range
    }
    assert (level['Solarize'], level['Posterize'], level['SolarizeAdd']) == (179, 2, 77)
    for name in ('ColorTransform', 'Contrast', 'Brightness', 'Sharpness'):
        assert level[name] == pytest.approx(1.36)
