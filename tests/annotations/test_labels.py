"""The rule for labels, and what is said of those that break it."""

import re

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset, RepeatDataset

from gendd_mm.annotations import check_labels, class_index, label_fault, printable

GOOD = [0, 2, np.int64(1), np.uint8(2), [1], torch.tensor(1), torch.tensor([1])]
WRONG = {
    'missing': [None, [], torch.zeros(0)],
    'no integers': [1.0, np.float32(2), 'dog', '1', b'1', [1.5], object()],
    'several for an image': [[0, 1], (0, 1, 0), np.eye(3)[1], {0, 1}, dict(task=1)],
    'outside [0, 3), the classes of the model': [3, -1, 2**63, -(10**30), [5], np.int8(-1)],
}


class Annotated(BaseDataset):
    """Samples with the annotations given."""

    def __init__(self, *infos: dict) -> None:
        self.infos = infos
        super().__init__(serialize_data=False)

    def load_data_list(self) -> list:
        return [dict(info, img_path=f'img/{i}.jpg') for i, info in enumerate(self.infos)]

    def get_gt_labels(self):
        return np.array([self.get_data_info(i)['gt_label'] for i in range(len(self))])


def labeled(*labels) -> Annotated:
    return Annotated(*(dict(gt_label=label) for label in labels))


@pytest.mark.parametrize('label', GOOD, ids=repr)
def test_one_class_index_is_good(label):
    assert label_fault(label, num_classes=3) is None
    assert 0 <= class_index(label) < 3
    check_labels(labeled(0, label), num_classes=3)


@pytest.mark.fault(
    'Data',
    'labels that are missing, several, no integers or no class of the model',
    'refused before the first step; dataset, count, sample and file are named',
)
@pytest.mark.parametrize('rule', WRONG)
def test_all_else_is_refused_with_the_sample_and_its_file(rule):
    for label in WRONG[rule]:
        assert label_fault(label, num_classes=3) == rule, label
        dataset = labeled(0, label, 1, label)
        expected = re.escape(f'2 labels of Annotated are {rule}; the first is ')
        with pytest.raises(ValueError, match=f'^{expected}') as caught:
            check_labels(RepeatDataset(dataset, 2), num_classes=3)
        text = str(caught.value)
        assert 'at sample 1 (img/1.jpg). ' in text
        assert text.endswith('.'), 'no remedy'
        assert len(text) < 400


def test_truth_is_no_class():
    assert label_fault(True, num_classes=3) == 'no integers'
    with pytest.raises(ValueError, match='2 labels .* are no integers; the first is True'):
        check_labels(labeled(True, False), num_classes=3)


def test_faults_of_several_kinds_are_counted_apart():
    with pytest.raises(ValueError, match=r'^1 labels .* are no integers.* 2 more are wrong'):
        check_labels(labeled(0, 'dog', None, 9), num_classes=3)


def test_negative_labels_alone_are_called_placeholders():
    with pytest.raises(ValueError, match='2 labels .* All are negative, as placeholders'):
        check_labels(labeled(-1, -1), num_classes=3)
    with pytest.raises(ValueError, match=r'outside \[0, 3\)[^A]*$'):
        check_labels(labeled(-1, 0), num_classes=3)


def test_a_sample_without_the_key_lacks_a_label_unless_it_has_a_distribution():
    with pytest.raises(ValueError, match=r'1 labels .* missing.*sample 1 \(img/1.jpg\)'):
        check_labels(Annotated(dict(gt_label=0), dict()), num_classes=3)
    check_labels(Annotated(dict(gt_score=[0.5, 0.5, 0]), dict(gt_label=2)), num_classes=3)


def test_without_labels_where_none_are_needed():
    check_labels(Annotated(dict(), dict()), num_classes=3, required=False)
    with pytest.raises(ValueError, match='2 labels .* missing'):
        check_labels(Annotated(dict(), dict()), num_classes=3)


def test_any_name_of_a_file_can_be_printed():
    assert printable('t\udce9t\u00e9') == 't\\udce9t\u00e9'
