"""ShiftedUnlabeled: four shifts, a quarter each, the same every time."""

import numpy as np
import pytest
from mmpretrain.datasets import BaseDataset

from gendd_mm.datasets import ShiftedUnlabeled
from gendd_mm.datasets.shifted_unlabeled import SHIFTS, cutmix_box

SIDE = 6


class Images(BaseDataset):
    """Image i has distinct pixels, those of the next ones are others."""

    METAINFO = {'classes': tuple('ab')}

    def __init__(self, count: int = 42, **kwargs) -> None:
        self.count = count
        super().__init__(ann_file='', **kwargs)

    def load_data_list(self) -> list:
        random = np.random.RandomState(0)
        images = random.randint(256, size=(self.count, SIDE, SIDE))
        return [dict(img=image.astype(np.uint8), gt_label=i % 2) for i, image in enumerate(images)]


def test_every_image_has_one_fixed_shift_a_quarter_each():
    first, again = ShiftedUnlabeled(Images()), ShiftedUnlabeled(Images())
    shifts = [first[i]['shift'] for i in range(len(first))]
    counts = [shifts.count(shift) for shift in SHIFTS]
    assert sorted(counts) == [10, 10, 11, 11]
    for i in range(len(first)):
        np.testing.assert_array_equal(first[i]['img'], again[i]['img'])
        np.testing.assert_array_equal(first[i]['img'], first[i]['img'])
    other = ShiftedUnlabeled(Images(), seed=1)
    assert [other[i]['shift'] for i in range(len(other))] != shifts


def test_shifts_are_undone_by_their_inverses():
    plain, shifted = Images(), ShiftedUnlabeled(Images())
    inverses = dict(
        quarter_turn=lambda image: np.rot90(image, -1),
        half_turn=lambda image: image[::-1, ::-1],
        inverted=lambda image: 255 - image,
    )
    tested = set()
    for i in range(len(shifted)):
        info = shifted[i]
        if info['shift'] in inverses:
            tested.add(info['shift'])
            restored = inverses[info['shift']](info['img'])
            np.testing.assert_array_equal(restored, plain[i]['img'])
        assert info['img'].dtype == np.uint8
        assert info['img'].flags.c_contiguous
    assert tested == set(inverses)


def test_a_collage_is_a_box_of_one_other_image():
    plain, shifted = Images(400), ShiftedUnlabeled(Images(400))
    pixels = np.stack([plain[i]['img'] for i in range(400)])
    for i in range(400):
        info = shifted[i]
        if info['shift'] != 'collage':
            continue
        changed = info['img'] != pixels[i]
        if not changed.any():
            continue
        rows = np.flatnonzero(changed.any(1))
        columns = np.flatnonzero(changed.any(0))
        box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        # A box smaller than a few pixels may be in several images.
        sources = (pixels[(slice(None), *box)] == info['img'][box]).all((1, 2))
        assert sources.any()
        np.testing.assert_array_equal(pixels[i], plain[i]['img'])


def test_boxes_cover_what_those_of_cutmix_do():
    """Uncut, the expected area is E[1 - m] = 1/2; cutting takes some."""
    random = np.random.RandomState(0)
    boxes = [cutmix_box(1000, 1000, random) for _ in range(4000)]
    assert all(0 <= box.top <= box.bottom <= 1000 for box in boxes)
    assert all(0 <= box.left <= box.right <= 1000 for box in boxes)
    area = np.mean([(box.bottom - box.top) * (box.right - box.left) for box in boxes]) / 1000**2
    # A side s around a uniform centre keeps s - s^2 / 4 of the unit interval;
    # s^2 is uniform: E[(s - s^2/4)^2] = 1/2 - E[s^3]/2 + E[s^4]/16.
    assert area == pytest.approx(1 / 2 - 2 / 5 / 2 + 1 / 3 / 16, abs=0.01)


def test_labels_are_gone():
    dataset = ShiftedUnlabeled(Images())
    assert 'gt_label' not in dataset[0]
    with pytest.raises(KeyError):
        dataset.get_gt_labels()
    assert dataset.metainfo['classes'] == ('a', 'b')


def test_the_pipeline_runs_after_the_shift():
    dataset = ShiftedUnlabeled(Images(), pipeline=[lambda info: dict(info, seen=info['img'].sum())])
    assert dataset[3]['seen'] == dataset.get_data_info(3)['img'].sum()
