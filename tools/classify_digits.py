"""Classify the digits' test images with an exported student.

    python tools/classify_digits.py EXPORTED_DIR OUT_JSON

Uses mmpretrain's own inferencer on image files, as someone would who receives only the
exported files; gendd_mm is imported only if their config says so.
"""

import argparse
import json
from pathlib import Path

import mmcv
import numpy as np
from mmpretrain import ImageClassificationInferencer
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


def write_images(folder: Path) -> tuple:
    """Write the test split as PNG files; returns paths and labels."""
    digits = load_digits()
    # The split of gendd_mm.DigitsDataset.
    _, test = train_test_split(
        np.arange(len(digits.target)), train_size=1200, stratify=digits.target, random_state=0
    )
    paths = []
    for i in test:
        paths.append(str(folder / f'{i}.png'))
        image = np.round(digits.images[i] * 255 / 16).astype(np.uint8)
        mmcv.imwrite(image, paths[-1])
    return paths, digits.target[test]


def main() -> None:
    parser = argparse.ArgumentParser(description='Classify the digits')
    parser.add_argument('exported', type=Path, help='folder of the student')
    parser.add_argument('out', type=Path, help='JSON file to write')
    args = parser.parse_args()

    paths, labels = write_images(args.exported / 'images')
    inferencer = ImageClassificationInferencer(
        str(args.exported / 'student.py'), pretrained=str(args.exported / 'student.pth')
    )
    results = inferencer(paths, batch_size=200)
    correct = [result['pred_label'] == label for result, label in zip(results, labels, strict=True)]
    args.out.write_text(json.dumps(dict(top1=100 * float(np.mean(correct)))))


if __name__ == '__main__':
    main()
