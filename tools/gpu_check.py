"""What tools/gpu_check.sh runs: tests and benchmarks on a GPU, and a table of them.

It needs torch and pytest. Seed 0 everywhere.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import torch
from benchmarks.measure import add_device

ROOT = Path(__file__).resolve().parent.parent
# For whole runs: OpenMMLab, what it needs beside torch, and the digits.
STACK = ('mmengine', 'mmcv', 'mmpretrain', 'mmrazor', 'joblib', 'torchvision', 'sklearn')
HEAD, SAMPLING = (f'tools/benchmarks/{name}.py' for name in ('head', 'sampling'))
COST = 'tools/cost.py'
PAIR = 'configs/imagenet/gendd_resnet34_resnet18_8xb64_in1k.py'
# A kernel or a collective that hangs is a failure, too.
MINUTES = 30

Row = tuple[str, str, str]


def environment() -> str:
    """Hardware and versions, one line each."""
    try:
        commit = subprocess.check_output(
            ['git', 'describe', '--always', '--dirty'], cwd=ROOT, text=True
        ).strip()
    except (OSError, subprocess.CalledProcessError):
        commit = 'unknown'
    lines = [f'commit {commit}, Python {sys.version.split()[0]}, torch {torch.__version__}']
    if torch.cuda.is_available():
        lines.append(f'CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}')
        query = ['nvidia-smi', '--query-gpu=name,driver_version,memory.total', '--format=csv']
        try:
            lines += subprocess.check_output(query, text=True).splitlines()[1:]
        except (OSError, subprocess.CalledProcessError):
            lines += [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    else:
        lines.append(f'no CUDA device, {torch.get_num_threads()} threads')
    return '\n'.join(f'- {line}' for line in lines)


class Check:
    """Runs commands one after the other, and writes their numbers after each.

    Args:
        out: The Markdown file.
        device: Where the commands run.
    """

    def __init__(self, out: Path, device: torch.device) -> None:
        self.out = out
        self.device = device
        self.rows: list[Row] = []
        self.notes: list[str] = []
        self.failed: list[str] = []

    def run(self, *command: str, numbers: bool = True) -> None:
        """Run a tool on the device; a JSON object on its last line is its numbers."""
        shown = shlex.join(['python', *command]).replace(f'{tempfile.gettempdir()}/', '')
        print(f'== {shown}', flush=True)
        try:
            done = subprocess.run(
                [sys.executable, *command],
                cwd=ROOT,
                stdout=subprocess.PIPE if numbers else None,
                text=True,
                timeout=60 * MINUTES,
            )
        except subprocess.TimeoutExpired:
            self.fail(shown, f'took more than {MINUTES} minutes')
            return
        if done.returncode:
            self.fail(shown, f'status {done.returncode}')
        elif numbers:
            self.add(shown, json.loads(done.stdout.splitlines()[-1]))

    def add(self, command: str, numbers: dict | list[dict]) -> None:
        """Add the numbers of a command to the table."""
        self.rows += [(command, name, text) for name, text in cells(numbers)]
        self.write()

    def fail(self, command: str, why: str) -> None:
        """Note a failure; the other commands are still run."""
        self.failed.append(command)
        self.rows.append((command, '**failed**', why))
        self.write()

    def write(self) -> None:
        """Write the file as far as it is known."""
        table = ['| command | number | value |', '| --- | --- | --- |']
        before = None
        for command, name, value in self.rows:
            table.append(f'| {"" if command == before else f"`{command}`"} | {name} | {value} |')
            before = command
        notes = [f'{note}\n' for note in self.notes]
        text = '\n'.join([environment(), '', 'Seed 0. Ratios are plain / ours.\n', *notes, *table])
        self.out.write_text(text + '\n')


def cells(numbers: dict | list[dict]) -> Iterator[tuple[str, str]]:
    """Names and values of what a benchmark printed."""
    if isinstance(numbers, list):  # tools/benchmarks/sampling.py: one row a sampler
        for row in numbers:
            yield row['sampler'], f'top-1 {row["top1"]:.2f}, {row["mmacs"]:.1f} M multiply-adds'
        return
    for name, value in numbers.items():
        if isinstance(value, (int, float)):
            yield name, f'{value:.4g}'


def run_tests(check: Check, has_stack: bool) -> None:
    """The tests that are marked ``gpu``, or their rehearsal."""
    tests = ['tests/gpu', *(['tests/test_two_processes.py'] if has_stack else [])]
    select = ['-m', 'gpu'] if check.device.type == 'cuda' else ['-k', 'cpu and not cuda']
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / 'report.xml'
        command = ['-m', 'pytest', '-q', '-p', 'no:cacheprovider', *select, *tests]
        check.run(*command, f'--junitxml={report}', numbers=False)
        if not report.exists():
            return
        counts = ElementTree.parse(report).getroot().find('testsuite').attrib
    keys = ('tests', 'failures', 'errors', 'skipped')
    check.add(shlex.join(['python', *command]), {key: int(counts[key]) for key in keys})


def train_digits(check: Check, folder: Path, quick: bool) -> None:
    """Teacher and GenDD on the digits by tools/benchmark.py; then every sampler."""
    epochs = 'train_cfg = dict(max_epochs=1)\n' if quick else ''
    configs = dict(teacher='digits/teacher_digits.py', gendd='gendd_digits.py')
    for name, base in configs.items():
        # One process with the batch of two.
        text = f"_base_ = '{ROOT}/configs/{base}'\ntrain_dataloader = dict(batch_size=32)\n"
        (folder / f'{name}.py').write_text(text + epochs)
    recipe, results = folder / 'digits.yml', folder / 'results.jsonl'
    setting = dict(
        teacher='teacher.py',
        refit=str(ROOT / 'configs/_base_/datasets/digits.py'),
        methods=dict(gendd='gendd.py'),
    )
    content = dict(
        settings=dict(digits=setting), seeds=[0], work_dir=str(folder), results=str(results)
    )
    recipe.write_text(json.dumps(content))  # JSON is YAML
    device = ('--device', str(check.device))
    command = ['tools/benchmark.py', str(recipe), '--jobs', '1', '--no-report', *device]
    check.run(*command, numbers=False)
    records = results.read_text().splitlines() if results.exists() else []
    for record in map(json.loads, records):
        fields = ('gen_top1', 'probe_top1', 'seconds')
        numbers = {f'{record["method"]} {field}': record[field] for field in fields}
        check.add('tools/benchmark.py, digits', numbers)
    trained = sorted((folder / 'gendd').glob('*/epoch_*.pth'), key=os.path.getmtime)
    teacher = sorted((folder / 'teacher').glob('*/epoch_*.pth'), key=os.path.getmtime)
    if trained and teacher:
        options = ('--cfg-options', f'model.teacher_ckpt={teacher[-1]}')
        check.run(SAMPLING, str(folder / 'gendd.py'), str(trained[-1]), '--json', *device, *options)


def time_steps(check: Check, quick: bool) -> None:
    """The parts of a training step: as it is, and with what a GPU has for it."""
    options: list[list[str]] = [[]]
    if check.device.type == 'cuda':
        half = ['optim_wrapper.type=AmpOptimWrapper', 'optim_wrapper.dtype=bfloat16']
        last = ['model.channels_last=True']
        options += [half, half + last, half + last + ['model.compile=True']]
    size = ['--image-size', '32', '--batch-size', '8'] if quick else ['--rounds', '20']
    for each in options:
        more = ['--cfg-options', *each] if each else []
        check.run(COST, PAIR, *size, '--json', '--device', str(check.device), *more)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        'out',
        nargs='?',
        type=Path,
        default='work_dirs/gpu_check.md',
        metavar='OUT.md',
        help='the table (default: work_dirs/gpu_check.md)',
    )
    parser.add_argument('--quick', action='store_true', help='few rounds, small sizes')
    add_device(parser)
    args = parser.parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    check = Check(args.out, args.device)
    print(environment(), flush=True)
    missing = [name for name in STACK if find_spec(name) is None]
    if missing:
        check.notes.append(
            f'Left out, as {", ".join(missing)} are missing: the tests of whole runs, '
            'tools/benchmark.py, cost.py and sampling.py.'
        )
        print(check.notes[-1])
    run_tests(check, not missing)
    # On the CPU two images: the rehearsal is about the command, not the numbers.
    small = ['--images', '2'] if args.quick and args.device.type == 'cpu' else []
    quick = ['--quick', *small] if args.quick else []
    check.run(HEAD, *quick, '--json', '--device', str(args.device))
    if not missing:
        with tempfile.TemporaryDirectory() as folder:
            train_digits(check, Path(folder), args.quick)
        time_steps(check, args.quick)
    print(args.out.read_text())
    if check.failed:
        sys.exit('failed: ' + '; '.join(check.failed))


if __name__ == '__main__':
    main()
