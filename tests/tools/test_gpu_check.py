"""The check of a GPU: what it writes, and how it ends."""

import json
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools'))

import gpu_check  # noqa: E402


@pytest.fixture
def check(tmp_path) -> gpu_check.Check:
    return gpu_check.Check(tmp_path / 'out.md', torch.device('cpu'))


def printed(numbers) -> tuple[str, str]:
    """A command that prints a line, and then these numbers."""
    return '-c', f'print("a line"); print({json.dumps(json.dumps(numbers))})'


def test_what_was_measured_is_written_though_a_command_failed(check):
    check.run(*printed(dict(ratio=1.5, peak_bytes=None)))
    check.run('-c', 'raise SystemExit(3)')
    check.run(*printed([dict(sampler='ddim', top1=97.384, mmacs=38.45)]))
    rows = [line.split('|')[-3:-1] for line in check.out.read_text().splitlines() if '|' in line]
    assert [[cell.strip() for cell in row] for row in rows[2:]] == [
        ['ratio', '1.5'],
        ['**failed**', 'status 3'],
        ['ddim', 'top-1 97.38, 38.5 M multiply-adds'],
    ]
    assert len(check.failed) == 1


@pytest.mark.parametrize('status', [0, 1])
def test_its_status_is_that_of_the_tests(status, tmp_path, monkeypatch):
    """Without OpenMMLab, which it says."""

    def run_tests(check, has_stack: bool) -> None:
        assert not has_stack
        check.run('-c', f'raise SystemExit({status})', numbers=False)

    out = tmp_path / 'new' / 'out.md'
    monkeypatch.setattr(sys, 'argv', ['gpu_check.py', str(out), '--quick', '--device', 'cpu'])
    monkeypatch.setattr(gpu_check, 'find_spec', lambda name: None)
    monkeypatch.setattr(gpu_check, 'run_tests', run_tests)
    monkeypatch.setattr(
        gpu_check.Check, 'run', only_short(gpu_check.Check.run, gpu_check.HEAD, dict(gain=2.0))
    )
    if status:
        with pytest.raises(SystemExit, match='failed: '):
            gpu_check.main()
    else:
        gpu_check.main()
    text = out.read_text()
    assert 'Left out, as mmengine, mmcv' in text
    assert '| gain | 2 |' in text


def only_short(run, long: str, numbers: dict):
    """``Check.run`` with a command in place of a long one, which gives these numbers."""

    def call(check, command: str, *arguments: str, **settings) -> None:
        if command == long:
            command, *arguments = printed(numbers)
        run(check, command, *arguments, **settings)

    return call
