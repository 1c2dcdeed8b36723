"""Print and save the reports of :mod:`gendd_mm.datasets.check`."""

import json
import sys
from dataclasses import asdict

import numpy as np

from .check import Report

# Most entries of a list on the screen; the JSON file has all of them.
MAX_ENTRIES = 20


def show(reports: list[Report]) -> None:
    """Print the report of each dataset, whatever the names of files and the terminal."""
    encoding = sys.stdout.encoding or 'utf-8'
    for report in reports:
        text = '\n'.join(_lines(report))
        print(text.encode(encoding, 'backslashreplace').decode(encoding))


def save(reports: list[Report], path: str) -> None:
    """Write the reports as JSON."""
    with open(path, 'w') as file:
        json.dump([asdict(report) for report in reports], file, indent=2)


def _lines(report: Report) -> list[str]:
    if report.fault is not None:
        fault = ' '.join(report.fault.split())
        return [f'{", ".join(report.splits)}: {report.kind} cannot be read', f'  {fault}']
    lines = [
        f'{", ".join(report.splits)}: {report.kind}, {report.num_read} of '
        f'{report.num_samples} samples read',
        f'  {_per_class(report)}',
    ]
    for title, found in (
        ('unreadable', report.unreadable),
        ('wrong labels', report.wrong_labels),
        ('left out by the dataset', report.left_out),
    ):
        lines.append(f'  {title}: {len(found)}')
        entries = [f'    {place}: {what}' for place, what in found.items()]
        lines += entries[:MAX_ENTRIES]
        if len(entries) > MAX_ENTRIES:
            lines.append(
                f'    and {len(entries) - MAX_ENTRIES} more, all of them in the file of --json'
            )
    return lines


def _per_class(report: Report) -> str:
    if report.class_counts is None:
        return 'no labels'
    counts = np.array(report.class_counts)
    empty = np.flatnonzero(counts == 0)
    text = (
        f'{len(counts)} classes, images in each: min {counts.min()}, median {np.median(counts):g}, '
        f'max {counts.max()}; {len(empty)} empty'
    )
    if len(empty):
        first = ', '.join(map(str, empty[:MAX_ENTRIES]))
        text += f' ({first}{", ..." if len(empty) > MAX_ENTRIES else ""})'
    return text
